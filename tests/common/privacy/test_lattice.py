from fractions import Fraction

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from common.privacy.bound import LATTICE_BITS
from common.privacy.clipping import clip
from common.privacy.lattice import lattice_step, sum_entities, to_real, truncate
from gradients import clipping_norms, gradients


@given(gradients=gradients, clipping_norm=clipping_norms)
@example(gradients=np.array([[1e308]]), clipping_norm=1e-9)  # once 2²⁴ + 3 steps
def test_the_integer_norm_never_exceeds_the_clipping_norm_in_steps(gradients, clipping_norm: float) -> None:
    step = lattice_step(clipping_norm)
    for row in truncate(clip(torch.from_numpy(gradients), clipping_norm), step).tolist():
        assert sum(integer**2 for integer in row) <= 2 ** (2 * LATTICE_BITS)


@given(clipping_norm=st.floats(1e-9, 1e9))
def test_the_step_is_an_exact_fraction_of_the_clipping_norm(clipping_norm: float) -> None:
    assert Fraction(lattice_step(clipping_norm)) * 2**LATTICE_BITS == Fraction(clipping_norm)


# Origin: worked by hand.
def test_truncation_goes_toward_zero_on_both_sides() -> None:
    values = torch.tensor([[0.99, -0.99, 1.5, -1.5, 0.0]], dtype=torch.float64)
    assert truncate(values, 0.5).tolist() == [[1, -1, 3, -3, 0]]


@given(values=arrays("float64", (3, 4), elements=st.floats(-1e3, 1e3)))
def test_truncation_moves_no_coordinate_by_a_full_step(values) -> None:
    values = torch.from_numpy(values)
    moved = values - truncate(values, 2.0**-10) * 2.0**-10
    assert moved.abs().max() < 2.0**-10


def test_a_million_of_the_largest_entities_and_the_largest_noise_fit() -> None:
    largest_sum, largest_noise = 10**6 * 2**LATTICE_BITS, 40 * 10**4 * 2**LATTICE_BITS
    assert largest_sum + largest_noise < 2**53  # exact in float64, far inside int64


def test_integers_beyond_float_precision_add_up_exactly() -> None:
    assert sum_entities(torch.tensor([[2**60], [1], [-(2**60)]])).tolist() == [1]


def test_the_sum_over_nobody_is_zero() -> None:
    assert sum_entities(torch.empty(0, 3, dtype=torch.int64)).tolist() == [0, 0, 0]


def test_integers_return_to_real_units() -> None:
    assert to_real(torch.tensor([3, -2]), 0.25).tolist() == [0.75, -0.5]
