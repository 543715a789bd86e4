"""What finite precision adds to delta."""

import math

MISROUNDED = 2.0**-100  # probability that a coordinate of the noise is not the ideal one


def tail_delta(size: int, num_rounds: int, *, epsilon: float) -> float:
    """Return what finite precision adds to delta: the lattice nothing, tail and rounding at most this.

    Parameters
    ----------
    size : int
        Coordinates per release.
    num_rounds : int
        Releases.
    epsilon : float
        Epsilon of all releases together.

    Returns
    -------
    float
        (1 + e^epsilon) · size · num_rounds · 2⁻¹⁰⁰; 7e-20 for 30,000 parameters,
        1,000 rounds and epsilon 8, nothing beside a delta of 1e-5.

    Notes
    -----
    Couple each 53-bit uniform with the real number whose first bits it is. By the error bound of `_rounded_pairs`
    in `common.privacy.noise` an accepted integer is the ideal one. A refined one errs in expectation by at most
    17·2⁻³⁰⁹·std ≤ 2⁻²⁶⁴ steps, so by Markov by more than 2⁻¹⁴⁰ with probability below 2⁻¹²⁴, and the
    Gaussian lies within 2⁻¹⁴⁰ of a rounding boundary with probability below 2⁻¹²⁴ for any std above 2⁻¹⁶:
    together below 2⁻¹⁰⁰. Two outputs in total variation t of their ideals keep (epsilon, delta + (1 +
    e^epsilon)·t).

    Assumes that ChaCha20 is indistinguishable from random, and numpy's log, cos and sin within 4 units in
    the last place, as numpy's own tests demand.
    """
    return (1 + math.exp(epsilon)) * size * num_rounds * MISROUNDED
