"""Bound what one entity can do to the sum: one norm over all parameters, taken in float64."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from common.errors import ConfigError, PrivacyError

LARGEST_MODEL = 2**22 - 8  # parameters up to which the bound of `clip` is proven
SMALLEST_CLIPPING_NORM, LARGEST_CLIPPING_NORM = 1e-9, 1e9
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
    - An entity whose gradient, or whose norm in float64, is not finite contributes zero. Any finite float32
      gradient has a finite norm in float64 and keeps its direction.
    - The bound C holds in exact arithmetic for up to `LARGEST_MODEL` parameters; more are refused. With u = 2⁻⁵³,
      the computed norm is at least (1 - (d+2)u) times the true one, factor and product add 4u, hence the true norm
      of the result is at most C·(1 - 2⁻³⁰)·(1 + (d+6)u) < C·(1 - 2⁻³¹) for d ≤ 2²² - 8; what is left covers the
      quotient in `truncate`.
    """
    require_model_size(gradients.shape[1])
    norms = torch.linalg.vector_norm(gradients, dim=1, dtype=torch.float64)
    clipped = gradients.double() * clip_factors(norms, clipping_norm)[:, None]
    return torch.where(torch.isfinite(norms)[:, None], clipped, 0.0)  # 0 · inf would be NaN


def clip_factors(norms: Float64[Tensor, " entity"], clipping_norm: float) -> Float64[Tensor, " entity"]:
    """Return the factor of each entity: at most 1, and 0 where the norm is not finite.

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
    return torch.where(torch.isfinite(norms), bound / norms.clamp(min=bound), 0.0)


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
