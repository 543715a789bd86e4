"""From the merchants' sums to one update: public weights, capped, and a mean that needs one sum at a time.

No Flower here: integers come in, one vector goes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from common.errors import ConfigError, MessageError
from common.privacy.lattice import to_real
from common.privacy.mechanism import UNCLIPPED_NORM, Mechanism
from common.privacy.weight import merchant_weights

NORM_SLACK = 5.0  # in noise_std beyond the expected norm of the noise


@dataclass(frozen=True)
class Terms:
    """What is public about a merchant since its enrolment.

    Parameters
    ----------
    size_class
        Upper bound on its entities, declared by hand; the denominator of its sum.
    mechanism
        Its clipping norm and noise multiplier, hence the lattice of its sum.

    Raises
    ------
    ConfigError
        If `size_class` is below 1.
    """

    size_class: int
    mechanism: Mechanism

    def __post_init__(self) -> None:
        if self.size_class < 1:
            raise ConfigError(f"size_class is {self.size_class}: it must be at least 1.")


def norm_bound(terms: Terms, *, size: int) -> float:
    """Return the largest L2 norm that an honest sum over `size` parameters has, in units of the gradient.

    Notes
    -----
    size_class·C + σ·C·(√size + 5). The norm of the noise lies above σ·C·(√size + t) with a probability of at
    most exp(-t²/2) (Gaussian concentration of a 1-Lipschitz function): 4e-6 at t = 5, for a sum at its very
    bound. A merchant with more entities than its size class has no such promise.
    """
    clipping_norm = terms.mechanism.clipping_norm
    entity_norm = UNCLIPPED_NORM if clipping_norm is None else clipping_norm
    return terms.size_class * entity_norm + terms.mechanism.noise_std * (math.sqrt(size) + NORM_SLACK)


def check_norm(total: Int64[Tensor, " parameter"], terms: Terms) -> None:
    """Refuse a sum that no honest merchant of these terms sends.

    Raises
    ------
    MessageError
        If its norm is above `norm_bound`.
    """
    norm = float(torch.linalg.vector_norm(to_real(total, terms.mechanism.lattice_step)))
    bound = norm_bound(terms, size=len(total))
    if not norm <= bound:
        raise MessageError(f"A sum has norm {norm:.6g}, its terms allow {bound:.6g}; check its mechanism.")


def combine(
    totals: Mapping[int, Int64[Tensor, " parameter"]], cohort: Mapping[int, Terms], *, cap: float
) -> Float64[Tensor, " parameter"]:
    """Turn the sums of those who answered into one weighted mean gradient.

    Each sum is taken off its lattice and divided by its merchant's size class. Weights are worked out anew
    among those who answered: they sum to 1 again, an absent merchant's share goes to the others in
    proportion, and the cap is `cap` or an equal share among those present. So a step has its usual length and
    more noise. No weight depends on what an answer says.

    Parameters
    ----------
    totals
        The sum of each merchant that answered, at least one.
    cohort
        The terms of these merchants, and of others.
    cap
        Largest weight of one merchant.

    Returns
    -------
    Float64[Tensor, " parameter"]
        In units of the gradient of one entity.

    Raises
    ------
    MessageError
        If sums differ in length, or there is none.
    """
    if not totals:
        raise MessageError("No sum arrived; a mean needs at least one.")
    present = [cohort[node_id] for node_id in totals]
    sigmas = [terms.mechanism.noise_multiplier for terms in present]
    weights = merchant_weights([terms.size_class for terms in present], sigmas, cap=cap).tolist()
    updates = (
        (weight / terms.size_class, to_real(total, terms.mechanism.lattice_step))
        for weight, terms, total in zip(weights, present, totals.values(), strict=True)
    )
    return aggregate(updates, size=len(next(iter(totals.values()))))


def aggregate(
    updates: Iterable[tuple[float, Float[Tensor, " parameter"]]], *, size: int
) -> Float[Tensor, " parameter"]:
    """Add up weight times update, one at a time; memory does not grow with the number of merchants.

    Raises
    ------
    MessageError
        An update has another length or is not finite.
    """
    total = torch.zeros(size, dtype=torch.float64)
    for weight, update in updates:
        if update.shape != total.shape or not bool(torch.isfinite(update).all()):
            raise MessageError(
                f"An update has shape {tuple(update.shape)} or is not finite; it must have {size} numbers."
            )
        total.add_(update.double(), alpha=weight)
    return total
