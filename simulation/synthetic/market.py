"""Invented shops whose market is known: steady, with carry-over, growing, or with a step of known size and day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float

from client.feedback.past import Past

START = date(2023, 1, 2)  # a Monday
WEEKDAYS = np.array([0.9, 0.8, 0.9, 1.0, 1.4, 2.0, 0.0])  # closed on Sundays


@dataclass(frozen=True)
class MarketWorld:
    """What an invented shop sells.

    Attributes
    ----------
    pieces
        Of the whole shop, in a usual week.
    lumps
        Variance over mean of a product's day.
    common, carry
        Standard deviation of what weeks have in common, as a share, and what of it is carried over to the next week.
    growth
        Of a month, as a share.
    step, step_day
        Factor from that day on; 1 for none.
    out
        Share of days on which a product is out of stock, unknown to nobody.
    """

    weeks: int
    pieces: float
    products: int = 5
    lumps: float = 3.0
    common: float = 0.05
    carry: float = 0.0
    growth: float = 0.0
    step: float = 1.0
    step_day: int = 0
    out: float = 0.0


def draw_past(world: MarketWorld, generator: np.random.Generator) -> Past:
    """Draw what was sold: negative binomial counts of each product and day."""
    days = 7 * world.weeks
    day = np.arange(days)
    level = np.exp(world.common * draw_common(world.weeks, world.carry, generator) - world.common**2 / 2)
    pace = level[day // 7] * (1 + world.growth) ** (day / 30.4) * np.where(day >= world.step_day, world.step, 1.0)
    share = generator.dirichlet(np.full(world.products, 5.0))
    mean = world.pieces * share[:, None] * (WEEKDAYS / WEEKDAYS.sum())[day % 7] * pace
    units = draw_lumps(mean, world.lumps, generator)
    out = generator.random(mean.shape) < world.out
    names = tuple(f"P{number:04d}" for number in range(world.products))
    return Past(
        first=START,
        products=names,
        names=names,
        category=("",) * world.products,
        units=np.where(out, 0.0, units).astype(np.float32),
        out=out,
        open=day % 7 != 6,
        price=np.full(world.products, np.nan),
    )


def draw_common(weeks: int, carry: float, generator: np.random.Generator) -> Float[np.ndarray, " week"]:
    """Draw standard normal weeks of which a part is carried over."""
    fresh = generator.standard_normal(weeks)
    for week in range(1, weeks):
        fresh[week] = carry * fresh[week - 1] + np.sqrt(1 - carry**2) * fresh[week]
    return fresh


def draw_lumps(mean: np.ndarray, lumps: float, generator: np.random.Generator) -> np.ndarray:
    """Draw counts of a mean that vary so many times as much as Poisson counts."""
    drawn = np.zeros(mean.shape)
    some = mean > 0
    drawn[some] = generator.negative_binomial(mean[some] / (lumps - 1), 1 / lumps)
    return drawn
