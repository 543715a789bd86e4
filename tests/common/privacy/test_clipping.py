import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import ConfigError
from common.plan.schema import LARGEST_CLIPPING_NORM, SMALLEST_CLIPPING_NORM, PrivacyPlan
from common.privacy.clipping import LARGEST_NORM, clip, clip_factors
from gradients import clipping_norms, exact_squared_norm, gradients, gradients32


# The examples: a factor below the last normal number errs by any share of it.
@given(gradients=gradients, clipping_norm=clipping_norms)
@example(gradients=np.array([[1.79769299e308]]), clipping_norm=1e-9)
@example(gradients=np.array([[1e308]]), clipping_norm=1e-9)
@example(gradients=np.array([[1.7e308], [-1e300]]), clipping_norm=1e9)
def test_no_entity_is_longer_than_the_clipping_norm_in_exact_arithmetic(gradients, clipping_norm: float) -> None:
    for row in clip(torch.from_numpy(gradients), clipping_norm).tolist():
        assert exact_squared_norm(row) < (Fraction(clipping_norm) * (1 - Fraction(1, 2**31))) ** 2


@pytest.mark.parametrize("clipping_norm", [SMALLEST_CLIPPING_NORM, 1.0, LARGEST_CLIPPING_NORM])
def test_a_norm_up_to_the_limit_is_clipped_and_one_above_it_counts_as_nobody(clipping_norm: float) -> None:
    norms = [LARGEST_NORM, float(np.nextafter(LARGEST_NORM, np.inf)), sys.float_info.max]
    lengths = clip(torch.tensor(norms, dtype=torch.float64)[:, None], clipping_norm)[:, 0].tolist()
    assert lengths[0] == pytest.approx(clipping_norm, rel=1e-8)
    assert lengths[1:] == [0.0, 0.0]


@pytest.mark.parametrize("bad", [1e-300, 9.9e-10, 1.1e9, 1e300])
def test_a_plan_may_name_no_clipping_norm_that_nothing_is_proven_for(bad: float) -> None:
    with pytest.raises(ValueError, match="clipping_norm"):
        PrivacyPlan(unit="customer", clipping_norm=bad)


@given(gradients=gradients32, clipping_norm=clipping_norms)
def test_exactly_the_entities_that_are_not_finite_contribute_zero(gradients, clipping_norm: float) -> None:
    gradients = torch.from_numpy(gradients)
    finite = torch.isfinite(gradients).all(dim=1)
    clipped = clip(gradients, clipping_norm)
    assert torch.equal(clipped[~finite], torch.zeros_like(clipped[~finite]))
    lengths = gradients[finite].double().norm(dim=1)
    torch.testing.assert_close(clipped[finite].norm(dim=1), lengths.clamp(max=clipping_norm), rtol=1e-8, atol=1e-300)


@given(
    seed=st.integers(0, 2**31),
    entities=st.integers(0, 5),
    scale=st.floats(1e-3, 1e6),
    clipping_norm=st.floats(1e-3, 1e3),
)
def test_adding_an_entity_moves_the_sum_by_at_most_the_clipping_norm(
    seed: int, entities: int, scale: float, clipping_norm: float
) -> None:
    gradients = scale * torch.randn(entities + 1, 50, generator=torch.Generator().manual_seed(seed))
    shift = clip(gradients, clipping_norm).sum(dim=0) - clip(gradients[:-1], clipping_norm).sum(dim=0)
    assert shift.norm() <= clipping_norm * (1 + 1e-12)  # the float sum rounds; integers are in test_mechanism


# Origin: worked by hand; a 3-4-5 triangle.
def test_a_long_gradient_is_scaled_and_a_short_one_kept() -> None:
    clipped = clip(torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]), 1.0)
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(clipped, expected, rtol=0, atol=2e-8)


def test_a_finite_giant_whose_square_overflows_is_clipped_and_keeps_its_direction() -> None:
    clipped = clip(torch.tensor([[1e38, -1e38], [3e38, 0.0]]), 2.0)
    expected = torch.tensor([[2**0.5, -(2**0.5)], [2.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(clipped, expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_coordinate_zeroes_its_entity_and_no_other(bad: float) -> None:
    clipped = clip(torch.tensor([[bad, 1.0], [0.5, 0.0]]), 1.0)
    assert clipped.tolist() == [[0.0, 0.0], [0.5, 0.0]]


# Gram matrices in float32 lose this norm entirely (privacy.md no. 23).
def test_a_short_gradient_beside_giants_is_measured_on_its_own() -> None:
    gradients = torch.full((2, 10_000), 1e-4)
    gradients[0] = 1e15
    lengths = clip(gradients, 1.0).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 0.01], dtype=torch.float64), rtol=1e-6, atol=0)


def test_nobody_clips_to_nobody() -> None:
    assert clip(torch.empty(0, 7), 1.0).shape == (0, 7)


def test_factors_shrink_the_long_zero_the_infinite_and_keep_the_short() -> None:
    norms = torch.tensor([0.0, 0.5, 4.0, float("inf"), float("nan")], dtype=torch.float64)
    expected = torch.tensor([1.0, 1.0, 0.25, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(clip_factors(norms, 1.0), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("bad", [0.0, -1.0, 1e-10, 1e10, float("nan"), float("inf")])
def test_a_clipping_norm_out_of_range_is_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match=r"clipping_norm is .* between 1e-09 and"):
        clip(torch.zeros(1, 1), bad)
