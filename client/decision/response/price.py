"""What each product cost on each day: as the owner told, or as customers paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from client.shop.calendar.kept import Kept
from client.shop.calendar.sold import EPOCH
from client.shop.history.history import History
from client.shop.settings import Shop

SAME = 0.01  # of a logarithm; a smaller step of the price is rounding
LEAST_CERTAIN = 0.4  # share of the days between the first and the last sale
DIFFERS = 0.02  # share of a price; less is rounding
OFTEN = 0.2  # share of days with a sale on which customers paid something else than was told
FLICKERS = 0.15  # share of order lines beside their day's price, from which on a week has one price
WEEK = 7
LEAST_PAIRS = 200  # pairs of order lines of one product and day, from which on they say anything of discounts


@dataclass(frozen=True)
class Prices:
    """Prices in the shop's currency.

    Attributes
    ----------
    by_day
        What holds on a day; NaN where no price is known at all.
    certain
        Days whose price is known whether or not anything was sold on them.
    told
        Whether a product's are those that the owner told; else they are what customers paid, a day without a sale
        having that of the nearest day with one.
    beside
        Share of order lines that paid something else than others on that day; NaN where the lines are not known.
    bulk
        How much a line of twice as many pieces pays per piece, as a share of the price: 0.9 is a tenth less; NaN where
        too few lines tell.
    bulk_error
        Standard error of its logarithm over that of 2.
    weekly
        Whether a week has one price, since those of a day differ too much.
    """

    by_day: Float[np.ndarray, "product day"]
    certain: Bool[np.ndarray, "product day"]
    told: Bool[np.ndarray, " product"]
    beside: float
    bulk: float
    bulk_error: float
    weekly: bool


def choose_prices(
    history: Kept,
    shop: Shop,
    told: Float[np.ndarray, "product day"],
    discount: Float[np.ndarray, "product day"],
    products: Sequence[str],
    first: date,
) -> Prices:
    """Choose for each product between what was told, less the discount of promotions, and what was paid.

    Parameters
    ----------
    told
        NaN where nothing is.
    discount
        Share that is off on days of a promotion; 0 on others.
    """
    paid, beside, bulk, bulk_error = _read_paid(history, shop, products, first, told.shape[1])
    weekly = bool(beside > FLICKERS)
    if weekly:
        paid = _by_week(paid)
    told = np.where(told > 0, told, np.nan)  # what is given away has no price that could move
    offered = told * (1.0 - np.nan_to_num(discount))
    candidates = [(candidate, _fits(candidate, paid)) for candidate in (offered, told)]
    candidate, fits = max(candidates, key=lambda each: int(each[1].sum()))
    by_day = np.where(fits[:, None], candidate, _carry(paid))
    certain = fits[:, None] | find_certain(paid)
    return Prices(by_day, certain, fits, beside, bulk, bulk_error, weekly)


def find_certain(paid: Float[np.ndarray, "product day"]) -> Bool[np.ndarray, "product day"]:
    """Tell the days whose price is known without having looked at whether anything was sold on them.

    Of a run of days with sales at one price the first and the last are known because of a sale, and silent days before
    and after may have had either price: counting them would make the dearer price look better than it is. The days
    between the two are as they would be anyway. Where prices change too often for that, every day counts, with that
    error.
    """
    known, certain = np.isfinite(paid), np.zeros(paid.shape, bool)
    for row in range(len(paid)):
        days = np.flatnonzero(known[row])
        if len(days) < 2:
            continue
        same = np.abs(np.diff(np.log(np.maximum(paid[row, days], 1e-9)))) <= SAME
        firsts = days[np.concatenate([[True], ~same])]
        lasts = days[np.concatenate([~same, [True]])]
        inside = np.zeros(paid.shape[1] + 1, int)
        np.add.at(inside, np.minimum(firsts + 1, lasts), 1)
        np.add.at(inside, lasts, -1)
        certain[row] = np.cumsum(inside[:-1]) > 0
        if certain[row].sum() < LEAST_CERTAIN * (days[-1] - days[0] + 1):
            certain[row] = True
    return certain


def _fits(told: Float[np.ndarray, "product day"], paid: Float[np.ndarray, "product day"]) -> np.ndarray:
    """Tell of which products what was told is what was paid, or nothing is known of what was paid."""
    both = np.isfinite(told) & np.isfinite(paid)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = both & (np.abs(np.log(paid / told)) > DIFFERS)
    share = off.sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    return np.isfinite(told).any(axis=1) & (share <= OFTEN)


def _carry(price: Float[np.ndarray, "product day"]) -> Float[np.ndarray, "product day"]:
    """Give days without a price that of the nearest day with one.

    The day before alone would give the silent first days of a higher price to the lower one.
    """
    known, day = np.isfinite(price), np.arange(price.shape[1])
    before = np.maximum.accumulate(np.where(known, day, -(10**6)), axis=1)
    after = np.minimum.accumulate(np.where(known, day, 10**6)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(day - before <= after - day, before, after)
    return np.take_along_axis(price, np.clip(nearest, 0, price.shape[1] - 1), axis=1)


def _by_week(price: Float[np.ndarray, "product day"]) -> Float[np.ndarray, "product day"]:
    """Give every day of a week the median of its days with a sale."""
    number = -(-price.shape[1] // WEEK)
    padded = np.full((len(price), number * WEEK), np.nan)
    padded[:, : price.shape[1]] = price
    weeks = padded.reshape(len(price), number, WEEK)
    known = np.isfinite(weeks)
    middle = np.sort(np.where(known, weeks, np.inf), axis=2)
    place = np.maximum(known.sum(axis=2) - 1, 0) // 2
    found = np.take_along_axis(middle, place[:, :, None], axis=2)[:, :, 0]
    spread = np.repeat(np.where(np.isfinite(found), found, np.nan), WEEK, axis=1)[:, : price.shape[1]]
    return np.where(np.isfinite(price), spread, np.nan)


def _read_paid(
    history: Kept, shop: Shop, products: Sequence[str], first: date, num_days: int
) -> tuple[Float[np.ndarray, "product day"], float, float, float]:
    """Read the price that the middle line of a product and day paid, and how lines of one day differ."""
    if isinstance(history, History):
        history_lines = _ask_lines(history, shop)
        table = history_lines["daily"]
        beside, bulk, error = history_lines["beside"], history_lines["bulk"], history_lines["error"]
    else:
        table, beside, bulk, error = _sum_daily(history), float("nan"), float("nan"), float("nan")
    place = pc.index_in(table["product"], value_set=pa.array(list(products), pa.string()))
    day = pc.subtract(table["day"].cast(pa.int32()), (first - EPOCH).days).to_numpy()
    price = table["price"].to_numpy()
    there = pc.is_valid(place).to_numpy(zero_copy_only=False) & (day >= 0) & (day < num_days)
    paid = np.full((len(products), num_days), np.nan)
    paid[pc.fill_null(place, 0).to_numpy()[there], day[there]] = price[there]
    return paid, beside, bulk, error


def _sum_daily(history: Kept) -> pa.Table:
    daily = history.daily()
    amount, units = daily["amount"], daily["units"]
    paid = pc.fill_null(pc.and_(pc.greater(amount, 0.0), pc.greater(units, 0.0)), False)
    daily = daily.filter(paid)
    price = pc.divide(daily["amount"].cast(pa.float64()), daily["units"].cast(pa.float64()))
    return daily.select(["product", "day"]).append_column("price", price)


def _ask_lines(history: History, shop: Shop) -> dict[str, Any]:
    """Ask the sales line by line: the middle price of a day, and whether large lines pay less on the same day."""
    worth = {"": 1.0, shop.currency: 1.0, **shop.rates}
    cases = " ".join(f"WHEN '{code}' THEN {rate!r}" for code, rate in worth.items())  # codes are checked letters
    lines = (
        f"SELECT product, day, quantity, amount * (CASE currency {cases} END) / quantity AS price FROM sales "  # noqa: S608
        "WHERE state = 'sold' AND product <> '' AND day IS NOT NULL AND quantity > 0 AND amount > 0"
    )
    daily = history.ask(
        f"SELECT product, day, median(price)::DOUBLE AS price FROM ({lines}) WHERE price IS NOT NULL GROUP BY ALL"  # noqa: S608
    )
    slope = history.ask(
        f"""
        WITH line AS ({lines}), cell AS (
            SELECT *, ln(price) - avg(ln(price)) OVER same AS p, ln(quantity) - avg(ln(quantity)) OVER same AS q,
                median(price) OVER same AS usual, count(*) OVER same AS lines
            FROM line WHERE price > 0 WINDOW same AS (PARTITION BY product, day)
        ), sums AS (
            SELECT sum(p * q) AS pq, sum(q * q) AS qq, sum(p * p * q * q) AS meat, count(*) FILTER (q <> 0) AS pairs,
                avg((abs(ln(price / usual)) > {DIFFERS})::INT) FILTER (lines > 1) AS beside
            FROM cell
        ) SELECT * FROM sums
        """  # noqa: S608
    ).to_pylist()[0]
    enough = (slope["pairs"] or 0) >= LEAST_PAIRS and (slope["qq"] or 0) > 0
    each = slope["pq"] / slope["qq"] if enough else float("nan")
    error = float(np.sqrt(slope["meat"]) / slope["qq"]) if enough else float("nan")
    return {
        "daily": daily,
        "beside": slope["beside"] if slope["beside"] is not None else float("nan"),
        "bulk": float(2.0**each),
        "error": error,
    }
