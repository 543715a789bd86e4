"""Lay a history out as a plan wants its rows: one for each order line, or one for each entity and day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from client.shop.history.history import History
from client.shop.plan.ingredient import LACKING
from client.shop.settings import Shop
from common.plan.schema import WEEKDAYS, Plan, Unit

_SUMS = ("units", "lines", "customers", "amount", "views", "carts")


@dataclass(frozen=True)
class Layout:
    """Rows with a column for each ingredient, and the ingredients of which the history tells nothing."""

    rows: pd.DataFrame
    lacking: frozenset[str]


def lay_by_line(history: History, shop: Shop, unit: Unit) -> Layout:
    """Give a row for each order line that was sold; where an entity is a customer, lines of nobody are left out."""
    sales = history.records("sales").to_pandas()
    sales = sales[(sales["state"] == "sold") & (sales["product"] != "")]
    if unit == "customer":
        sales = sales[sales["customer"] != ""]
    worth = sales["currency"].map({"": 1.0, shop.currency: 1.0, **shop.rates})
    rows = pd.DataFrame(
        {
            "product": sales["product"],
            "customer": sales["customer"],
            "order": sales["order"],
            "day": pd.to_datetime(sales["day"]) + pd.to_timedelta(sales["second"].fillna(0), unit="s"),
            "units": sales["quantity"],
            "lines": 1.0,
            "amount": sales["amount"] * worth,
            "store": shop.name,
        }
    )
    rows["price"] = rows["amount"] / rows["units"]
    rows = rows.merge(_described(history), on="product", how="left").sort_values(["day", "order", "product"])
    absent = {"views", "carts", "promotion", "discount", "out", "customers"}
    return Layout(rows.reset_index(drop=True), frozenset(absent | _empty(rows)))


def lay_by_day(history: History, shop: Shop, plan: Plan) -> Layout:
    """Give a row for each entity and day from its first sale on; days ahead have what is known, and no amounts."""
    daily = history.daily().to_pandas()
    daily["day"] = pd.to_datetime(daily["day"])
    first_days = daily[daily["units"] > 0].groupby("product")["day"].min()
    last = daily.loc[daily["units"] > 0, "day"].max()
    grid = _grid(first_days, last, _last_day_ahead(plan, last))
    rows = grid.merge(daily, on=["product", "day"], how="left").merge(_described(history), on="product", how="left")
    rows["store"] = shop.name
    past = rows["day"] <= last
    for name in _SUMS:
        rows[name] = rows[name].astype(float).fillna(0.0).where(past) if name != "amount" else rows[name].where(past)
    rows["out"] = rows["out"].eq(other=True).astype(float)
    rows["price"] = _fill_prices(rows)
    rows = _with_promotions(rows, history)
    rows = _only_open(rows, shop, past)
    told = {name for name in ("views", "carts", "out", "promotion", "customers") if rows[name].sum() > 0}
    lacking = frozenset({"views", "carts", "out", "promotion", "customers"} - told | _empty(rows))
    lacking |= {"discount"} if "promotion" in lacking else frozenset()
    return Layout(_by_unit(rows, plan.privacy.unit), lacking)


def _grid(first_days: pd.Series, last: pd.Timestamp, last_ahead: pd.Timestamp) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"product": product, "day": pd.date_range(first, max(last, last_ahead))})
        for product, first in first_days.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _last_day_ahead(plan: Plan, last: pd.Timestamp) -> pd.Timestamp:
    """Give the last day of the horizon where the forecast begins right behind the history, or within it.

    A plan whose last origin has passed is forecast from the day after the history, so what is known of the days after
    that one is there too.
    """
    origin, following = pd.Timestamp(plan.evaluation.origins[-1]), last + timedelta(days=1)
    begins = max(origin, following)
    is_near = origin <= following
    return begins + timedelta(days=plan.model.horizon_days - 1) if plan.data.known and is_near else last


def _fill_prices(rows: pd.DataFrame) -> pd.Series:
    """Take the price that is told, else what was paid for a piece; a price holds until the next one, and before it."""
    paid = (rows["amount"] / rows["units"].where(rows["units"] > 0)).round(6)
    price = rows["price"].astype(float).fillna(paid)
    return price.groupby(rows["product"]).transform(lambda each: each.ffill().bfill())


def _with_promotions(rows: pd.DataFrame, history: History) -> pd.DataFrame:
    discount = np.zeros(len(rows))
    offered = np.zeros(len(rows), bool)
    for offer in history.records("promotions").to_pylist():
        first, last = pd.Timestamp(offer["first_day"]), pd.Timestamp(offer["last_day"] or offer["first_day"])
        here = ((rows["day"] >= first) & (rows["day"] <= last)).to_numpy()
        if offer["product"]:
            here &= (rows["product"] == offer["product"]).to_numpy()
        elif offer["category"]:
            here &= (rows["category"] == offer["category"]).to_numpy()
        offered |= here
        discount[here] = np.maximum(discount[here], offer["discount"] or 0.0)
    return rows.assign(promotion=offered.astype(float), discount=discount)


def _only_open(rows: pd.DataFrame, shop: Shop, past: pd.Series) -> pd.DataFrame:
    """Leave out days on which the shop is closed and on which nobody bought anything."""
    closed = {WEEKDAYS.index(name) for name in shop.closed_weekdays}
    is_closed = rows["day"].dt.weekday.isin(closed) | rows["day"].dt.date.isin(shop.closed_dates)
    sold = rows.groupby("day")["units"].transform("sum") > 0
    return rows[~is_closed | (sold & past)]


def _by_unit(rows: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Add products up to the plan's entity, where that is a category or the shop."""
    if unit == "product":
        return rows.sort_values(["product", "day"]).reset_index(drop=True)
    keys = [unit, "day"] if unit == "store" else [unit, "day", "store"]
    grouped = rows.groupby(keys, as_index=False)
    sums = grouped[list(_SUMS)].sum(min_count=1)
    means = grouped[["price", "promotion", "discount", "out"]].mean()
    return sums.merge(means, on=keys)


def _described(history: History) -> pd.DataFrame:
    return history.products().select(["product", "name", "category"]).to_pandas()


def _empty(rows: pd.DataFrame) -> set[str]:
    """Name ingredients of which no row tells anything."""
    return {name for name in LACKING if name in rows and not (rows[name].notna() & rows[name].ne("")).any()}
