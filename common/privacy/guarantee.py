"""What was spent, said in words that mean something: epsilon and delta, for whoever may be looking.

A merchant's message is one noisy sum a round. Three kinds of onlookers see different things of it:

1. Everyone else colludes, coordinator included. They see the message itself, and only the merchant's own noise
   stands before its entities: mu² = rounds / σ². This is the promise where a merchant trusts nobody.
2. The coordinator, and at most c colluders, see only the secure sum of all messages, which h honest merchants are in
   at least, each with noise σ: mu² = rounds / (h·σ²), see `common.privacy.shared_noise`. Where a plan shares its noise
   this is the promise, and the ledger keeps an account of either, each with a budget. Where it does not: "absent".
3. Someone sees only the released models. They follow from Σ aᵢ·messageᵢ with the public influences
   aᵢ = weightᵢ / size classᵢ, so every merchant's noise stands before this one's entities:
   mu² = rounds · aₘ² / Σ aᵢ²σᵢ². Another participant k knows its own noise and takes it off: the sum leaves out k.

The third assumes an honest coordinator and that everyone answered; and it takes a weighted sum of rounded
Gaussians for a Gaussian, which holds to what float32 models can show. It informs, and is no promise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import ConfigError
from common.privacy.accounting import epsilon_of, mu_of
from common.privacy.tail import tail_delta

LARGEST_EXPONENT = 700.0  # beyond it e^epsilon is no float, and the guarantee nothing


@dataclass(frozen=True)
class Guarantee:
    """(`epsilon`, `delta`)-differential privacy of real, finite-precision releases.

    Attributes
    ----------
    mu
        The Gaussian-DP parameter of the ideal mechanism; infinite without noise.
    epsilon
        At the account's delta, exactly; infinite without noise.
    delta
        The account's delta and `numerical_delta` together.
    numerical_delta
        What lattice and floating tail of the noise add.
    """

    mu: float
    epsilon: float
    delta: float
    numerical_delta: float


def state_guarantee(mu_squared: float, delta: float, *, num_coordinates: int) -> Guarantee:
    """Say what a sum of spends guarantees.

    Parameters
    ----------
    mu_squared
        All spends together.
    delta
        The account's, fixed when it was opened.
    num_coordinates
        Numbers released so far: the parameters of every round, added up; of a shared sum its
        `common.privacy.shared_noise.count_roundings`.

    Returns
    -------
    Guarantee
        Its delta is rounded up.
    """
    mu = math.sqrt(mu_squared)
    epsilon = epsilon_of(mu, delta)
    numerical = _numerical_delta(epsilon, num_coordinates)
    stated = delta if numerical == 0 else min(1.0, math.nextafter(delta + numerical, 1.0))
    return Guarantee(mu, epsilon, stated, numerical)


def mu_within(epsilon: float, delta: float, *, num_coordinates: int) -> float:
    """Return the largest mu that keeps (`epsilon`, `delta`), what finite precision adds included."""
    return mu_of(epsilon, gaussian_delta(epsilon, delta, num_coordinates=num_coordinates))


def gaussian_delta(epsilon: float, delta: float, *, num_coordinates: int) -> float:
    """Return what finite precision leaves of `delta` to the ideal mechanism.

    Raises
    ------
    ConfigError
        If finite precision alone takes all of it, as it does at an epsilon that promises nothing.
    """
    left = delta - _numerical_delta(epsilon, num_coordinates)
    if left <= 0:
        raise ConfigError(f"epsilon is {epsilon}: too large for a delta of {delta} to mean anything; lower it.")
    return left


def noise_multiplier_in_release(
    influences: Sequence[float], noise_multipliers: Sequence[float], *, own: int, known: int | None = None
) -> float:
    """Return the noise before one merchant's entities in the released models, in units of what one entity moves them.

    Parameters
    ----------
    influences
        aᵢ of every merchant: its weight over its size class.
    noise_multipliers
        σᵢ of every merchant.
    own
        Whose entities are looked at.
    known
        The participant who looks and takes off its own noise; None for an outsider.

    Returns
    -------
    float
        sqrt(Σ aᵢ²σᵢ²) / a_own, over everyone but `known`.
    """
    hidden = math.fsum(
        (influence * sigma) ** 2
        for number, (influence, sigma) in enumerate(zip(influences, noise_multipliers, strict=True))
        if number != known
    )
    return math.sqrt(hidden) / influences[own]


def worst_participant(influences: Sequence[float], noise_multipliers: Sequence[float], *, own: int) -> int | None:
    """Return the other participant whose own noise hides most of what is hidden; None where there is no other."""
    others = [number for number in range(len(influences)) if number != own]
    return max(others, key=lambda number: influences[number] * noise_multipliers[number], default=None)


def _numerical_delta(epsilon: float, num_coordinates: int) -> float:
    if num_coordinates == 0 or math.isinf(epsilon):
        return 0.0
    if epsilon > LARGEST_EXPONENT:
        return 1.0
    return min(1.0, tail_delta(num_coordinates, 1, epsilon=epsilon))
