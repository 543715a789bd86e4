"""Live through one horizon with what several methods forecast of it: what joining saves, or costs, as stock.

A method's days ahead are added up over the days that an order covers: means, and variances as if days were apart. Days
hang together, so a level of service asked for is not the one that comes out; but methods are compared where they serve
the same share of demand, whatever level that takes, and all by the same rule. A shelf begins as usual: what is usually
sold between two reviews is on its way. A forecast from the horizon's first day serves all its reviews.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special

from client.decision.stock.cost import StockCosts
from client.decision.stock.frontier import Ledger, Point, Saving, keep_ledger, measure_saving, read_point
from client.decision.stock.level import SERVICE_LEVELS
from client.decision.stock.shelf import live
from client.decision.stock.walk import Rhythm
from client.shop.forecast.spread import guess_spread
from common.forecast.metric import Forecast

NORMAL_SQUARES = 0.598  # mean square of a standard normal's nine quantiles from 10 % to 90 %
SMALLEST = 1e-9
RESAMPLES = 1000


@dataclass(frozen=True)
class Joining:
    """What joining was worth as stock.

    Attributes
    ----------
    method, against
        What rests on the federation, and the cheapest of the merchant's own, chosen in hindsight.
    points
        Both, where they serve `fill_rate`.
    reason
        Why there is no saving to tell, in half a sentence; "" where there is one.
    """

    method: str
    against: str
    fill_rate: float
    rhythm: Rhythm
    currency: str
    points: dict[str, Point]
    saving: Saving | None
    reason: str = ""


def is_long_enough(horizon_days: int, bucket_days: int, rhythm: Rhythm) -> bool:
    """Whether a horizon of days has room for two reviews and what they order."""
    return bucket_days == 1 and horizon_days >= rhythm.window_days + rhythm.review_days


def keep_horizon(
    forecast: Forecast,
    actual: Float[np.ndarray, "product day"],
    counted: Bool[np.ndarray, "product day"],
    costs: StockCosts,
    rhythm: Rhythm,
    *,
    counts: bool,
) -> Ledger:
    """Live through a horizon at every service level, and write down what it cost.

    Parameters
    ----------
    counted
        Days that were open, and of which it is known what was wanted; on others nothing is.
    """
    every, window = rhythm.review_days, rhythm.window_days
    reviews = np.arange(0, actual.shape[1] - window + 1, every)
    mean, variance = _describe(forecast, counts=counts)
    levels = np.stack([_levels(mean, variance, day, window, counts=counts) for day in reviews.tolist()], axis=-1)
    cycles_after = (actual.shape[1] - int(reviews[-1])) // every
    usual = mean[:, :every].sum(axis=1)
    flow = live(
        (actual * counted).astype(np.float64),
        levels,
        reviews,
        lead_days=rhythm.lead_days,
        usual=np.broadcast_to(usual, levels.shape[:-1]),
        cycles_after=cycles_after,
    )
    return keep_ledger(flow, costs, cycle_days=every)


def _describe(forecast: Forecast, *, counts: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and variance of each day; of a method without a distribution the variance that is usual in shops."""
    mean = np.maximum(forecast.mean, 0.0)
    if forecast.quantiles is None:
        return mean, guess_spread(counts=counts).variance(mean)
    squares = ((forecast.quantiles - mean[:, :, None]) ** 2).mean(axis=2) / NORMAL_SQUARES
    return mean, np.maximum(squares, mean if counts else SMALLEST)


def _levels(
    mean: np.ndarray, variance: np.ndarray, day: int, window: int, *, counts: bool
) -> Float[np.ndarray, "level product"]:
    """Give quantiles of a gamma law with the mean and variance of the days from `day` on."""
    total, spread = (np.maximum(part[:, day : day + window].sum(axis=1), SMALLEST) for part in (mean, variance))
    level = special.gammaincinv(total**2 / spread, np.array(SERVICE_LEVELS)[:, None]) * spread / total
    return np.ceil(level - 1e-6) if counts else level


def measure_joining(
    joint: Mapping[str, Ledger],
    own: Mapping[str, Ledger],
    *,
    fill_rate: float,
    rhythm: Rhythm,
    currency: str,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Joining:
    """Hold the first of `joint` against the cheapest of `own`, where both serve `fill_rate` of demand."""
    method = next(iter(joint))
    ledgers = {**own, method: joint[method]}
    if joint[method].wanted.sum() <= 0:
        return Joining(method, "", fill_rate, rhythm, currency, {}, None, "nothing was wanted in these days")
    found = {name: read_point(ledger, SERVICE_LEVELS, fill_rate=fill_rate) for name, ledger in ledgers.items()}
    points = {name: point for name, point in found.items() if point is not None}
    alone = {name: point.cost for name, point in points.items() if name != method}
    if method not in points or not alone:
        who = method if method not in points else "any method of your own"
        reason = f"at none of the levels of stock that were tried {who} serves just {fill_rate:.0%} of demand"
        return Joining(method, "", fill_rate, rhythm, currency, points, None, reason)
    against = min(alone, key=lambda name: alone[name])
    saving = measure_saving(
        joint[method],
        own[against],
        fill_rate=fill_rate,
        resamples=resamples,
        generator=np.random.default_rng(seed),
    )
    return Joining(
        method, against, fill_rate, rhythm, currency, {name: points[name] for name in (method, against)}, saving
    )


def join_ledgers(ledgers: list[tuple[Int[np.ndarray, " product"], Ledger]], num_products: int) -> Ledger:
    """Put horizons side by side, a block each; products take part where they are there.

    Parameters
    ----------
    ledgers
        Of each horizon, with the place of each of its products among all.
    """

    def lay(name: str) -> np.ndarray:
        blocks = []
        for places, ledger in ledgers:
            part = getattr(ledger, name)
            whole = np.zeros((*part.shape[:-2], num_products, 1))
            whole[..., places, :] = part.sum(axis=-1, keepdims=True)
            blocks.append(whole)
        return np.concatenate(blocks, axis=-1)

    days = sum(ledger.days for _, ledger in ledgers)
    return Ledger(lay("cost"), lay("served"), lay("wanted"), lay("held"), days)
