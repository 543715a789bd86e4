"""Noise that merchants share, against exact convolutions on a small lattice, where what is bounded can be seen."""

import math
from functools import cache

import mpmath
import numpy as np
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld

from common.errors import PrivacyError
from common.privacy.accounting import delta_of, epsilon_of
from common.privacy.guarantee import gaussian_delta, state_guarantee
from common.privacy.shared_noise import (
    MOST_SHARES,
    SMALLEST_STD,
    aliasing,
    count_roundings,
    require_smooth,
    share_noise,
    sum_delta,
    sum_noise_multiplier_for,
)
from common.privacy.tail import MISROUNDED, tail_delta

DIGITS = 90  # e^(-16π²), the least that is bounded, is 10⁻⁶⁹
STDS = [0.5, 1.0, 2.0, 4.0]


def reach_of(std: float, number: int = 1) -> int:
    """Integers on either side of 0 that are looked at: beyond 19 standard deviations lies less than 10⁻⁷⁹."""
    return math.ceil(19 * std * math.sqrt(number)) + number


@cache
def rounded_gaussian(std: float) -> tuple[int, ...]:
    """Probabilities of round(Z) times 10^DIGITS, as integers, so that convolutions are exact."""
    with mpmath.workdps(DIGITS + 10):
        edges = [mpmath.erfc((k - mpmath.mpf("0.5")) / (std * mpmath.sqrt(2))) / 2 for k in range(reach_of(std) + 2)]
        half = [int((edges[k] - edges[k + 1]) * mpmath.mpf(10) ** DIGITS) for k in range(reach_of(std) + 1)]
    return (*half[:0:-1], *half)


@cache
def sum_of_rounded(std: float, number: int) -> np.ndarray:
    """Probabilities of the sum of so many, around 0; Python integers, rescaled after each convolution."""
    total = one = np.array(rounded_gaussian(std), dtype=object)
    for count in range(2, number + 1):
        total = np.convolve(total, one) // 10**DIGITS
        beyond = len(total) // 2 - reach_of(std, count)
        total = total[beyond : len(total) - beyond]
    return total


@cache
def rounding_of_one(std: float, number: int, num_uniforms: int) -> np.ndarray:
    """Probabilities of round(G + uniforms), G of variance number·std², on the support of the sum.

    The density of G and n uniforms is the n-th central difference of the n-th antiderivative of the Gaussian density,
    which follows from (n + 1)·F(n+2) = x·F(n+1) + variance·F(n): no Fourier transform, unlike the proof. One uniform
    more makes a probability of a density.
    """
    reach, order = reach_of(std, number), num_uniforms + 1
    with mpmath.workdps(DIGITS + 40):
        variance, scale = number * mpmath.mpf(std) ** 2, mpmath.mpf(10) ** DIGITS
        halves = range(-order, 2 * reach + order + 1, 2)
        at = {half: _antiderivative(mpmath.mpf(half) / 2, variance, order) for half in halves}
        signs = [(-1) ** j * math.comb(order, j) for j in range(order + 1)]
        half = [
            int(sum(sign * at[2 * k + order - 2 * j] for j, sign in enumerate(signs)) * scale) for k in range(reach + 1)
        ]
    return np.array([*half[:0:-1], *half], dtype=object)


def _antiderivative(x, variance, order: int):
    density = mpmath.exp(-x * x / (2 * variance)) / mpmath.sqrt(2 * mpmath.pi * variance)
    below, here = density, mpmath.erfc(-x / mpmath.sqrt(2 * variance)) / 2
    for n in range(1, order):
        below, here = here, (x * here + variance * below) / n
    return here


def total_variation(one: np.ndarray, other: np.ndarray) -> mpmath.mpf:
    return mpmath.mpf(int(np.abs(one - other).sum())) / 2 / mpmath.mpf(10) ** DIGITS


def bound(number: int, std: float) -> mpmath.mpf:
    """The claim, in as many digits as are compared."""
    with mpmath.workdps(40):
        theta = mpmath.nsum(lambda k: mpmath.exp(-((mpmath.pi * std * k) ** 2)), [-6, 6])
        width = mpmath.sqrt(mpmath.pi) * std + (number + 1) / (2 * mpmath.sqrt(2 * mpmath.pi * number) * std)
        return (theta**number - 1) * width + mpmath.exp(-((mpmath.pi * std) ** 2))


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("number", [2, 3, 5, 8])
def test_a_sum_of_rounded_gaussians_is_the_rounding_of_one_and_uniforms_up_to_aliasing(number: int, std: float) -> None:
    found = total_variation(sum_of_rounded(std, number), rounding_of_one(std, number, number - 1))
    assert 0 < found <= bound(number, std)
    assert found <= aliasing(number, std) * (1 + 1e-9)


@pytest.mark.parametrize("std", STDS)
def test_the_bound_has_the_order_of_what_it_bounds(std: float) -> None:
    """Exact for two but for a factor: a claim with any larger exponent would be false."""
    found = total_variation(sum_of_rounded(std, 2), rounding_of_one(std, 2, 1))
    assert bound(2, std) <= 1500 * found
    assert mpmath.exp(-1.2 * (math.pi * std) ** 2) < found or std < 2


@pytest.mark.parametrize("number", [2, 8])
def test_without_the_uniforms_or_with_one_too_few_or_too_many_it_is_not_so(number: int) -> None:
    """Positive control: the same comparison tells a wrong claim from a right one by many orders of magnitude."""
    total, right = sum_of_rounded(4.0, number), bound(number, 4.0)
    for uniforms in {0, number - 2, number}:
        assert total_variation(total, rounding_of_one(4.0, number, uniforms)) > 1e60 * right
    assert right < 1e-60


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("number", [2, 5, 300])
def test_the_bound_in_floats_is_no_smaller_than_in_many_digits(number: int, std: float) -> None:
    assert aliasing(number, std) >= min(1, float(bound(number, std))) * (1 - 1e-12)


def test_one_alone_has_no_aliasing_and_more_noise_less() -> None:
    assert aliasing(1, 0.5) == 0
    assert aliasing(8, 0.5) == 1, "nothing is claimed where nothing is known"
    assert aliasing(8, 1.0) < 2e-2
    assert aliasing(300, 2.0) < 1e-12
    assert aliasing(MOST_SHARES, SMALLEST_STD) == 0, "below the least float"


def hockey_stick(probabilities: np.ndarray, shift: int, epsilon: float) -> float:
    """Smallest delta at which a sum and the same sum moved by `shift` steps are (epsilon, delta)-close, exactly."""
    padding = [0] * abs(shift)
    here, there = np.array([*probabilities, *padding]), np.array([*padding, *probabilities])
    with mpmath.workdps(DIGITS):
        factor = int(mpmath.exp(epsilon) * mpmath.mpf(10) ** DIGITS)
        excess = here - there * factor // 10**DIGITS
        return float(mpmath.mpf(int(excess[excess > 0].sum())) / mpmath.mpf(10) ** DIGITS)


@pytest.mark.parametrize(("number", "std", "shift"), [(2, 1.0, 1), (2, 2.0, 6), (4, 2.0, 4), (8, 1.0, 6), (8, 2.0, 12)])
def test_a_shared_sum_costs_what_one_gaussian_of_the_joint_variance_costs(number: int, std: float, shift: int) -> None:
    total, mu = sum_of_rounded(std, number), shift / (math.sqrt(number) * std)
    for epsilon in (0.0, 0.5, 1.0, 2.0, 4.0):
        added = sum_delta(1, 1, noise_share=number, std=std, epsilon=epsilon)
        assert hockey_stick(total, shift, epsilon) <= delta_of(mu, epsilon) + added
    # Positive controls: of one merchant less the promise would be false, and it is not given away either.
    fewer = sum_of_rounded(std, number - 1)
    assert hockey_stick(fewer, shift, 1.0) > delta_of(mu, 1.0) + sum_delta(
        1, 1, noise_share=number, std=max(std, 2.0), epsilon=1.0
    )
    assert hockey_stick(total, shift, 1.0) > 0.5 * delta_of(mu, 1.0)


def test_dp_accounting_composes_shared_sums_to_no_more_than_the_ledger_says() -> None:
    """Second opinion over 20 sums: the discrete privacy loss, composed numerically; rounded to intervals of 1e-3."""
    number, std, shift, rounds, delta = 5, 2.0, 2, 20, 1e-5
    scale = mpmath.mpf(10) ** DIGITS
    total = sum_of_rounded(std, number)
    middle = len(total) // 2
    seen = total[middle - 60 : middle + 61]  # 13 standard deviations of the sum: beyond lies less than 1e-38
    log = {k: float(mpmath.log(mpmath.mpf(int(p)) / scale)) for k, p in enumerate(seen)}
    moved = {k + shift: value for k, value in log.items()}
    composed = pld.from_two_probability_mass_functions(
        log, moved, value_discretization_interval=1e-3, pessimistic_estimate=False
    ).self_compose(rounds)
    mu = math.sqrt(rounds) * shift / (math.sqrt(number) * std)
    stated = epsilon_of(mu, delta)
    found = composed.get_epsilon_for_delta(delta)
    assert found <= stated
    assert found > 0.9 * stated, "the ledger would overstate, or the second opinion says nothing"
    one_less = epsilon_of(mu * math.sqrt(number / (number + 1)), delta)
    assert found > one_less, "a sixth merchant that is not there would be noticed"


def test_what_is_charged_to_delta_is_rounding_of_every_part_and_aliasing() -> None:
    at = {"noise_share": 8, "epsilon": 2.0}
    smooth = sum_delta(30_000, 150, std=1e5, **at)
    assert smooth == pytest.approx(8 * tail_delta(30_000, 150, epsilon=2.0), rel=1e-12)
    rough = sum_delta(30_000, 150, std=2.0, **at)
    assert rough == pytest.approx(smooth + (1 + math.exp(2.0)) * 30_000 * 150 * aliasing(8, 2.0))
    assert sum_delta(10, 1, std=0.5, **at) == 1
    assert sum_delta(30_000, 150, noise_share=1, std=0.1, epsilon=2.0) == tail_delta(30_000, 150, epsilon=2.0)


@pytest.mark.parametrize("number", [2, 8, MOST_SHARES])
def test_the_guarantee_charges_no_less_than_that(number: int) -> None:
    stated = state_guarantee(0.25, 1e-5, num_coordinates=count_roundings(30_000 * 150, number))
    least = sum_delta(30_000, 150, noise_share=number, std=SMALLEST_STD, epsilon=stated.epsilon)
    assert stated.numerical_delta >= least
    assert aliasing(number, SMALLEST_STD) < MISROUNDED
    assert count_roundings(100, 1) == 100


def test_noise_that_is_too_fine_for_the_lattice_is_not_shared() -> None:
    least = math.ldexp(SMALLEST_STD, -24)
    assert share_noise(2 * least, 4) == least
    with pytest.raises(PrivacyError, match="the least that is smooth on the lattice"):
        share_noise(1.9 * least, 4)
    require_smooth(0.0, 4)
    require_smooth(least / 10, 1)
    for illegal in (0, MOST_SHARES + 1):
        with pytest.raises(PrivacyError, match="is shared by 1 to 1000 merchants"):
            share_noise(14.0, illegal)


def test_the_noise_of_a_plan_is_enough_for_its_rounds_and_hardly_more() -> None:
    terms = {"epsilon": 2.0, "delta": 1e-5, "num_rounds": 50}
    sigma = sum_noise_multiplier_for(num_coordinates=30_000, noise_share=8, **terms)
    spent = 8 * 50 / (share_noise(sigma, 8) ** 2 * 8 * 8)
    left = gaussian_delta(2.0, 1e-5, num_coordinates=50 * count_roundings(30_000, 8))
    assert epsilon_of(math.sqrt(spent), left) <= 2.0
    assert sigma == pytest.approx(14.08, abs=0.05)  # sqrt(50) / .502, as in docs/privacy.md
