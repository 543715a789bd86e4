"""What speaks against reading a response as cause: three tests, each with its reason and its rate of false alarms.

Prices that moved for reasons that also move demand make association differ from cause. No test can show that there is
no such reason: an owner who looks out of the window and sets the price of that same day leaves no trace. What leaves
one:

- **Demand moves before the price does.** A price cannot act before it is set. Where this week's demand, beside this
  week's own price, still goes with the price of the next two weeks, something moved both: a price that follows sales,
  or customers who knew of it. The coefficient of the coming price is found as the own response is, and pooled over
  products with the shop's weeks as what is independent.
- **The price follows the season.** Prices of each category are held against what the calendar alone would have sold,
  and against the same with prices shifted around the year by whole weeks. Prices that were set without regard to the
  season fit no better in their place than shifted.
- **Large orders pay less.** Within one day a line of more pieces of the same product pays less each: then the price
  follows the quantity. Only shops whose sales are lines of orders tell.

The first two sound a false alarm in `FALSE_ALARMS / 2` of shops each whose prices were set at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from client.decision.response.estimate import CATEGORY_SPREAD, Estimate
from client.decision.response.pooling import togetherness
from client.decision.response.regression import fit_response
from client.language.speech import t

FALSE_ALARMS = 0.05  # of both tests together, where prices moved at random
LEAD_DAYS = (1, 14)  # ahead, whose mean price must say nothing
SHIFTS = 79  # of the prices, and they themselves: one in 40 is 2.5 %
LEAST_SHIFT = 4  # weeks
WEEK = 7
LEAST_BULK = 0.98  # what a line of twice the pieces pays each; less is a discount worth a word
SURE = 3.0  # standard errors

Name = Literal["before", "season", "bulk"]


@dataclass(frozen=True)
class Doubt:
    """One test and its answer.

    Attributes
    ----------
    chance
        How probable what was seen would be, had prices moved at random; NaN where it could not be tested.
    found
        Whether it speaks against cause.
    sentence
        What was seen.
    """

    name: Name
    chance: float
    found: bool
    sentence: str


def find_doubts(estimate: Estimate) -> tuple[Doubt, ...]:
    """Run every test that the shop's data allow."""
    return tuple(_find(estimate))


def _find(estimate: Estimate) -> Iterator[Doubt]:
    if "price" in estimate.columns:
        yield _say_before(judge_before(estimate))
        yield _say_season(judge_season(estimate))
    bulk, error = estimate.market.prices.bulk, estimate.market.prices.bulk_error
    if np.isfinite(bulk):
        found = bulk < LEAST_BULK and -np.log2(bulk) > SURE * error
        words = (
            t(
                "On one and the same day a line of twice as many pieces pays {share:.0%} less for each: large "
                "orders get a lower price, so part of what looks like more sales at a low price is large "
                "orders paying less.",
                share=1 - bulk,
            )
            if found
            else t("On one and the same day large lines pay as much for a piece as small ones.")
        )
        yield Doubt("bulk", float("nan"), found, words)


def judge_before(estimate: Estimate) -> float:
    """Give the chance of as much demand before the price moves as was seen, by chance; NaN where it cannot be told."""
    market = estimate.market
    ahead = _mean_ahead(market.log_price())
    own = np.concatenate([estimate.own, ahead[:, :, None]], axis=2)
    counted = market.counted.copy()
    counted[:, -LEAD_DAYS[1] :] = False
    fit = fit_response(market.units, counted, market.controls, own, offset=estimate.offset)
    variance = fit.covariance[:, -1, -1]
    known = variance < 25.0
    if not known.any():
        return float("nan")
    share = (1.0 / variance[known]) / (1.0 / variance[known]).sum()
    centre = float(share @ fit.coefficient[known, -1])
    influence = np.einsum("pw,p->w", fit.influence[known, :, -1], share)
    more = max(float(togetherness(fit.influence[known][:, :, -1:], share[:, None])[0]), 1.0)
    error = float(np.sqrt(more * (share**2 @ variance[known])))
    weeks = max(float((influence**2).sum() ** 2 / max((influence**4).sum(), 1e-300)), 2.0)
    return float(2 * student.sf(abs(centre) / error, df=weeks))


def _mean_ahead(price: Float[np.ndarray, "product day"]) -> Float[np.ndarray, "product day"]:
    """Give the mean logarithm of the price over the coming days; 0 at the end."""
    first, last = LEAD_DAYS
    total = np.concatenate([np.zeros((len(price), 1)), np.cumsum(price, axis=1)], axis=1)
    found = np.zeros_like(price)
    number = price.shape[1] - last
    found[:, :number] = (total[:, last + 1 :] - total[:, first : first + number]) / (last - first + 1)
    return found


def judge_season(estimate: Estimate) -> float:
    """Give the chance that prices fit the season so well, by shifting them around; NaN where it cannot be told."""
    market = estimate.market
    weeks = market.num_days // WEEK
    if weeks < 4 * LEAST_SHIFT or "price" not in estimate.columns:
        return float("nan")
    number = len(market.categories)
    member = (np.arange(number)[:, None] == market.group[None, :]).astype(float)
    units = member @ np.where(market.counted, market.units, 0.0)
    weight = np.where(market.counted, market.units, 0.0).sum(axis=1) / np.maximum(market.counted.sum(axis=1), 1)
    price = (member @ (market.log_price() * weight[:, None])) / np.maximum(member @ weight, 1e-9)[:, None]
    units, price = units[:, : weeks * WEEK], price[:, : weeks * WEEK]
    shifts = np.unique(np.linspace(LEAST_SHIFT, weeks - LEAST_SHIFT, SHIFTS).astype(int))
    fits = [_fit_to_season(units, np.roll(price, shift * WEEK, axis=1), market.controls) for shift in (0, *shifts)]
    return float(np.mean(np.array(fits) >= fits[0]))


def _fit_to_season(
    units: Float[np.ndarray, "category day"],
    price: Float[np.ndarray, "category day"],
    controls: Float[np.ndarray, "day control"],
) -> float:
    """Give how well prices go with what the calendar alone sells, the prices' own response taken out."""
    days = units.shape[1]
    calendar = fit_response(
        units,
        np.ones(units.shape, bool),
        controls[:days],
        price[:, :, None],
        offset=np.zeros(units.shape),
        control_spread=CATEGORY_SPREAD,
    ).calendar
    weekly = [values.reshape(len(units), -1, WEEK).mean(axis=2) for values in (calendar, price)]
    a, b = (values - values.mean(axis=1, keepdims=True) for values in weekly)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    match = (a * b).sum(axis=1) / np.maximum(size, 1e-12)
    return float(units.sum(axis=1) @ match**2)


def _say_before(chance: float) -> Doubt:
    if not np.isfinite(chance):
        return Doubt("before", chance, False, t("Whether demand moved before the prices did cannot be told."))
    found = chance < FALSE_ALARMS / 2
    words = (
        t("Demand moved before the prices did: prices followed sales, or customers knew of them ahead.")
        if found
        else t("Demand did not move before the prices did, as far as can be seen.")
    )
    return Doubt("before", chance, found, words)


def _say_season(chance: float) -> Doubt:
    if not np.isfinite(chance):
        return Doubt("season", chance, False, t("The history is too short to tell whether prices followed the season."))
    found = chance <= FALSE_ALARMS / 2
    words = (
        t("Prices followed the season: they moved when demand moves anyway.")
        if found
        else t("Prices did not follow the season, as far as can be seen.")
    )
    return Doubt("season", chance, found, words)
