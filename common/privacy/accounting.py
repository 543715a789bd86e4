"""Gaussian differential privacy in closed form: what a noisy sum costs, in mu, and what mu means in epsilon.

One noisy sum adds 1/σ² to μ². The square is additive over rounds, runs and years, so a ledger is one number;
epsilon at a given delta is read from it exactly, with no bound in between.

References
----------
J. Dong, A. Roth, W. Su, "Gaussian Differential Privacy" (2019), arXiv 1905.02383:
Theorem 2.7 (a Gaussian mechanism is μ-GDP), Corollary 2.13 (μ to epsilon and delta), Corollary 3.3
(composition).
"""

import math
from collections.abc import Callable

from scipy.special import erfcx, ndtr

from common.errors import ConfigError

SMALLEST_MU = 1e-8  # below it the two terms of delta cancel; a smaller mu is charged as this one
ROUNDING_MARGIN = 1e-9  # noise on top of the exact need, so that a ledger's float sum stays under its budget


def delta_of(mu: float, epsilon: float) -> float:
    """Return the smallest delta at which a `mu`-GDP release is (`epsilon`, delta)-private.

    Parameters
    ----------
    mu : float
        Gaussian-DP parameter of everything released, at least 0; infinite without noise.
    epsilon : float
        At least 0 and finite.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ConfigError
        If a value lies outside its legal range.

    Notes
    -----
    delta(ε) = Φ(μ/2 - ε/μ) - e^ε Φ(-μ/2 - ε/μ). Both terms share the factor exp(-(μ/2 - ε/μ)²/2), which is
    taken out, so tiny deltas keep their digits: the relative error is about 1e-14 / μ.

    **Guarantee**

    - Exact for Gaussian mechanisms and their compositions; no smaller delta is true.
    - A positive mu below 1e-8 is charged as 1e-8, hence overstated and never understated.

    References
    ----------
    Dong, Roth & Su (2019), Corollary 2.13.
    """
    _check(mu >= 0, "mu", mu, "at least 0")
    _check(0 <= epsilon < math.inf, "epsilon", epsilon, "at least 0 and finite")
    return math.exp(_log_delta(mu, epsilon))


def epsilon_of(mu: float, delta: float) -> float:
    """Return the smallest epsilon at which a `mu`-GDP release is (epsilon, `delta`)-private.

    Parameters
    ----------
    mu : float
        Gaussian-DP parameter of everything released, at least 0; infinite without noise.
    delta : float
        Strictly between 0 and 1.

    Returns
    -------
    float
        At least 0; infinite if `mu` is.

    Raises
    ------
    ConfigError
        If a value lies outside its legal range.

    Notes
    -----
    **Guarantee**

    - Rounded up: `delta_of(mu, epsilon_of(mu, delta))` is at most `delta`, to 13 digits.

    The search starts below μ²/2 + μ·sqrt(2 ln(1/δ)), where delta(ε) ≤ Φ(-sqrt(2 ln(1/δ))) ≤ δ/2.
    """
    _check(mu >= 0, "mu", mu, "at least 0")
    _check(0 < delta < 1, "delta", delta, "strictly between 0 and 1")
    if math.isinf(mu):
        return math.inf
    if _log_delta(mu, 0.0) <= math.log(delta):
        return 0.0
    private = mu * (mu / 2 + math.sqrt(-2 * math.log(delta))) + SMALLEST_MU * 40
    return _boundary(lambda epsilon: _log_delta(mu, epsilon) <= math.log(delta), private, 0.0)


def mu_of(epsilon: float, delta: float) -> float:
    """Return the largest mu whose release is (`epsilon`, `delta`)-private.

    Parameters
    ----------
    epsilon : float
        At least 0 and finite.
    delta : float
        Strictly between 0 and 1.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ConfigError
        If a value lies outside its legal range.

    Notes
    -----
    **Guarantee**

    - Rounded down: `delta_of(mu_of(epsilon, delta), epsilon)` is at most `delta`, to 13 digits.
    """
    _check(0 <= epsilon < math.inf, "epsilon", epsilon, "at least 0 and finite")
    _check(0 < delta < 1, "delta", delta, "strictly between 0 and 1")
    exposed = 1.0
    while _log_delta(exposed, epsilon) <= math.log(delta):
        exposed *= 2
    return _boundary(lambda mu: _log_delta(mu, epsilon) <= math.log(delta), 0.0, exposed)


def round_mu_squared(noise_multiplier: float) -> float:
    """Return what one noisy sum adds to mu squared: 1/σ², infinite without noise.

    Parameters
    ----------
    noise_multiplier : float
        Standard deviation of the noise in units of the clipping norm, at least 0.

    Returns
    -------
    float
        The cost of one round, to be added up over every round ever run.

    Raises
    ------
    ConfigError
        If `noise_multiplier` is negative or not a number.

    References
    ----------
    Dong, Roth & Su (2019), Theorem 2.7 and Corollary 3.3.
    """
    _check(noise_multiplier >= 0, "noise_multiplier", noise_multiplier, "at least 0")
    if noise_multiplier == 0:
        return math.inf
    return (1 / noise_multiplier) * (1 / noise_multiplier)


def noise_multiplier_for(*, epsilon: float, delta: float, num_rounds: int) -> float:
    """Return the noise multiplier that makes `num_rounds` noisy sums (`epsilon`, `delta`)-private together.

    Parameters
    ----------
    epsilon : float
        Budget of the whole run, above 0.
    delta : float
        Strictly between 0 and 1.
    num_rounds : int
        Noisy sums released, at least 1; more than one local step counts as more rounds.

    Returns
    -------
    float
        sqrt(num_rounds) / mu, with a margin of 1e-9.

    Raises
    ------
    ConfigError
        If a value lies outside its legal range, or asks for more noise than can be accounted for.

    Notes
    -----
    **Guarantee**

    - `round_mu_squared`, added up `num_rounds` times in float64, stays at or below mu², for up to 10⁶ rounds.
    """
    _check(num_rounds >= 1, "num_rounds", num_rounds, "at least 1")
    mu = mu_of(epsilon, delta)
    _check(mu >= SMALLEST_MU, "epsilon", epsilon, f"large enough for a mu of {SMALLEST_MU} at delta {delta}")
    return math.sqrt(num_rounds) / mu * (1 + ROUNDING_MARGIN)


def delta_for(size_class: int) -> float:
    """Return the delta of a ledger: one in a hundred thousand, or a tenth of one entity if that is less.

    Parameters
    ----------
    size_class : int
        Public upper bound on the number of entities, declared by hand, at least 1.

    Returns
    -------
    float
        min(1e-5, 1 / (10 · size_class)).

    Raises
    ------
    ConfigError
        If `size_class` is below 1.
    """
    _check(size_class >= 1, "size_class", size_class, "at least 1")
    return min(1e-5, 1 / (10 * size_class))


def customer_mu(mu: float, products_per_customer: int) -> float:
    """Return what a product plan of `mu` promises to a customer who bought `products_per_customer` products.

    Parameters
    ----------
    mu : float
        Gaussian-DP parameter per product, at least 0.
    products_per_customer : int
        Products that one customer bought, at least 1.

    Returns
    -------
    float
        2 · products_per_customer · mu.

    Raises
    ------
    ConfigError
        If a value lies outside its legal range.

    Notes
    -----
    Without the customer each of those records stays, but changes: its clipped gradient moves by up to 2C,
    where adding or removing a product moves the sum by C. So the sum moves by up to 2·k·C. At delta 1e-5 an
    epsilon of 2 per product is 4.4 for a customer of one product, and 33 for a customer of five.
    """
    _check(mu >= 0, "mu", mu, "at least 0")
    _check(products_per_customer >= 1, "products_per_customer", products_per_customer, "at least 1")
    return 2 * products_per_customer * mu


def _log_delta(mu: float, epsilon: float) -> float:
    """Return log delta(epsilon); increases with mu, decreases with epsilon."""
    if mu == 0:
        return -math.inf
    if math.isinf(mu):
        return 0.0
    mu = max(mu, SMALLEST_MU)
    near, far = mu / 2 - epsilon / mu, mu / 2 + epsilon / mu
    if near > 0:
        delta = float(ndtr(near)) - math.exp(-near * near / 2) * float(erfcx(far / math.sqrt(2))) / 2
        return math.log(delta)
    difference = float(erfcx(-near / math.sqrt(2))) - float(erfcx(far / math.sqrt(2)))
    return -near * near / 2 + math.log(difference / 2) if difference > 0 else -math.inf


def _boundary(is_private: Callable[[float], bool], private: float, exposed: float) -> float:
    """Return the private one of two neighbouring floats between which `is_private` changes."""
    middle = (private + exposed) / 2
    while middle not in (private, exposed):
        private, exposed = (middle, exposed) if is_private(middle) else (private, middle)
        middle = (private + exposed) / 2
    return private


def _check(legal: bool, key: str, value: float | int, legal_range: str) -> None:
    if not legal:
        raise ConfigError(f"{key} is {value}: it must be {legal_range}.")
