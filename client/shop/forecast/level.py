"""Put the level right of products with little past, by what came of such products before.

Whoever was first sold yesterday is seen at its busiest, and a mean of one day says too much. How much too much was seen
at past origins, of all products that were then as new, or as rare; they are too few each to be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from client.shop.forecast.life import State

PUT_RIGHT: tuple[State, ...] = ("new", "rare")
PRIOR_PIECES = 20.0  # of demand that are as it was said
BOUNDS = 0.1, 3.0


def measure_levels(
    served: Float[np.ndarray, "origin product day"],
    actual: Float[np.ndarray, "origin product day"],
    counted: Bool[np.ndarray, "origin product day"],
    states: Sequence[Sequence[State]],
) -> dict[State, float]:
    """Give the factor of each state: what was sold over what was said, on past horizons.

    Parameters
    ----------
    states
        Of every product at each past origin.
    """
    return {state: _factor(served, actual, counted, np.array(states) == state) for state in PUT_RIGHT}


def _factor(served: np.ndarray, actual: np.ndarray, counted: np.ndarray, there: np.ndarray) -> float:
    days = counted & there[:, :, None]
    said, sold = float(served[days].sum()), float(np.minimum(actual[days], _most(actual[days])).sum())
    return float(np.clip((sold + PRIOR_PIECES) / (said + PRIOR_PIECES), *BOUNDS))


def _most(actual: np.ndarray) -> float:
    """Give the most that one day may add, so that no single order decides."""
    sold = actual[actual > 0]
    return float(np.quantile(sold, 0.99)) if len(sold) else 0.0


def put_right(
    mean: Float[np.ndarray, "product day"], states: Sequence[State], levels: Mapping[State, float]
) -> Float[np.ndarray, "product day"]:
    """Multiply every product's means by the factor of its state; zero where it is gone or was never sold."""
    factors = {**dict.fromkeys(states, 1.0), **levels, "gone": 0.0, "never sold": 0.0}
    right: np.ndarray = mean * np.array([factors[state] for state in states])[:, None]
    return right
