"""Put the level and the width right of products with little past, by what came of such products before.

Whoever was first sold yesterday is seen at its busiest: a mean of one day says too much, and nobody knows how far it
errs. How much too much was seen at past origins, of all products that were then as new, or as rare; they are too few
each to be told apart. Where a shop had none, what other shops showed holds. Then `birth` moves what is served of the
young ones towards how the shop's births before them sold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from client.shop.forecast.life import State

PUT_RIGHT: tuple[State, ...] = ("newborn", "new", "rare")
USUAL_LEVEL: Mapping[State, float] = {"newborn": 0.8, "new": 0.7, "rare": 0.4}
USUAL_WIDTH: Mapping[State, float] = {"newborn": 2.0, "new": 1.5, "rare": 2.0}  # of the variance
PRIOR_PIECES, PRIOR_PRODUCTS = 50.0, 10.0  # that the usual level and width are worth
LEVELS, WIDTHS = (0.05, 3.0), (1.0, 20.0)
LARGEST_MISS = 30.0  # of one product, in units of its variance as a Poisson count
NOTHING: tuple[State, ...] = ("gone", "never sold")


@dataclass(frozen=True)
class Levels:
    """Factors by state: on the mean, and on the variance."""

    level: Mapping[State, float]
    width: Mapping[State, float]

    def widths_of(self, states: Sequence[State]) -> Float[np.ndarray, " product"]:
        """Give each product's factor on the variance."""
        return np.array([self.width.get(state, 1.0) for state in states])


def measure_levels(
    served: Float[np.ndarray, "past product day"],
    actual: Float[np.ndarray, "past product day"],
    counted: Bool[np.ndarray, "past product day"],
    states: Sequence[Sequence[State]],
) -> dict[State, float]:
    """Measure the factors on the mean on past horizons.

    Parameters
    ----------
    states
        Of every product at each past origin.
    """
    told = np.array(states, dtype=object).reshape(counted.shape[:2])
    said, sold = (served * counted).sum(axis=2), (actual * counted).sum(axis=2)
    return {state: _level(said[told == state], sold[told == state], state) for state in PUT_RIGHT}


def measure_widths(
    served: Float[np.ndarray, "past product day"],
    actual: Float[np.ndarray, "past product day"],
    counted: Bool[np.ndarray, "past product day"],
    states: Sequence[Sequence[State]],
) -> dict[State, float]:
    """Measure the factors on the variance, on past horizons and means whose level is right."""
    told = np.array(states, dtype=object).reshape(counted.shape[:2])
    said, sold = (served * counted).sum(axis=2), (actual * counted).sum(axis=2)
    misses = _misses(said, sold)
    plain = misses[(told == "sold") & (said > 0)]
    usual = float(plain.mean()) if len(plain) else 0.0
    return {state: _width(misses[(told == state) & (said > 0)], usual, state) for state in PUT_RIGHT}


def _level(said: np.ndarray, sold: np.ndarray, state: State) -> float:
    most = np.quantile(sold, 0.99) if len(sold) else 0.0  # no single order decides
    pieces = float(np.minimum(sold, most).sum()) + PRIOR_PIECES * USUAL_LEVEL[state]
    return float(np.clip(pieces / (float(said.sum()) + PRIOR_PIECES), *LEVELS))


def _misses(said: np.ndarray, sold: np.ndarray) -> np.ndarray:
    """Give squared relative misses, which no product of few pieces dominates."""
    return np.minimum((sold - said) ** 2 / (said + said**2 + 1e-6), LARGEST_MISS)


def _width(misses: np.ndarray, usual: float, state: State) -> float:
    """Give how much larger the misses are than those of products with a past, near the usual where there are few."""
    seen = misses.sum() / usual if usual > 0 else 0.0
    number = len(misses) if usual > 0 else 0
    return float(np.clip((seen + PRIOR_PRODUCTS * USUAL_WIDTH[state]) / (number + PRIOR_PRODUCTS), *WIDTHS))


def put_right(
    mean: Float[np.ndarray, "product day"], states: Sequence[State], level: Mapping[State, float]
) -> Float[np.ndarray, "product day"]:
    """Multiply every product's means by the factor of its state; zero where it is gone or was never sold."""
    factors = [0.0 if state in NOTHING else level.get(state, 1.0) for state in states]
    right: np.ndarray = mean * np.array(factors)[:, None]
    return right
