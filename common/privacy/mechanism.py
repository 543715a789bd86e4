"""The one place where data becomes a message: clip, move to the lattice, sum, add noise.

The object that runs is the object that is accounted: the sensitivity comes from the clipping norm that was
applied, and there is no argument to say otherwise.
"""

import math
from dataclasses import dataclass, field

from jaxtyping import Float, Float64, Int64
from torch import Tensor

from common.errors import ConfigError, PrivacyError
from common.privacy.accounting import round_mu_squared
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER, LATTICE_BITS
from common.privacy.clipping import check_clipping_norm, clip
from common.privacy.clipping_rule import ClippingRule, apply_rule
from common.privacy.lattice import lattice_step, sum_entities, truncate
from common.privacy.noise import NoiseSource

UNCLIPPED_STEP = 2.0**-30  # the lattice of a plan without privacy
UNCLIPPED_NORM = 2.0**12  # its bound per entity: keeps the sum of a million entities below 2⁶²


@dataclass(frozen=True)
class Mechanism:
    """A Gaussian sum query over entities.

    Parameters
    ----------
    clipping_norm : float or None
        Largest L2 norm of one entity's contribution, from 1e-9 to 1e9; None for no privacy at all.
    noise_multiplier : float
        Standard deviation of the noise in units of the clipping norm, from 0 to 10⁴.
    rule : ClippingRule or None
        What is done to an entity's gradient before it is clipped; None for nothing. Whatever it does, clipping comes
        after it, so sensitivity and noise are the same for every rule.

    Raises
    ------
    ConfigError
        If a value lies outside its legal range.
    PrivacyError
        If noise is asked for without clipping.

    Notes
    -----
    **Guarantee**

    - `release` of the summed `contribution` of all entities is (1 / noise_multiplier)-GDP under adding or
      removing one entity: in lattice steps the sum moves by at most 2²⁴ and the Gaussian's standard
      deviation is noise_multiplier · 2²⁴.
    - Contributions of chunks of entities add up to the contribution of them all, exactly, in any order.
    - An entity whose gradient is not finite contributes zero, an empty data set the zero vector.
    - Without clipping_norm nothing is promised; the lattice step is 2⁻³⁰, and an entity's norm is bounded by
      4096 so that integers cannot overflow.

    References
    ----------
    Dong, Roth & Su (2019), Theorem 2.7.
    """

    clipping_norm: float | None
    noise_multiplier: float
    rule: ClippingRule | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not 0 <= self.noise_multiplier <= LARGEST_NOISE_MULTIPLIER:
            raise ConfigError(
                f"noise_multiplier is {self.noise_multiplier}: it must lie between 0 and {LARGEST_NOISE_MULTIPLIER}."
            )
        if self.clipping_norm is not None:
            check_clipping_norm(self.clipping_norm)
        elif self.noise_multiplier > 0:
            raise PrivacyError("noise without clipping hides nothing: set clipping_norm, or no noise_multiplier.")

    @property
    def lattice_step(self) -> float:
        """Width of the lattice, in units of the gradient."""
        return UNCLIPPED_STEP if self.clipping_norm is None else lattice_step(self.clipping_norm)

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise on each coordinate of the sum, in units of the gradient."""
        return 0.0 if self.clipping_norm is None else self.noise_multiplier * self.clipping_norm

    @property
    def mu_squared(self) -> float:
        """What one release adds to mu squared; infinite without noise."""
        return round_mu_squared(self.noise_multiplier)

    def contribution(self, gradients: Float[Tensor, "entity parameter"]) -> Int64[Tensor, " parameter"]:
        """Return the exact clipped sum over a chunk of entities, in lattice steps.

        Parameters
        ----------
        gradients : Float[Tensor, "entity parameter"]
            One flat gradient per entity over all trained parameters jointly.

        Returns
        -------
        Int64[Tensor, " parameter"]
            Still private data: it leaves only through `release`.
        """
        return sum_entities(truncate(self.clip(gradients), self.lattice_step))

    def clip(self, gradients: Float[Tensor, "entity parameter"]) -> Float64[Tensor, "entity parameter"]:
        """Bound each entity's gradient, after the rule has scaled it: what is summed for an entity."""
        if self.clipping_norm is None:
            return clip(gradients, UNCLIPPED_NORM)
        if self.rule is not None:
            gradients = apply_rule(gradients, self.clipping_norm, self.rule)
        return clip(gradients, self.clipping_norm)

    def release(self, total: Int64[Tensor, " parameter"], noise: NoiseSource) -> Int64[Tensor, " parameter"]:
        """Add the noise to the sum over all entities of one merchant; what returns may leave.

        Parameters
        ----------
        total : Int64[Tensor, " parameter"]
            Contributions of all chunks, added up, in lattice steps.
        noise : NoiseSource
            Asked once; each call costs `mu_squared`.

        Returns
        -------
        Int64[Tensor, " parameter"]
            In lattice steps, on the device of `total`.
        """
        std = math.ldexp(self.noise_multiplier, LATTICE_BITS)
        return total + noise.integers(total.numel(), std).to(total.device)
