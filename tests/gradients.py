"""Gradients and clipping norms from all of the legal range, for tests of the clipping bound; and exact lengths.

Uniform draws hardly ever meet what breaks a bound: numbers near overflow, subnormal ones, coordinates that are much
larger than all others, clipping norms at either end. Here every kind is drawn often.
"""

import math
import sys
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from common.plan.schema import LARGEST_CLIPPING_NORM, SMALLEST_CLIPPING_NORM
from common.privacy.clipping import LARGEST_NORM

ENDS = (SMALLEST_CLIPPING_NORM, math.nextafter(SMALLEST_CLIPPING_NORM, 1), 1.0, LARGEST_CLIPPING_NORM)
# Where float64 rounds otherwise: overflow, the limit of norms, squares that overflow or vanish, the last normal number.
EDGES = (sys.float_info.max, 1e308, LARGEST_NORM, 2.0**511, 2.0**-511, 2.0**-538, sys.float_info.min, 5e-324, 0.0)

clipping_norms = st.sampled_from(ENDS) | st.floats(SMALLEST_CLIPPING_NORM, LARGEST_CLIPPING_NORM)
_shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40).filter(lambda shape: shape[0] <= 4)
_near_edges = st.builds(
    lambda edge, sign, steps: sign * _moved(edge, steps),
    st.sampled_from(EDGES),
    st.sampled_from((-1, 1)),
    st.integers(0, 3),
)
gradients32 = arrays("float32", _shapes, elements=st.floats(width=32))
gradients64 = arrays("float64", _shapes, elements=st.floats() | _near_edges)
at_one_scale = st.builds(  # all coordinates alike, as in a real gradient
    lambda scale, directions: np.ldexp(directions, scale),
    st.integers(-1074, 1023),
    arrays("float64", _shapes, elements=st.floats(-1, 1)),
)
gradients = gradients32 | gradients64 | at_one_scale


def _moved(value: float, steps: int) -> float:
    """Go some floats down from a value that is not negative."""
    for _ in range(steps):
        value = math.nextafter(value, 0.0)
    return value


def exact_squared_norm(row: Sequence[float]) -> Fraction:
    """The squared length of a vector of floats, without rounding."""
    return sum((Fraction(value) ** 2 for value in row), Fraction(0))
