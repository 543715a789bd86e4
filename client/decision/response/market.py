"""A shop's products, days and prices as plain arrays: what the response to a price is found from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int
from scipy.interpolate import BSpline

from client.decision.response.price import Prices, choose_prices
from client.language.count import count_days
from client.shop.calendar.ahead import BY_PRODUCT, ahead_of
from client.shop.calendar.day_after import day_after
from client.shop.calendar.day_kind import guess_kinds
from client.shop.calendar.kept import Kept
from client.shop.calendar.sold import EPOCH
from client.shop.forecast.known import find_closed
from client.shop.forecast.sales import Sales, read_sales
from client.shop.settings import Shop
from common.errors import DataError

LONGEST_DAYS = 3 * 371
SHORTEST_DAYS = 56
LEAST_SOLD_DAYS = 15  # of a product, from which on it says anything
MOST_PRODUCTS = 3000  # those that sold most often
KNOT_DAYS = 91  # of season and trend: a quarter
MOST_DAYS = 8  # kinds of known days
FEWEST = 3  # days with something, and without
MOVED = 0.01  # of a logarithm; smaller moves of a price are rounding
USUAL_SHARE, MOST_TIMES = 0.95, 5.0  # of days with a sale; a day beyond so many times that is an extraordinary order
NO_CATEGORY = "all other goods"


@dataclass(frozen=True)
class Market:
    """Products that sold often enough, day by day.

    Attributes
    ----------
    units
        Sold on each day; extraordinary orders count as the most that is ordinary.
    categories, group
        Names of the categories, and each product's place among them.
    counted
        Open days in stock between a product's first and last sale, whose price is certain.
    promotion
        1 on days of a promotion.
    controls
        Intercept, season and trend, weekdays, known days.
    few
        Products that sold too rarely to be in it.
    """

    first: date
    products: tuple[str, ...]
    categories: tuple[str, ...]
    group: Int[np.ndarray, " product"]
    units: Float[np.ndarray, "product day"]
    counted: Bool[np.ndarray, "product day"]
    prices: Prices
    promotion: Float[np.ndarray, "product day"]
    controls: Float[np.ndarray, "day control"]
    control_names: tuple[str, ...]
    few: int

    @property
    def num_days(self) -> int:
        """Days of the span."""
        return self.units.shape[1]

    @property
    def last(self) -> date:
        """The last day."""
        return self.first + timedelta(days=self.num_days - 1)

    def log_price(self) -> Float[np.ndarray, "product day"]:
        """Give the logarithm of each price over the product's usual one; 0 where none is known or nothing counts."""
        known = self.counted & np.isfinite(self.prices.by_day) & (self.prices.by_day > 0)
        logs = np.where(known, np.log(np.where(known, self.prices.by_day, 1.0)), np.nan)
        usual = np.zeros(len(logs))
        some = known.any(axis=1)
        usual[some] = np.nanmedian(logs[some], axis=1)
        return np.where(known, logs - usual[:, None], 0.0)

    def usual_price(self) -> Float[np.ndarray, " product"]:
        """Give each product's price in the middle of its days; NaN where none is known."""
        price = np.where(self.counted, self.prices.by_day, np.nan)
        found = np.full(len(price), np.nan)
        known = np.isfinite(price).any(axis=1)
        found[known] = np.exp(np.nanmedian(np.log(np.maximum(price[known], 1e-9)), axis=1))
        return found

    def price_now(self) -> Float[np.ndarray, " product"]:
        """Give the price of the last day without a promotion."""
        plain = np.isfinite(self.prices.by_day) & (self.prices.by_day > 0) & (self.promotion == 0)
        place = np.where(plain, np.arange(self.num_days), -1).max(axis=1)
        found = np.take_along_axis(self.prices.by_day, np.maximum(place, 0)[:, None], axis=1)[:, 0]
        return np.where(place >= 0, found, self.usual_price())

    def moves(self) -> Int[np.ndarray, " product"]:
        """Count how often each price moved on days without a promotion."""
        return _count_moves(self.log_price(), self.counted & (self.promotion == 0))

    def promoted(self) -> Bool[np.ndarray, " product"]:
        """Tell which products had days with a promotion and days without."""
        days = [(self.counted & (self.promotion == state)).sum(axis=1) for state in (0, 1)]
        return np.minimum(*days) >= FEWEST


def _count_moves(logs: Float[np.ndarray, "product day"], counted: Bool[np.ndarray, "product day"]) -> np.ndarray:
    found = np.zeros(len(logs), int)
    for row, (values, there) in enumerate(zip(logs, counted, strict=True)):
        found[row] = int((np.abs(np.diff(values[there])) > MOVED).sum())
    return found


def read_market(history: Kept, shop: Shop) -> Market:
    """Lay a shop's past out.

    Raises
    ------
    DataError
        Nothing was sold, or too little or too short a time to say anything.
    """
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
    after = day_after(span[1])
    first = max(span[0], span[1] - timedelta(days=LONGEST_DAYS - 1))
    num_days = (span[1] - first).days + 1
    if num_days < SHORTEST_DAYS:
        raise DataError(
            f"The history has {count_days(num_days)}, from {first} to {span[1]}; what a price does can be told from "
            f"{SHORTEST_DAYS} days on. Import older exports, or come back later."
        )
    table = history.products()
    sold = table.filter(pc.is_valid(pc.field("first_day")))
    names = sold["product"].to_pylist()
    sales = read_sales(history, names)
    often = np.diff(np.concatenate([[0], sales.ends]))
    order = np.argsort(-often, kind="stable")
    chosen = np.sort(order[:MOST_PRODUCTS][often[order[:MOST_PRODUCTS]] >= LEAST_SOLD_DAYS])
    if not len(chosen):
        raise DataError(
            f"No product was sold on {LEAST_SOLD_DAYS} days or more, so nothing can be said of what a price does; come "
            "back with more sales."
        )
    products = tuple(sales.products[place] for place in chosen)
    kinds = guess_kinds(history, shop)
    ahead = ahead_of(history, shop, first, span[1], products, told_by=after, kinds=kinds)
    closed = find_closed(ahead, kinds, days_sold=len(np.unique(sales.day)))
    units = _lay_out(sales, chosen, first, num_days)
    counted = _alive(units) & ~closed & ~kinds.is_out(products, first, span[1])
    promotion, discount, told = (ahead.by_product[:, :, BY_PRODUCT.index(n)] for n in BY_PRODUCT)
    names_of = dict(zip(table["product"].to_pylist(), table["category"].to_pylist(), strict=True))
    own = [names_of.get(name) or NO_CATEGORY for name in products]
    categories = tuple(sorted(set(own)))
    controls, control_names = make_controls(first, ~closed, ahead.shared.astype(float), ahead.names)
    prices = choose_prices(history, shop, told.astype(float), discount.astype(float), products, first)
    return Market(
        first=first,
        products=products,
        categories=categories,
        group=np.array([categories.index(name) for name in own]),
        units=units,
        counted=counted & prices.certain,
        prices=prices,
        promotion=np.nan_to_num(promotion).astype(float),
        controls=controls,
        control_names=control_names,
        few=len(names) - len(products),
    )


def _lay_out(sales: Sales, chosen: Int[np.ndarray, " product"], first: date, num_days: int) -> np.ndarray:
    rows, place = sales.rows_of(chosen)
    day = sales.day[rows].astype(np.int64) - (first - EPOCH).days
    there = (day >= 0) & (day < num_days)
    units = np.zeros((len(chosen), num_days))
    units[place[there], day[there]] = sales.units[rows][there]
    return _cap(units)


def _cap(units: Float[np.ndarray, "product day"]) -> Float[np.ndarray, "product day"]:
    """Bound extraordinary orders: one of 2,000 pieces among tens would decide what a price seems to do."""
    usual = np.nanquantile(np.where(units > 0, units, np.nan), USUAL_SHARE, axis=1, keepdims=True)
    return np.minimum(units, MOST_TIMES * usual)


def _alive(units: Float[np.ndarray, "product day"]) -> Bool[np.ndarray, "product day"]:
    """Tell the days between a product's first sale and its last; these two were chosen for having one."""
    sold = units > 0
    seen = np.zeros_like(sold)
    begun = np.maximum.accumulate(sold, axis=1)
    goes_on = np.maximum.accumulate(sold[:, ::-1], axis=1)[:, ::-1]
    seen[:, 1:-1] = begun[:, :-2] & goes_on[:, 2:]
    return seen


def make_controls(
    first: date,
    is_open: Bool[np.ndarray, " day"],
    shared: Float[np.ndarray, "day known"],
    names: tuple[str, ...],
) -> tuple[Float[np.ndarray, "day control"], tuple[str, ...]]:
    """Lay out what the calendar says of each day: season and trend as a smooth curve, weekdays, known days.

    Parameters
    ----------
    shared
        0 or 1, of kinds of days that are known: holidays, shopping days, events.
    """
    number = len(is_open)
    columns, told = [np.ones(number)], ["level"]
    knots = max(number // KNOT_DAYS, 1)
    inner = np.linspace(0.0, number - 1.0, knots + 1)
    spline = BSpline.design_matrix(
        np.arange(number, dtype=float), np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3]), 3
    ).toarray()
    for place in range(1, spline.shape[1]):
        columns.append(spline[:, place] - spline[:, place].mean())
        told.append(f"season {place}")
    weekday = (np.arange(number) + first.weekday()) % 7
    kept = [day for day in range(7) if (is_open & (weekday == day)).sum() >= FEWEST]
    for day in kept[1:]:
        columns.append((weekday == day).astype(float))
        told.append(f"weekday {day}")
    days = shared[is_open].sum(axis=0)
    for place in np.argsort(-days, kind="stable")[:MOST_DAYS]:
        if min(days[place], is_open.sum() - days[place]) >= FEWEST:
            columns.append(shared[:, place])
            told.append(names[place])
    return np.stack(columns, axis=1), tuple(told)
