import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from client.audit.canary import Effort, chi_square_range, deviation, mu_lower_bound, plant_canary
from client.audit.subject import AuditSubject


# False alarm 1e-3 for the level; the figures lie within their ranges but for another 1e-6.
def test_a_clean_merchant_passes_and_the_canary_arrives_in_full(make_subject: Callable[..., AuditSubject]) -> None:
    report = plant_canary(make_subject(num_customers=5), Effort(runs=1_000, coordinates=200_000))
    assert report.violations == ()
    assert 0.5 < report.measured["mu at least"] < 1
    assert report.measured["shift / C"] == pytest.approx(1, abs=5 * math.sqrt(2 / 1_000))
    assert report.measured["sd / accounted"] == pytest.approx(1, abs=5 / math.sqrt(2 * 200_000))


# Origin: at mu = 1 and the threshold midway both error rates are Φ(-1/2) = .3085.
def test_mu_is_bounded_by_the_error_rates() -> None:
    errors = round(20_000 * stats.norm.cdf(-0.5))
    assert 0.92 < mu_lower_bound(errors, errors, 20_000, 5e-4) < 0.95
    assert mu_lower_bound(100, 0, 100, 5e-4) == -math.inf
    assert mu_lower_bound(0, 0, 20_000, 5e-4) == pytest.approx(2 * stats.norm.isf(stats.beta.isf(2.5e-4, 1, 20_000)))


# False alarm: each of 2,000 bounds fails with 1e-2 at most; more than 40 do with 1e-4.
def test_the_bound_on_mu_is_wrong_as_rarely_as_it_says() -> None:
    generator = np.random.default_rng(1)
    rate = stats.norm.cdf(-0.5)
    bounds = [mu_lower_bound(*generator.binomial(500, rate, 2).tolist(), 500, 1e-2) for _ in range(2_000)]
    assert sum(bound > 1 for bound in bounds) <= 40


def test_the_range_of_a_deviation_holds_and_narrows() -> None:
    low, high = chi_square_range(1_000_000, 1e-4)
    assert 0.995 < low < 1 < high < 1.005
    assert deviation(np.array([3.0, -3.0])) == 3
