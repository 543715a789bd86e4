"""Noise that merchants share: each adds a part, and the sum of the parts hides everyone's entities.

In a secure sum the coordinator sees the sum alone. So each merchant adds noise of variance σ²C²/h, where h of those in
every sum are honest, and the sum carries σ²C² at least. What is added are rounded Gaussians, and a sum of rounded
Gaussians is no rounded Gaussian. Here is what it is instead, why it costs no more, and what goes to delta.

**Claim.** Let Zᵢ ~ N(0, s²), i = 1…h, in lattice steps, S = Σ round(Zᵢ), and T = round(G + V₂ + … + Vₕ) with
G ~ N(0, h·s²) and Vᵢ uniform on [-½, ½], all independent. The total variation between S and T is at most

    (θ^h - 1) · (√π·s + (h + 1) / (2·√(2πh)·s)) + e^(-π²s²),    θ = Σₖ e^(-π²s²k²) over all integers k.

For an integer x, x + T = round(x + G + V₂ + … + Vₕ): post-processing of x + G, one Gaussian mechanism with variance
h·s². So a sum that h honest merchants are in costs what one Gaussian of their joint variance costs, and the total
variation goes to delta as what lattice and tail do (`common.privacy.tail`). More honest merchants, and
whatever the others add, are added to that independently, hence post-processing too.

**Proof.** P(round(Z) = k) is the density of Z + V at the integer k. Let f(t) = e^(-s²t²/2)·sin(t/2)/(t/2) be the
characteristic function of Z + V. By Poisson summation that of round(Z) is Σₘ f(t + 2πm), that of S its h-th power, and
that of T, whose probabilities are the density of G + V₁ + … + Vₕ at the integers, is Σₘ f(t + 2πm)^h. Multiplied out,
the power is a sum over tuples (m₁, …, mₕ). Those with all mᵢ equal are T; the rest is aliasing. As |sin x| ≤ |x|, the
term of a tuple is at most exp(-s²/2 · Σ(t + 2πmᵢ)²), and with the mean m̄ of the tuple

    Σ(t + 2πmᵢ)² = h·(t + 2πm̄)² + 4π²·Σ(mᵢ - m̄)².

Tuples that differ by a shift of all mᵢ have the same second part; of each such class take the one whose lower median
is 0. At least half of its mᵢ are at most 0 and half at least 0, so Σ(mᵢ - m̄)² = Σ_{i<j}(mᵢ - mⱼ)²/h ≥ Σmᵢ²/2: every
positive mᵢ stands against h/2 that are not, and every negative one likewise. Integrated over |t| ≤ π and summed over
shifts, the first part gives ∫exp(-h·s²u²/2)du = √(2π/h)/s. The probabilities of S and T at any integer therefore differ
by at most Σ_{m ≠ 0} e^(-π²s²Σmᵢ²) / (√(2πh)·s) = (θ^h - 1) / (√(2πh)·s). Take the 2K + 1 integers up to
K = h/2 + √(2h)·π·s². Beyond them lies at most e^(-π²s²) of each of S and T: both are within h/2 of a Gaussian of
variance h·s², which exceeds √(2h)·π·s² so seldom. Half of (2K + 1) such differences, and the tails, is the claim. ∎

A noise of σ = 1 shared by 200 merchants has s of a million steps: e^(-π²s²) is no number that a float has.

References
----------
The rounded Gaussian is sampled exactly in `common.privacy.noise`. P. Kairouz, Z. Liu, T. Steinke, "The distributed
discrete Gaussian mechanism for federated learning with secure aggregation" (2021), arXiv 2102.06387, bounds a sum of
discrete Gaussians instead, by another argument and with a term of the same kind.
"""

from __future__ import annotations

import math

from common.errors import ConfigError, PrivacyError
from common.privacy.accounting import noise_multiplier_for
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER, LATTICE_BITS
from common.privacy.guarantee import gaussian_delta
from common.privacy.tail import tail_delta

SMALLEST_STD = 16.0  # of one merchant's noise in lattice steps: aliasing is below 10⁻¹⁰⁰⁰ from there on
MOST_SHARES = 1000  # for which that is so


def aliasing(noise_share: int, std: float) -> float:
    """Return how far a sum of rounded Gaussians is from the rounding of one, at most: the claim above.

    Parameters
    ----------
    noise_share
        h, of how many the sum is; for one there is nothing to bound.
    std
        Standard deviation s of each, in lattice steps, above 0.

    Returns
    -------
    float
        Total variation, between 0 and 1.
    """
    if noise_share == 1:
        return 0.0
    first = math.exp(-((math.pi * std) ** 2))
    others = 2 * first / (1 - first**3)  # θ - 1, since k² ≥ 1 + 3·(k - 1)
    differences = math.expm1(noise_share * math.log1p(others))
    width = math.sqrt(math.pi) * std + (noise_share + 1) / (2 * math.sqrt(2 * math.pi * noise_share) * std)
    return min(1.0, differences * width + first)


def sum_delta(size: int, num_rounds: int, *, noise_share: int, std: float, epsilon: float) -> float:
    """Return what rounding, tails and aliasing add to delta of sums that `noise_share` honest merchants are in.

    Parameters
    ----------
    size : int
        Coordinates per sum.
    num_rounds : int
        Sums.
    noise_share : int
        h.
    std : float
        Standard deviation of one merchant's noise, in lattice steps.
    epsilon : float
        Epsilon of all sums together.

    Returns
    -------
    float
        (1 + e^epsilon) · size · num_rounds · (h · 2⁻¹⁰⁰ + `aliasing`), at most 1.

    Notes
    -----
    Each of h Gaussians on each coordinate is misrounded with probability 2⁻¹⁰⁰ at most. Coordinates and rounds add up,
    also where what is asked in a round follows from the rounds before.
    """
    far = size * num_rounds * aliasing(noise_share, std)
    return min(1.0, tail_delta(noise_share * size, num_rounds, epsilon=epsilon) + (1 + math.exp(epsilon)) * far)


def count_roundings(num_coordinates: int, noise_share: int) -> int:
    """Return for how many rounded Gaussians numbers of a shared sum are charged, in `common.privacy.guarantee`.

    Guarantee: (1 + e^epsilon) · 2⁻¹⁰⁰ of each is no less than `sum_delta`, for noise that `share_noise` allows: one
    more than there are, for aliasing.
    """
    return num_coordinates * (noise_share + (noise_share > 1))


def share_noise(noise_multiplier: float, noise_share: int) -> float:
    """Return the noise multiplier of one of `noise_share` merchants that bring `noise_multiplier` together.

    Parameters
    ----------
    noise_multiplier
        σ, standard deviation of the noise of the sum in units of the clipping norm.
    noise_share
        h, honest merchants that are in every sum.

    Returns
    -------
    float
        σ / √h.

    Raises
    ------
    PrivacyError
        It is too little to stay smooth on the lattice, or too many would share it.
    """
    if not 1 <= noise_share <= MOST_SHARES:
        raise PrivacyError(f"Noise is shared by 1 to {MOST_SHARES} merchants, not by {noise_share}.")
    own = noise_multiplier / math.sqrt(noise_share)
    require_smooth(own, noise_share)
    return own


def require_smooth(noise_multiplier: float, noise_share: int) -> None:
    """Refuse one merchant's part of a noise that is finer than the lattice can carry; no noise at all is its own case.

    Raises
    ------
    PrivacyError
        It is.
    """
    if noise_share > 1 and 0 < math.ldexp(noise_multiplier, LATTICE_BITS) < SMALLEST_STD:
        raise PrivacyError(
            f"A noise multiplier of {noise_multiplier:.3g} for each of {noise_share} merchants is below "
            f"{math.ldexp(SMALLEST_STD, -LATTICE_BITS):.3g}, the least that is smooth on the lattice; share more noise."
        )


def sum_noise_multiplier_for(
    *, epsilon: float, delta: float, num_rounds: int, num_coordinates: int, noise_share: int
) -> float:
    """Return the noise of the sum that makes `num_rounds` of them (`epsilon`, `delta`)-private together.

    Parameters
    ----------
    num_coordinates
        Numbers in one sum.
    noise_share
        h, honest merchants that are in every sum.

    Returns
    -------
    float
        What `privacy.sum.noise_multiplier` of a plan must be at least; the delta is the smallest of its merchants.

    Raises
    ------
    ConfigError
        A value is not legal, or would need more noise than is legal.
    """
    roundings = num_rounds * count_roundings(num_coordinates, noise_share)
    left = gaussian_delta(epsilon, delta, num_coordinates=roundings)
    sigma = noise_multiplier_for(epsilon=epsilon, delta=left, num_rounds=num_rounds)
    if sigma > LARGEST_NOISE_MULTIPLIER:
        raise ConfigError(f"epsilon is {epsilon}: {num_rounds} rounds would need noise {sigma:.3g}; take fewer rounds.")
    return sigma
