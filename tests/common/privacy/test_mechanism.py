import inspect
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from common.errors import ConfigError, PrivacyError
from common.privacy.accounting import epsilon_of, noise_multiplier_for
from common.privacy.bound import LATTICE_BITS
from common.privacy.lattice import to_real
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise

BOUND = 2**LATTICE_BITS  # the clipping norm in lattice steps
gradients = arrays(
    "float32", array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6), elements=st.floats(width=32)
)


def exact_norm_at_most(integers: torch.Tensor, bound: int) -> bool:
    return sum(integer**2 for integer in integers.tolist()) <= bound**2


@given(gradients=gradients, clipping_norm=st.floats(1e-9, 1e9), data=st.data())
def test_one_entity_more_or_less_moves_the_sum_by_at_most_the_clipping_norm(
    gradients, clipping_norm: float, data
) -> None:
    gradients = torch.from_numpy(gradients)
    left_out = data.draw(st.integers(0, len(gradients) - 1))
    kept = torch.arange(len(gradients)) != left_out
    mechanism = Mechanism(clipping_norm=clipping_norm, noise_multiplier=1.0)
    shift = mechanism.contribution(gradients) - mechanism.contribution(gradients[kept])
    assert exact_norm_at_most(shift, BOUND)


@pytest.mark.parametrize("planted", [0.0, 1e-45, 1.0, 16.0, 1e38, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("row", [0, -1])
def test_whatever_one_entity_holds_the_sum_moves_by_at_most_the_clipping_norm(planted: float, row: int) -> None:
    gradients = torch.randn(20, 300, generator=torch.Generator().manual_seed(1))
    gradients[row] = planted
    mechanism = Mechanism(clipping_norm=1.0, noise_multiplier=1.0)
    without = torch.cat([gradients[1:]] if row == 0 else [gradients[:-1]])
    assert exact_norm_at_most(mechanism.contribution(gradients) - mechanism.contribution(without), BOUND)


@given(gradients=gradients, clipping_norm=st.none() | st.floats(1e-9, 1e9), data=st.data())
def test_chunks_add_up_to_the_whole_in_any_order(gradients, clipping_norm: float | None, data) -> None:
    gradients = torch.from_numpy(gradients)
    mechanism = Mechanism(clipping_norm=clipping_norm, noise_multiplier=0.0)
    order = data.draw(st.permutations(range(len(gradients))))
    cut = data.draw(st.integers(0, len(gradients)))
    shuffled = gradients[order]
    chunks = mechanism.contribution(shuffled[:cut]) + mechanism.contribution(shuffled[cut:])
    assert torch.equal(chunks, mechanism.contribution(gradients))


# Origin: worked by hand; (0.6, 0.8) and (0.5, 0), in steps of 2^-24.
def test_the_sum_is_that_of_clipped_gradients() -> None:
    mechanism = Mechanism(clipping_norm=1.0, noise_multiplier=1.0)
    total = mechanism.contribution(torch.tensor([[3.0, 4.0], [0.5, 0.0], [math.nan, 0.0]]))
    expected = torch.tensor([1.1, 0.8], dtype=torch.float64)
    torch.testing.assert_close(to_real(total, mechanism.lattice_step), expected, rtol=0, atol=3 * 2.0**-24)


def test_nobody_contributes_the_zero_vector() -> None:
    assert Mechanism(clipping_norm=1.0, noise_multiplier=1.0).contribution(torch.empty(0, 3)).tolist() == [
        0,
        0,
        0,
    ]


# False alarm 1e-9: chi-square; the message itself, not the noise source, is measured.
@pytest.mark.parametrize(("clipping_norm", "noise_multiplier"), [(1.0, 1.0), (0.3, 26.4), (1e-9, 1e4)])
def test_a_released_sum_carries_exactly_the_noise_that_is_accounted(
    clipping_norm: float, noise_multiplier: float
) -> None:
    mechanism = Mechanism(clipping_norm=clipping_norm, noise_multiplier=noise_multiplier)
    count = 200_000
    released = mechanism.release(torch.zeros(count, dtype=torch.int64), SecureNoise())
    spread = float(((to_real(released, mechanism.lattice_step) / mechanism.noise_std) ** 2).sum())
    low, high = stats.chi2.ppf([0.5e-9, 1 - 0.5e-9], df=count)
    assert low < spread < high
    assert mechanism.noise_std == noise_multiplier * clipping_norm


# False alarm 2·Φ(-7) = 2.6e-12 per coordinate.
def test_noise_is_added_to_the_sum_and_not_in_its_place() -> None:
    mechanism = Mechanism(clipping_norm=1.0, noise_multiplier=2.0)
    total = torch.tensor([10**9, -(10**9), 0])
    error = to_real(mechanism.release(total, SecureNoise()) - total, mechanism.lattice_step)
    assert error.abs().max() < 7 * 2.0
    assert total.tolist() == [10**9, -(10**9), 0]


def test_without_noise_the_sum_is_released_as_it_is() -> None:
    total = torch.tensor([1, -2])
    assert torch.equal(Mechanism(clipping_norm=1.0, noise_multiplier=0.0).release(total, SecureNoise()), total)


def test_the_mechanism_that_runs_costs_what_the_plan_budgeted() -> None:
    noise_multiplier = noise_multiplier_for(epsilon=2.0, delta=1e-5, num_rounds=50)
    mechanism = Mechanism(clipping_norm=0.7, noise_multiplier=noise_multiplier)
    assert epsilon_of(math.sqrt(50 * mechanism.mu_squared), 1e-5) == pytest.approx(2.0, rel=1e-6)


def test_without_privacy_gradients_pass_unclipped_and_the_cost_is_infinite() -> None:
    mechanism = Mechanism(clipping_norm=None, noise_multiplier=0.0)
    gradients = torch.tensor([[300.0, -400.0], [math.inf, 0.0], [0.25, 0.0]])
    released = mechanism.release(mechanism.contribution(gradients), SecureNoise())
    assert to_real(released, mechanism.lattice_step).tolist() == [300.25, -400.0]
    assert mechanism.lattice_step == 2.0**-30
    assert mechanism.noise_std == 0
    assert mechanism.mu_squared == math.inf


def test_without_privacy_a_million_giants_cannot_overflow() -> None:
    giant = Mechanism(clipping_norm=None, noise_multiplier=0.0).contribution(torch.tensor([[3e38]]))
    assert 0 < int(giant) * 10**6 < 2**62


@pytest.mark.parametrize(
    ("clipping_norm", "noise_multiplier"),
    [(0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, -1.0), (1.0, math.nan), (1.0, 1e5)],
)
def test_illegal_settings_are_refused(clipping_norm: float, noise_multiplier: float) -> None:
    with pytest.raises(ConfigError, match=r"(clipping_norm|noise_multiplier) is .* must lie between"):
        Mechanism(clipping_norm=clipping_norm, noise_multiplier=noise_multiplier)


def test_noise_without_clipping_is_refused() -> None:
    with pytest.raises(PrivacyError, match="set clipping_norm"):
        Mechanism(clipping_norm=None, noise_multiplier=1.0)


def test_nobody_can_hand_in_a_sensitivity() -> None:
    # a rule is none: tests/common/privacy/test_clipping_rule.py
    assert list(inspect.signature(Mechanism).parameters) == ["clipping_norm", "noise_multiplier", "rule"]
    assert list(inspect.signature(Mechanism.release).parameters) == ["self", "total", "noise"]
