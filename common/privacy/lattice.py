"""The public integer lattice on which contributions are summed: integers add up exactly, in any order.

The step is a public constant of the plan, so no low-order bit of a message can carry data (Mironov 2012),
and the sensitivity of the sum is a statement about integers, not about floats.

Headroom: at 24 bits an entity's integer norm is at most 2²⁴. A million entities sum to at most 2⁴⁴, noise
with a multiplier of 10⁴ has a standard deviation of 2³⁷·³ and stays below 2⁴² except with probability
10⁻¹⁴⁰; both are far below 2⁶³, and below 2⁵³, so that float64 holds them too. The step is 6e-8 of the
clipping norm: at 30,000 parameters a typical coordinate of a clipped gradient still has 16 bits.

References
----------
I. Mironov, "On significance of the least significant bits for differential privacy" (2012).
"""

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from common.privacy.bound import LATTICE_BITS


def lattice_step(clipping_norm: float) -> float:
    """Return the width of the public lattice, an exact binary fraction of the clipping norm."""
    return math.ldexp(clipping_norm, -LATTICE_BITS)


def truncate(clipped: Float64[Tensor, "entity parameter"], step: float) -> Int64[Tensor, "entity parameter"]:
    """Move every coordinate to the lattice, toward zero: rounding could make a vector longer.

    Guarantee: for the output of `clip`, the integer norm is at most clipping_norm / step, exactly; point 5 of the
    proof in `common.privacy.clipping`.
    """
    return (clipped / step).to(torch.int64)  # the cast drops the fraction


def sum_entities(integers: Int64[Tensor, "entity parameter"]) -> Int64[Tensor, " parameter"]:
    """Add up entities exactly; no entity at all gives the zero vector."""
    return integers.sum(dim=0)


def to_real(integers: Int64[Tensor, " parameter"], step: float) -> Float64[Tensor, " parameter"]:
    """Return what the integers stand for, in units of the gradient."""
    return integers.double() * step
