"""Stock that runs out: what was for sale on each day, and so what was sold of what was wanted.

Stock is drawn from the day's true rate and from chance, never from the day's demand. So the days on which demand
reaches it are busy ones, and a day sold out says that demand was at least the stock, which is all that anybody sees.
Where demand is rare a whole piece is already more than enough; there the shelf is empty on some days from the morning
on, so that the share of days out of stock is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator
from scipy import stats

MONEY_DEVIATION = 0.3  # of the logarithm of a day's money
MONEY_SCALE = 100.0  # money per unit of the rate


@dataclass(frozen=True)
class Sales:
    """What was wanted and what was sold.

    Attributes
    ----------
    out
        Whether demand reached the stock.
    """

    demand: Float[np.ndarray, " row"]
    sold: Float[np.ndarray, " row"]
    out: Bool[np.ndarray, " row"]


def sell_counts(
    demand: Float[np.ndarray, " row"],
    rate: Float[np.ndarray, " row"],
    generator: Generator,
    *,
    dispersion: float,
    share: float,
) -> Sales:
    """Sell pieces from a stock that runs out on a share of the days."""
    chance = _chances(len(rate), generator, share)
    law = stats.nbinom(dispersion, dispersion / (dispersion + rate))
    stock = np.maximum(law.isf(chance) + 1, 1.0)  # the smallest that demand reaches with at most this chance
    reached = law.sf(stock - 1)
    empty = generator.random(len(rate)) < np.maximum(chance - reached, 0) / np.maximum(1 - reached, 1e-12)
    return _sell(demand, np.where(empty, 0.0, stock))


def sell_money(rate: Float[np.ndarray, " row"], generator: Generator, *, share: float) -> Sales:
    """Draw amounts of money, log-normal around the rate, and sell them from a stock that runs out."""
    mean = np.log(MONEY_SCALE * rate) - MONEY_DEVIATION**2 / 2
    demand = np.exp(mean + MONEY_DEVIATION * generator.standard_normal(len(rate)))
    chance = _chances(len(rate), generator, share)
    return _sell(demand, np.exp(mean + MONEY_DEVIATION * stats.norm.isf(chance)))


def _chances(size: int, generator: Generator, share: float) -> Float[np.ndarray, " row"]:
    """Draw with what chance each day's stock is reached: `share` on average, and never quite 0."""
    return np.clip(2 * share * generator.random(size), 1e-9, 1 - 1e-9)


def _sell(demand: Float[np.ndarray, " row"], stock: Float[np.ndarray, " row"]) -> Sales:
    return Sales(demand, np.minimum(demand, stock), demand >= stock)
