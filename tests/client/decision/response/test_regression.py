"""The regression of units on price: held against statsmodels and against a law that is known."""

import numpy as np
import pytest

from client.decision.response.regression import fit_response


def draw(seed: int, products: int = 3, days: int = 210) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    controls = np.stack([np.ones(days), np.sin(np.arange(days) / 30), (np.arange(days) % 7 == 5) * 1.0], axis=1)
    own = generator.choice([-0.1, 0.0, 0.1], (products, days // 7)).repeat(7, axis=1)[:, :, None]
    line = controls @ np.array([1.2, 0.3, 0.4]) - 2.0 * own[:, :, 0]
    return generator.poisson(np.exp(line)).astype(float), controls, own


def test_coefficients_are_those_of_statsmodels() -> None:
    statsmodels = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    units, controls, own = draw(1)
    counted = np.random.default_rng(2).random(units.shape) < 0.9
    fit = fit_response(units, counted, controls, own, offset=np.zeros(units.shape), control_spread=1e4)
    for row in range(len(units)):
        design = np.concatenate([controls, own[row]], axis=1)[counted[row]]
        theirs = statsmodels.GLM(units[row][counted[row]], design, family=statsmodels.families.Poisson()).fit()
        assert fit.coefficient[row, 0] == pytest.approx(theirs.params[-1], abs=5e-3)  # ours is drawn to 0 by N(0, 20²)


def test_days_that_do_not_count_change_nothing() -> None:
    units, controls, own = draw(3)
    counted = np.ones(units.shape, bool)
    counted[:, 100:130] = False
    spoiled = units.copy()
    spoiled[:, 100:130] = 999.0
    one, other = (
        fit_response(values, counted, controls, own, offset=np.zeros(units.shape)) for values in (units, spoiled)
    )
    assert np.array_equal(one.coefficient, other.coefficient)
    assert np.array_equal(one.covariance, other.covariance)


def test_errors_are_as_large_as_estimates_miss() -> None:
    """Poisson, 200 products of one law: the standardised misses have variance 1; false alarm below 1 in 1,000."""
    units, controls, own = draw(4, products=200)
    fit = fit_response(units, np.ones(units.shape, bool), controls, own, offset=np.zeros(units.shape))
    misses = (fit.coefficient[:, 0] + 2.0) / np.sqrt(fit.covariance[:, 0, 0])
    assert 0.75 < misses.var() < 1.35
    assert abs(misses.mean()) < 0.3


def test_weeks_that_hang_together_widen_the_error() -> None:
    generator = np.random.default_rng(5)
    units, controls, own = draw(6, products=40)
    slow = np.cumsum(generator.normal(0, 0.25, (40, 30)), axis=1)
    own = np.cumsum(generator.normal(0, 0.05, (40, 30)), axis=1).repeat(7, axis=1)[:, :, None]
    plain = fit_response(units, np.ones(units.shape, bool), controls, own, offset=np.zeros(units.shape))
    moving = generator.poisson(np.exp(1.2 + slow.repeat(7, axis=1))).astype(float)
    shocked = fit_response(moving, np.ones(units.shape, bool), controls, own, offset=np.zeros(units.shape))
    assert np.median(shocked.covariance) > 3 * np.median(plain.covariance)


def test_a_product_that_never_sold_ends_in_numbers() -> None:
    units, controls, own = draw(7)
    fit = fit_response(0 * units, np.ones(units.shape, bool), controls, own, offset=np.zeros(units.shape))
    assert np.isfinite(fit.coefficient).all()
    assert np.isfinite(fit.covariance).all()
