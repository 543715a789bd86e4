"""Which products sold more or less than expected in the last weeks, and since when, of all products together.

What was expected of a product is what the oldest kept forecasts said of these weeks, where there are any; otherwise
what it sold before, at the days on which it could be sold. How far products stray from that by chance is seen on the
weeks before: variance over mean of each, held near that of all, times what weeks carry over; and where these weeks find
all products further astray, they are all taken for less surprising. Of those that are told at most a tenth are chance
on average (Benjamini–Hochberg).

References
----------
Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 1995. Devlin & Roeder, "Genomic control for
association studies", Biometrics 1999: the width of all results as a yardstick of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special, stats

from client.decision.market.place import locate
from client.decision.market.series import Counted
from client.feedback.forecast import Served
from client.feedback.past import Past
from client.feedback.week import lay_said, sum_weeks, whole_weeks

WEEKS, BASE_WEEKS, FEWEST_BASE = 4, 26, 8
FEWEST_PIECES = 5.0  # expected in the weeks that are looked at
FALSE_SHARE = 0.1
OWN_PRIOR = 8.0  # weeks
FREEDOM = 25.0  # of Student's t: the variance of each is itself only estimated, from weeks that hang together
USUAL_WIDTH = 0.6745  # median of a standard normal's size


@dataclass(frozen=True)
class Surprise:
    """A product that sold more or less than expected.

    Attributes
    ----------
    by_forecast
        Whether it was expected by forecasts that are kept; otherwise by what was sold before.
    chance
        How often chance alone strays so far, for this product by itself.
    since, first, last
        The most probable day on which it began, and the interval of nine in ten.
    """

    product: str
    name: str
    expected: float
    sold: float
    by_forecast: bool
    chance: float
    since: date
    first: date
    last: date


@dataclass(frozen=True)
class Surprises:
    """All of them, the most money or pieces first; how many products were looked at, and from which day to which."""

    found: tuple[Surprise, ...]
    looked_at: int
    first: date | None
    last: date | None


def find_surprises(past: Past, counted: Counted, forecasts: Iterable[Served]) -> Surprises:
    """Look at the last whole weeks of every product that sells enough."""
    mondays = whole_weeks(past)
    if len(mondays) < WEEKS + FEWEST_BASE:
        return Surprises((), 0, None, None)
    window, base = mondays[-WEEKS:], mondays[-WEEKS - BASE_WEEKS : -WEEKS]
    part = counted.days * counted.weekday
    sold, could = (sum_weeks(values, past, base) for values in (past.units * counted.days, part))
    rate = sold.sum(axis=1) / np.maximum(could.sum(axis=1), 1e-9)
    now, now_could = (sum_weeks(values, past, window).sum(axis=1) for values in (past.units * counted.days, part))
    expected = rate * now_could
    said = lay_said(past, mondays, forecasts)[:, -WEEKS:].sum(axis=1)
    whole = ~past.out[:, past.column(window[0]) :].any(axis=1)
    by_forecast = np.isfinite(said) & whole
    now = np.where(by_forecast, sum_weeks(past.units, past, window).sum(axis=1), now)
    expected = np.where(by_forecast, said, expected)
    enough = (expected >= FEWEST_PIECES) & (could > 0).any(axis=1) & ((could > 0).sum(axis=1) >= FEWEST_BASE)
    lumps = measure_lumps(sold, could, enough)
    known = np.where(by_forecast, np.inf, sold.sum(axis=1))
    variance = lumps * expected * (1 + expected / np.maximum(known, 1e-9))
    chance = chances(now[enough], expected[enough], variance[enough])
    chosen = np.flatnonzero(enough)[keep_by_share(chance, FALSE_SHARE)]
    odds = np.full(len(past.products), np.nan)
    odds[enough] = chance
    numbers = np.stack([expected, now, odds, lumps], axis=1)
    found = [
        _describe(past, counted, int(row), base[0], numbers[row].tolist(), by_forecast=bool(by_forecast[row]))
        for row in chosen
    ]
    found.sort(key=lambda each: -abs(each.sold - each.expected))
    return Surprises(tuple(found), int(enough.sum()), window[0], window[-1] + timedelta(days=6))


def measure_lumps(
    sold: Float[np.ndarray, "product week"],
    could: Float[np.ndarray, "product week"],
    enough: Bool[np.ndarray, " product"],
) -> Float[np.ndarray, " product"]:
    """Give the variance over the mean of sums of four weeks, of each product held near that of all."""
    rate = sold.sum(axis=1) / np.maximum(could.sum(axis=1), 1e-9)
    mean = rate[:, None] * could
    week, seen = _ratio(sold, mean)
    blocks = sold.shape[1] // WEEKS
    four = [values[:, : blocks * WEEKS].reshape(len(sold), blocks, WEEKS).sum(axis=2) for values in (sold, mean)]
    block, _ = _ratio(*four)
    usual = float(np.median(week[enough])) if enough.any() else 1.0
    carried = float(np.clip(np.median(block[enough] / week[enough]), 1.0, 4.0)) if enough.any() and blocks > 2 else 1.0
    own = (week * seen + usual * OWN_PRIOR) / (seen + OWN_PRIOR)
    return np.asarray(np.maximum(own * carried, 1.0))


def _ratio(
    sold: Float[np.ndarray, "product part"], mean: Float[np.ndarray, "product part"]
) -> tuple[Float[np.ndarray, " product"], Int[np.ndarray, " product"]]:
    there = mean > 0
    squared = np.where(there, (sold - mean) ** 2 / np.where(there, mean, 1.0), 0.0)
    number = np.maximum(there.sum(axis=1) - 1, 1)
    return np.maximum(squared.sum(axis=1) / number, 1.0), number


def chances(
    sold: Float[np.ndarray, " product"], mean: Float[np.ndarray, " product"], variance: Float[np.ndarray, " product"]
) -> Float[np.ndarray, " product"]:
    """Give how often chance strays so far to either side: negative binomial, widened where all stray further."""
    variance = np.maximum(variance, 1.01 * mean)
    size, success = mean**2 / (variance - mean), mean / variance
    below = stats.nbinom.cdf(np.floor(sold), size, success)
    at = stats.nbinom.pmf(np.floor(sold), size, success)
    score = _normal_score(below - at / 2, 1 - below + at / 2)
    width = max(float(np.median(np.abs(score))) / USUAL_WIDTH, 1.0) if len(score) else 1.0
    return np.asarray(2 * stats.t.sf(np.abs(score) / width, FREEDOM))


def _normal_score(lower: np.ndarray, upper: np.ndarray) -> Float[np.ndarray, " product"]:
    """Turn a level into a normal score by its smaller side, which is the exact one."""
    small = np.clip(np.minimum(lower, upper), 1e-300, 0.5)
    return np.where(lower < upper, special.ndtri(small), -special.ndtri(small))


def keep_by_share(chance: Float[np.ndarray, " test"], share: float) -> Int[np.ndarray, " kept"]:
    """Keep as many of the least probable as leave at most a share of them to chance (Benjamini & Hochberg 1995)."""
    if len(chance) == 0:
        return np.zeros(0, dtype=np.int64)
    kept = stats.false_discovery_control(chance) <= share
    return np.flatnonzero(kept)


def _describe(
    past: Past, counted: Counted, row: int, base: date, numbers: list[float], *, by_forecast: bool
) -> Surprise:
    expected, sold, chance, lumps = numbers
    days = counted.days[row]
    begin, end = past.column(base), len(days)
    where = locate(
        past.units[row] * days,
        counted.weekday * days,
        about=end - 7 * WEEKS,
        bounds=(begin, end),
        lumps=lumps,
    )
    since, first, last = (past.first + timedelta(days=day) for day in (where.day, where.first, where.last))
    return Surprise(past.products[row], past.names[row], expected, sold, by_forecast, chance, since, first, last)
