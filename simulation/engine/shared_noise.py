"""What the fast engine takes from a secure sum: the same weight for every entity, and noise that members share.

Each member adds Gaussian noise of variance (σ·C)² / h, where at least h are honest and stay; so the sum of n that all
answer has (σ·C)² · n / h. See docs/privacy.md for the guarantee, `common.secure_sum` for the protocol.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from common.errors import ConfigError
from common.privacy.mechanism import Mechanism
from common.secure_sum.cohort import usual_cohort_terms


def sum_weights(size_classes: Sequence[int]) -> Float[Tensor, " merchant"]:
    """Weigh one entity's clipped gradient at each merchant: every entity counts the same, and no merchant is capped."""
    return torch.full((len(size_classes),), 1.0 / sum(size_classes), dtype=torch.float64)


def shared_noise_std(size_classes: Sequence[int], mechanism: Mechanism, noise_share: int | None = None) -> float:
    """Return the noise's standard deviation on each coordinate of the mean gradient, everyone answering.

    A roster of more than 300 has several sums, each with noise of its own.
    """
    return mechanism.noise_std * math.sqrt(noise_surplus(len(size_classes), noise_share)) / sum(size_classes)


def noise_surplus(num_members: int, noise_share: int | None = None) -> float:
    """Return the variance of the noise of everyone's sum, in units of (σ·C)²; at least 1 for each cohort.

    Parameters
    ----------
    noise_share
        Among how many members of each cohort the noise is shared; as is usual if left out.

    Raises
    ------
    ConfigError
        For one member: its sum is no secret.
    """
    return num_members / (noise_share or usual_share(num_members))


def usual_share(num_members: int) -> int:
    """Return among how many members of each cohort, on the usual terms, the noise is shared.

    Raises
    ------
    ConfigError
        For one member.
    """
    if num_members < 2:
        raise ConfigError("A secure sum hides a merchant among others, and here is one: take a method without _sum.")
    threshold, colluders = usual_cohort_terms(num_members)
    return threshold - colluders
