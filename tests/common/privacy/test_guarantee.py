import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError
from common.privacy.accounting import delta_of, epsilon_of, mu_of, round_mu_squared
from common.privacy.guarantee import mu_within, noise_multiplier_in_release, state_guarantee, worst_participant
from common.privacy.tail import tail_delta
from common.privacy.weight import merchant_weights

merchants = st.lists(st.tuples(st.integers(1, 10**5), st.floats(0.5, 100.0)), min_size=2, max_size=12)


def influences_of(size_classes, noise_multipliers, *, cap: float = 0.25) -> list[float]:
    weights = merchant_weights(size_classes, noise_multipliers, cap=cap).tolist()
    return [weight / size for weight, size in zip(weights, size_classes, strict=True)]


def test_what_lattice_and_tail_add_is_added_to_the_stated_delta() -> None:
    stated = state_guarantee(0.25, 1e-5, num_coordinates=30_000 * 1000)
    assert stated.epsilon == epsilon_of(0.5, 1e-5)
    assert stated.numerical_delta == pytest.approx(tail_delta(30_000, 1000, epsilon=stated.epsilon), rel=1e-12)
    assert stated.delta > 1e-5
    assert stated.delta >= 1e-5 + stated.numerical_delta


def test_nothing_released_adds_nothing() -> None:
    stated = state_guarantee(0.0, 1e-5, num_coordinates=0)
    assert (stated.mu, stated.epsilon, stated.delta, stated.numerical_delta) == (0.0, 0.0, 1e-5, 0.0)


def test_without_noise_epsilon_is_infinite_and_with_hardly_any_delta_is_one() -> None:
    assert state_guarantee(math.inf, 1e-5, num_coordinates=10).epsilon == math.inf
    assert state_guarantee(1e4, 1e-5, num_coordinates=10).delta == 1.0


@given(epsilon=st.floats(0.1, 20.0), rounds=st.integers(1, 10**5), size=st.integers(1, 10**5))
def test_a_budget_leaves_room_for_what_finite_precision_adds(epsilon: float, rounds: int, size: int) -> None:
    mu = mu_within(epsilon, 1e-5, num_coordinates=rounds * size)
    assert mu <= mu_of(epsilon, 1e-5)
    assert delta_of(mu, epsilon) + tail_delta(size, rounds, epsilon=epsilon) <= 1e-5 * (1 + 1e-12)


def test_an_epsilon_at_which_delta_means_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="epsilon is 80"):
        mu_within(80.0, 1e-5, num_coordinates=10**6)


# Origin: worked by hand; the noise of the other adds as much, so σ·√2; who knows its own is left with σ.
def test_two_equal_merchants_hide_each_other() -> None:
    influences = influences_of([100, 100], [3.0, 3.0])
    assert noise_multiplier_in_release(influences, [3.0, 3.0], own=0) == pytest.approx(3 * math.sqrt(2))
    assert noise_multiplier_in_release(influences, [3.0, 3.0], own=0, known=1) == pytest.approx(3.0)


# Origin: worked by hand: influences 1 and 1/2, noises 2 and 4 → sqrt(4 + 4) = 2.83 before the first, twice that before
# the second, in units of what its entity moves.
def test_the_less_a_merchant_counts_the_better_it_is_hidden() -> None:
    assert noise_multiplier_in_release([1.0, 0.5], [2.0, 4.0], own=0) == pytest.approx(2 * math.sqrt(2))
    assert noise_multiplier_in_release([1.0, 0.5], [2.0, 4.0], own=1) == pytest.approx(4 * math.sqrt(2))


@given(merchants=merchants, data=st.data())
def test_released_models_tell_no_more_than_the_message_and_an_outsider_least(merchants, data) -> None:
    sizes, sigmas = zip(*merchants, strict=True)
    influences = influences_of(sizes, sigmas)
    own = data.draw(st.integers(0, len(sizes) - 1))
    participant = worst_participant(influences, sigmas, own=own)
    outside = noise_multiplier_in_release(influences, sigmas, own=own)
    inside = [
        noise_multiplier_in_release(influences, sigmas, own=own, known=other)
        for other in range(len(sizes))
        if other != own
    ]
    known = noise_multiplier_in_release(influences, sigmas, own=own, known=participant)
    assert known == pytest.approx(min(inside), rel=1e-12)
    assert sigmas[own] * (1 - 1e-12) <= known <= outside


# False alarm 1e-9 for either: 200,000 draws of the aggregate's noise, its variance within 2 %.
@pytest.mark.parametrize("known", [None, 1])
def test_the_formula_is_the_noise_of_the_weighted_mean_that_the_server_takes(known: int | None) -> None:
    sizes, sigmas = [64, 256, 32], [2.0, 5.0, 1.0]
    influences = influences_of(sizes, sigmas, cap=0.5)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 200_000, generator=generator, dtype=torch.float64) * torch.tensor(sigmas)[:, None]
    if known is not None:
        noise[known] = 0
    spread = float((torch.tensor(influences, dtype=torch.float64) @ noise).std()) / influences[0]
    assert noise_multiplier_in_release(influences, sigmas, own=0, known=known) == pytest.approx(spread, rel=0.01)


def test_a_merchant_alone_is_hidden_by_its_own_noise() -> None:
    influences = influences_of([50], [7.0])
    assert worst_participant(influences, [7.0], own=0) is None
    sigma = noise_multiplier_in_release(influences, [7.0], own=0)
    assert round_mu_squared(sigma) == pytest.approx(round_mu_squared(7.0))
