"""What a plan may do to an entity's gradient before it is clipped: scale it by a function of its own length.

A rule proposes, `clip` disposes: the mechanism clips whatever a rule gives, so no rule, right or wrong, can make one
entity's contribution longer than the clipping norm. What a rule has to keep is that a factor depends on that entity's
own norm and on nothing else; the audit's replay of neighbours (`client/audit/replay.py`) looks whether it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from common.errors import ConfigError
from common.plan.schema import ClippingRuleName


@runtime_checkable  # beartype looks at arguments under pytest
class ClippingRule(Protocol):
    """Scale each entity's gradient by a function of its own norm, before it is clipped."""

    def factors(self, norms: Float64[Tensor, " entity"], clipping_norm: float) -> Float64[Tensor, " entity"]:
        """Return the factor of each entity; one that is not finite makes its entity count as nobody."""


@dataclass(frozen=True)
class Automatic:
    """Bring every gradient near the clipping norm: C / (norm + stability), so that C needs no search.

    Parameters
    ----------
    stability
        The length of a gradient that is brought to half the clipping norm; above 0. Shorter ones count for less.

    Raises
    ------
    ConfigError
        If `stability` is not above 0: then gradients that are nothing but rounding would count in full.

    Notes
    -----
    A short gradient is made longer: entities that are forecast well already weigh as much as those that are not. That
    moves the optimum, so compare both rules on public or synthetic data before choosing this one.

    **Guarantee.** The scaled norm is C · norm / (norm + stability) < C; where rounding leaves it above, `clip` takes
    it back. So the sensitivity is that of `clip`, C, and the same noise pays for it.

    References
    ----------
    Bu, Wang, Zha & Karypis 2022 (arXiv 2206.07136), AUTO-S with R = C.
    """

    stability: float = 0.01

    def __post_init__(self) -> None:
        if not self.stability > 0:
            raise ConfigError(f"stability is {self.stability}: it must be above 0.")

    def factors(self, norms: Float64[Tensor, " entity"], clipping_norm: float) -> Float64[Tensor, " entity"]:
        """Return C / (norm + stability) of each entity."""
        return clipping_norm / (norms + self.stability)


def clipping_rule(name: ClippingRuleName) -> ClippingRule | None:
    """Give the rule that a plan names; None where gradients are clipped and not scaled before."""
    return Automatic() if name == "automatic" else None


def apply_rule(
    gradients: Float[Tensor, "entity parameter"], clipping_norm: float, rule: ClippingRule
) -> Float64[Tensor, "entity parameter"]:
    """Scale each entity's gradient as the rule says; the result still has to be clipped."""
    norms = torch.linalg.vector_norm(gradients, dim=1, dtype=torch.float64)
    return gradients.double() * rule.factors(norms, clipping_norm)[:, None]
