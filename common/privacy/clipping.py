"""Bound what one entity can do to the sum: one norm over all parameters, taken in float64.

Why no entity is longer than C, in exact arithmetic
---------------------------------------------------
Let u = 2⁻⁵³, d ≤ 2²² - 8 the number of parameters, 2⁻³⁰ < C < 2³⁰ the clipping norm, g one entity's gradient, T its
true norm, and fl(·) what float64 gives: (1 + δ) times the true value with |δ| ≤ u, and where the true value is below
2⁻¹⁰²², within 2⁻¹⁰²² of it, even where a device flushes such numbers to zero.

1. **The norm N.** In any order, with or without scaling, N ≥ T·(1 - (d+2)u) as long as no square is below 2⁻¹⁰²². Those
   that are take at most d·2⁻¹⁰²² from the sum of squares. Where T ≥ C/2 > 2⁻³¹ that is less than 2⁻⁹³⁰ of it, which the
   2 in d+2 holds many times over. Where T < C/2 nothing has to be shown: no factor is above 1.
2. **The bound B** = fl(C·(1 - 2⁻³⁰)) ≤ C·(1 - 2⁻³⁰)·(1 + u); the number in brackets is exact.
3. **The factor f** = fl(B / max(N, B)). Where N ≤ B it is 1, exactly. An entity with N > 2⁵¹² counts as nobody, as does
   one whose N is infinite or no number: f = 0. Else B/N > 2⁻³¹ / 2⁵¹² = 2⁻⁵⁴³ is a normal number: f ≤ B/N·(1 + u).
   **Without that limit f could be below 2⁻¹⁰²², where rounding errs by any share**: 1e308 became 1.0000002 C.
4. **The product c** = fl(g·f), by coordinate: |c| ≤ |g|·f·(1 + u) + 2⁻¹⁰⁷⁵, since only rounding to a subnormal number
   errs upwards. So ‖c‖ ≤ T·f·(1 + u) + 2⁻¹⁰⁶⁴.

Together ‖c‖ ≤ C·(1 - 2⁻³⁰)·(1 + u)³ / (1 - (d+2)u) + 2⁻¹⁰⁶⁴. As (d+6)u ≤ 2⁻³¹ - 2u, that is below **C·(1 - 2⁻³¹)**.

5. **The lattice** (`common.privacy.lattice`). Its step C·2⁻²⁴ is exact. A quotient of at least 1 is a normal number and
   |fl(c/step)| ≤ |c|/step·(1 + u); a smaller one becomes 0; truncating makes none longer. So the integers' norm is
   below 2²⁴·(1 - 2⁻³¹)·(1 + u) < 2²⁴, which is C in steps.

6. **The compiled kernel** (`client.round.fused`) takes N, B and f alike, with N from the float32 gradient. It divides f
   by the step and multiplies once: as many roundings as in points 4 and 5. A rule's factor r is part of f there,
   fl(r·fl(B / max(fl(N·r), B))): that errs upwards by three roundings more, and for the at most 2²⁰ parameters that
   the kernel takes (d+9)u < 2⁻³² leaves room for a million of them.

A clipping rule comes before all this: what it makes of a gradient is g here, whatever it is (`clipping_rule`). A finite
float32 gradient has T < 2¹³⁹, so the limit of 2⁵¹² never touches it. `make test-clipping` looks for a counterexample.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from common.errors import ConfigError, PrivacyError
from common.plan.schema import LARGEST_CLIPPING_NORM, SMALLEST_CLIPPING_NORM
from common.privacy.bound import LARGEST_MODEL

LARGEST_NORM = 2.0**512  # above it an entity counts as nobody: its factor could be too small to be exact
ROUNDING_MARGIN = 2.0**-30  # of the clipping norm, kept free for the rounding of norm, factor, product, quotient


def clip(gradients: Float[Tensor, "entity parameter"], clipping_norm: float) -> Float64[Tensor, "entity parameter"]:
    """Scale each entity's gradient down until its L2 norm is at most `clipping_norm`.

    Parameters
    ----------
    gradients : Float[Tensor, "entity parameter"]
        One flat gradient per entity over all trained parameters jointly, in any float type.
    clipping_norm : float
        Largest L2 norm of one entity's contribution, from 1e-9 to 1e9.

    Returns
    -------
    Float64[Tensor, "entity parameter"]
        The same directions, none longer than `clipping_norm`.

    Raises
    ------
    ConfigError
        If `clipping_norm` lies outside its legal range.
    PrivacyError
        If there are more parameters than the bound is proven for.

    Notes
    -----
    **Guarantee**

    - Adding or removing one entity moves the sum over entities by at most `clipping_norm` in L2.
    - An entity whose gradient is not finite, or whose norm in float64 is above 2⁵¹², contributes zero. Any finite
      float32 gradient has a norm below that and keeps its direction.
    - The bound C holds in exact arithmetic for up to `LARGEST_MODEL` parameters; more are refused. The proof stands
      at the head of this module; it leaves 2⁻³¹ of C for the quotient in `truncate`.
    """
    require_model_size(gradients.shape[1])
    norms = torch.linalg.vector_norm(gradients, dim=1, dtype=torch.float64)
    clipped = gradients.double() * clip_factors(norms, clipping_norm)[:, None]
    return torch.where(torch.isfinite(norms)[:, None], clipped, 0.0)  # 0 · inf would be NaN


def clip_factors(norms: Float64[Tensor, " entity"], clipping_norm: float) -> Float64[Tensor, " entity"]:
    """Return the factor of each entity: at most 1, and 0 where the norm is above 2⁵¹² or no number.

    Parameters
    ----------
    norms : Float64[Tensor, " entity"]
        L2 norm of each entity's gradient over all trained parameters jointly.
    clipping_norm : float
        Largest L2 norm of one entity's contribution, from 1e-9 to 1e9.

    Returns
    -------
    Float64[Tensor, " entity"]
        Factors that bring every norm to `clipping_norm`, less the rounding margin of 2⁻³⁰, or below.

    Raises
    ------
    ConfigError
        If `clipping_norm` lies outside its legal range.
    """
    check_clipping_norm(clipping_norm)
    bound = clipping_norm * (1 - ROUNDING_MARGIN)
    return torch.where(norms <= LARGEST_NORM, bound / norms.clamp(min=bound), 0.0)  # false for NaN


def check_clipping_norm(clipping_norm: float) -> None:
    """Refuse a clipping norm outside its legal range with a ConfigError."""
    if not SMALLEST_CLIPPING_NORM <= clipping_norm <= LARGEST_CLIPPING_NORM:
        raise ConfigError(
            f"clipping_norm is {clipping_norm}: "
            f"it must lie between {SMALLEST_CLIPPING_NORM} and {LARGEST_CLIPPING_NORM}."
        )


def require_model_size(num_parameters: int) -> None:
    """Refuse a model for which the bound of `clip` is not proven.

    Raises
    ------
    PrivacyError
        It has more parameters than `LARGEST_MODEL`.
    """
    if num_parameters > LARGEST_MODEL:
        raise PrivacyError(
            f"The model would have {num_parameters:,} parameters, the bound on what one entity contributes is proven "
            f"for up to {LARGEST_MODEL:,}; make model.hidden_size or model.decoder_size smaller."
        )
