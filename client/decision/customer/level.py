"""How lively the shop's customers are in all, now and in the time ahead: one number that moves with the season.

BG/NBD knows no seasons. How far it missed at a past day, in log odds for all customers together, is the level of that
time; what it will be is foreseen from the level of the last weeks and from how it moved a year ago from those weeks to
the time ahead. One year's move is a poor witness of the next one's, so half of it is believed beforehand, and most of
the last level; the shop's own past then moves both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

SPREAD = 0.5  # of levels beforehand, in log odds: a small shop's level is near 0
KEPT, SEASONAL = 0.8, 0.5  # shares of the last level and of last year's move that are believed beforehand
WORTH = 1.0  # what that belief weighs, in squared log odds
LEAST_ERROR, FEW_ERROR = 0.05, 0.3
STEPS = 30
YEAR = 364


@dataclass(frozen=True)
class Level:
    """The level that is foreseen, and how far such foresight was off, in log odds."""

    value: float
    error: float


def measure_level(chance: Float[np.ndarray, " some"], bought: np.ndarray) -> float:
    """Say by how much log odds must move so that as many buy as bought; near 0 where few customers tell."""
    odds, seen, move = logit(chance), float(bought.sum()), 0.0
    for _ in range(STEPS):
        told = expit(odds + move)
        slope = float((told * (1 - told)).sum()) + SPREAD**-2
        step = (seen - float(told.sum()) - move / SPREAD**2) / slope
        move += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-9:
            break
    return move


def foresee(
    last: Float[np.ndarray, " past"],
    season: Float[np.ndarray, " past"],
    seen: Float[np.ndarray, " past"],
    now: tuple[float, float],
) -> Level:
    """Foresee a level from past ones.

    Parameters
    ----------
    last, season
        At past days: the level of the weeks before, and last year's move from such weeks to the time then ahead.
    seen
        The levels that then came.
    now
        Last level and last year's move as they are now.
    """
    signs = np.stack([last, season], axis=1).reshape(-1, 2)
    belief = np.array([KEPT, SEASONAL])
    shares = np.linalg.solve(signs.T @ signs + WORTH * np.eye(2), signs.T @ seen + WORTH * belief)
    missed = seen - signs @ shares
    squares = (float((missed**2).sum()) + 2 * FEW_ERROR**2) / (len(seen) + 2)
    return Level(float(np.dot(shares, now)), max(float(np.sqrt(squares)), LEAST_ERROR))
