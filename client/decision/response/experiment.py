"""A plan to find out what a price does: which product has which price in which week, drawn at random, and its reading.

Who sets prices by a coin knows that nothing else moved with them: then what follows is cause. Weeks are whole, for
customers of a Monday are not those of a Saturday. Each product has each price equally often in every block of weeks, in
an order drawn for it alone; what the draw was can be drawn again from the seed, so the plan proves itself.

Notes
-----
The chance that goes with the answer is that of randomisation: the score of the scheduled prices against the same of
plans that the same law could have drawn (Fisher 1935, The Design of Experiments, chapter 2). It supposes nothing of how
demand is distributed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from client.decision.response.estimate import Estimate
from client.decision.response.market import Market, read_market
from client.decision.response.pooling import pool
from client.decision.response.question import Ask, choose_products
from client.decision.response.regression import fit_response
from client.shop.calendar.kept import Kept
from client.shop.settings import Shop
from common.errors import ConfigError, DataError

VERSION = 1
WEEK = 7
FEWEST_WEEKS, MOST_WEEKS = 4, 104
KEPT = 0.9  # share of weeks with a sale in which the price was the plan's
NEAR = 0.02  # of a logarithm
REDRAWS = 399


@dataclass(frozen=True)
class Experiment:
    """A plan.

    Attributes
    ----------
    first
        A Monday.
    factors
        What the usual price is multiplied by, in each arm; 1 is among them.
    usual
        Price of each product.
    """

    first: date
    weeks: int
    seed: int
    products: tuple[str, ...]
    usual: tuple[float, ...]
    factors: tuple[float, ...]

    @property
    def last(self) -> date:
        """The last day."""
        return self.first + timedelta(days=self.weeks * WEEK - 1)

    def arms(self, *, seed: int | None = None) -> Int[np.ndarray, "product week"]:
        """Draw which arm each product has in each week: in each block of weeks every arm as often."""
        draw = np.random.default_rng(self.seed if seed is None else seed)
        number = len(self.factors)
        blocks = -(-self.weeks // (2 * number))
        block = np.repeat(np.arange(number), 2)
        drawn = draw.permuted(np.tile(block, (len(self.products), blocks, 1)), axis=2)
        return drawn.reshape(len(self.products), -1)[:, : self.weeks]

    def prices(self) -> Float[np.ndarray, "product week"]:
        """Give the price of each product in each week."""
        return np.round(np.array(self.usual)[:, None] * np.array(self.factors)[self.arms()], 2)

    def table(self) -> pa.Table:
        """Give a row for each product and week: product, first_day, last_day, price, change."""
        arms, prices = self.arms(), self.prices()
        days = [self.first + timedelta(days=WEEK * week) for week in range(self.weeks)]
        number = len(self.products)
        return pa.table(
            {
                "product": pa.array(np.repeat(np.array(self.products, object), self.weeks), pa.string()),
                "first_day": pa.array(days * number, pa.date32()),
                "last_day": pa.array([day + timedelta(days=WEEK - 1) for day in days] * number, pa.date32()),
                "price": pa.array(prices.ravel()),
                "change": pa.array((np.array(self.factors)[arms] - 1.0).ravel()),
            }
        )

    def describe(self) -> dict[str, Any]:
        """Give all of it for a file."""
        return {
            "experiment": VERSION,
            "first_day": str(self.first),
            "weeks": self.weeks,
            "seed": self.seed,
            "factors": list(self.factors),
            "products": [
                {"product": name, "usual": price} for name, price in zip(self.products, self.usual, strict=True)
            ],
            "schedule": [
                {**row, "first_day": str(row["first_day"]), "last_day": str(row["last_day"])}
                for row in self.table().to_pylist()
            ],
        }


def plan_prices(history: Kept, shop: Shop, ask: Ask) -> tuple[dict[str, float], date]:
    """Give the prices now of the products that an experiment is for, and the day of the last sale."""
    market = read_market(history, shop)
    products, _ = choose_products(market, history, ask)
    now = dict(zip(market.products, market.price_now().tolist(), strict=True))
    return {name: now.get(name, float("nan")) for name in products}, market.last


def plan_experiment(products: Mapping[str, float], *, change: float, after: date, weeks: int, seed: int) -> Experiment:
    """Plan prices at random, from the first Monday after a day on.

    Parameters
    ----------
    products
        Usual price of each.
    change
        Share of the price: up to so much, with the usual price and, where it is below 0, not above it.

    Raises
    ------
    ConfigError
        The weeks or the change make no experiment.
    """
    if not FEWEST_WEEKS <= weeks <= MOST_WEEKS:
        raise ConfigError(f"--weeks {weeks} is not between {FEWEST_WEEKS} and {MOST_WEEKS}.")
    if not 0.01 <= abs(change) <= 0.5:
        raise ConfigError(
            f"A change of {change:.0%} is not between 1 % and 50 %; give another with --change or --discount."
        )
    priced = {name: price for name, price in products.items() if np.isfinite(price) and price > 0}
    if not priced:
        raise DataError("None of these products has a price that is known, so none can be varied; import prices.")
    factors = (1.0 + change, 1.0) if change < 0 else (1.0 - change, 1.0, 1.0 + change)
    first = after + timedelta(days=1)
    first += timedelta(days=(7 - first.weekday()) % 7)
    return Experiment(first, weeks, seed, tuple(priced), tuple(round(p, 2) for p in priced.values()), factors)


def read_experiment(document: Mapping[str, Any], origin: str) -> Experiment:
    """Read a plan, and see that its schedule is the one that its seed draws.

    Raises
    ------
    DataError
        It is no plan, or its schedule was changed afterwards.
    """
    try:
        if document["experiment"] != VERSION:
            raise DataError(f"{origin} was written by another version; it says experiment {document['experiment']!r}.")
        plan = Experiment(
            date.fromisoformat(document["first_day"]),
            int(document["weeks"]),
            int(document["seed"]),
            tuple(str(row["product"]) for row in document["products"]),
            tuple(float(row["usual"]) for row in document["products"]),
            tuple(float(factor) for factor in document["factors"]),
        )
        schedule = document["schedule"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{origin} is no plan of an experiment; write one with: hansa-client whatif --experiment."
        ) from error
    if plan.describe()["schedule"] != schedule:
        raise DataError(
            f"The schedule in {origin} is not the one that its seed draws, so its prices were not left to chance; use "
            "the file as it was written."
        )
    return plan


@dataclass(frozen=True)
class Followed:
    """How far the plan was followed.

    Attributes
    ----------
    weeks
        Whole ones that the history has.
    kept
        Share of weeks with a sale in which the price was the plan's.
    chance
        Of an answer as far from 0, had prices no effect: by drawing plans again.
    """

    weeks: int
    kept: float
    chance: float


def read_out(estimate: Estimate, plan: Experiment, *, seed: int = 2) -> tuple[Estimate, Followed]:
    """Find the response from the weeks of the plan alone, by the prices that it drew.

    Raises
    ------
    DataError
        The history has too few of its weeks, or its prices were not kept to.
    """
    market, begin = estimate.market, (plan.first - estimate.market.first).days
    weeks = min((market.num_days - begin) // WEEK, plan.weeks)
    if begin < 0 or weeks < FEWEST_WEEKS:
        raise DataError(
            f"The plan runs from {plan.first} to {plan.last}, and the history has {max(weeks, 0)} of its weeks; "
            f"{FEWEST_WEEKS} are needed. Import newer exports, or come back later."
        )
    rows = {name: row for row, name in enumerate(market.products)}
    there = [place for place, name in enumerate(plan.products) if name in rows]
    if not there:
        raise DataError("None of the plan's products sold often enough to say anything.")
    chosen = np.array([rows[plan.products[place]] for place in there])
    part = _cut(market, chosen, begin, weeks * WEEK)
    scheduled = np.log(np.array(plan.factors))[plan.arms()[there][:, :weeks]]
    kept = _share_kept(part, plan.prices()[there][:, :weeks])
    if kept < KEPT:
        raise DataError(
            f"Prices were the plan's in {kept:.0%} of its weeks with a sale ({KEPT:.0%} are needed), so what happened "
            "is not what chance drew; ask without --schedule, which gives association."
        )
    own = np.repeat(scheduled, WEEK, axis=1)[:, :, None]
    offset = estimate.offset[chosen][:, begin : begin + weeks * WEEK]
    fit = fit_response(part.units, part.counted, part.controls, own, offset=offset)
    pooled = pool(
        fit, part.group, ("price",), num_categories=len(part.categories), wanted=np.arange(len(chosen)), seed=seed
    )
    found = Estimate(part, ("price",), len(chosen), 0, own, offset, fit, pooled, np.arange(len(chosen)))
    return found, Followed(weeks, kept, _chance(part, plan, there, offset))


def _cut(market: Market, chosen: Int[np.ndarray, " product"], begin: int, days: int) -> Market:
    span = slice(begin, begin + days)
    kept = np.abs(market.controls[span] - market.controls[span].mean(axis=0)).max(axis=0) > 1e-9
    kept[0] = True
    prices = replace(
        market.prices,
        by_day=market.prices.by_day[chosen][:, span],
        certain=market.prices.certain[chosen][:, span],
        told=market.prices.told[chosen],
    )
    return replace(
        market,
        first=market.first + timedelta(days=begin),
        products=tuple(market.products[row] for row in chosen),
        group=market.group[chosen],
        units=market.units[chosen][:, span],
        counted=market.counted[chosen][:, span],
        prices=prices,
        promotion=np.zeros((len(chosen), days)),
        controls=market.controls[span][:, kept],
        control_names=tuple(name for name, keep in zip(market.control_names, kept, strict=True) if keep),
    )


def _share_kept(part: Market, planned: Float[np.ndarray, "product week"]) -> float:
    """Give the share of weeks with a sale whose price in the middle is the plan's."""
    sold = (part.units > 0) & part.counted & np.isfinite(part.prices.by_day)
    right = np.abs(np.log(np.maximum(part.prices.by_day, 1e-9)) - np.repeat(np.log(planned), WEEK, axis=1)) <= NEAR
    by_week = sold.reshape(len(planned), -1, WEEK)
    hits = (right & sold).reshape(by_week.shape).sum(axis=2)
    some = by_week.any(axis=2)
    return float((hits[some] * 2 >= by_week.sum(axis=2)[some]).mean()) if some.any() else 0.0


def _chance(part: Market, plan: Experiment, there: Sequence[int], offset: np.ndarray) -> float:
    """Hold the score of the plan's prices against those of plans that could have been drawn."""
    nothing = np.zeros((*part.units.shape, 1))
    fit = fit_response(part.units, part.counted, part.controls, nothing, offset=offset)
    left = np.where(part.counted, part.units - fit.fitted, 0.0).reshape(len(there), -1, WEEK).sum(axis=2)
    weeks = left.shape[1]

    def score(arms: Int[np.ndarray, "product week"]) -> float:
        price = np.log(np.array(plan.factors))[arms[list(there)][:, :weeks]]
        return abs(float((left * (price - price.mean(axis=1, keepdims=True))).sum()))

    seen = score(plan.arms())
    others = np.array([score(plan.arms(seed=plan.seed + 1 + number)) for number in range(REDRAWS)])
    return float((1 + (others >= seen).sum()) / (1 + REDRAWS))
