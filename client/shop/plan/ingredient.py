"""What a plan's columns are made of: each is one of a few things that a history tells, or a constant.

A plan speaks of columns, a shop of sales. Which column means what is told by its role in the plan and by its name; what
no name tells, the shop's owner says, and it is kept in shop.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from common.errors import ConfigError, DataError
from common.plan.reads import columns_of
from common.plan.schema import DataPlan, Plan

CONSTANT: Final = "constant "
INGREDIENTS: Final[Mapping[str, str]] = {
    "product": "the product's number",
    "name": "the product's name",
    "category": "the product's category",
    "customer": "the customer's keyed hash",
    "store": "the shop's name",
    "order": "the order's number",
    "day": "the day, by the shop's clock",
    "units": "pieces ordered, in orders that are sold",
    "lines": "order lines",
    "customers": "customers who ordered",
    "amount": "money of the sales, in the shop's currency",
    "price": "the price known for the day, or else what was paid for a piece",
    "views": "page views",
    "carts": "pieces put into carts",
    "promotion": "1 on days of an offer, else 0",
    "discount": "the offer's discount, 0 to 1",
    "out": "1 on days out of stock, else 0",
}
LACKING: Final[Mapping[str, str]] = {
    "views": "page views",
    "carts": "carts",
    "promotion": "promotions",
    "discount": "promotions",
    "out": "stock levels",
    "category": "categories of its products",
    "amount": "money of its sales in one currency",
    "price": "prices",
    "customer": "customers",
    "customers": "customers",
}
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "views": ("views", "view", "visits", "pageviews", "impressions", "浏览量", "访问"),
    "carts": ("carts", "cart", "baskets", "加购"),
    "promotion": ("promotion", "promo", "onpromotion", "offer", "ispromotion", "campaign", "aktion", "促销"),
    "discount": ("discount", "rebate", "rabatt", "折扣"),
    "out": ("out", "outofstock", "stockout", "soldout", "缺货"),
    "price": ("price", "unitprice", "sellprice", "preis", "价格", "单价"),
    "amount": ("amount", "revenue", "turnover", "spend", "spent", "salesamount", "umsatz", "betrag", "金额"),
    "customers": ("customers", "buyers", "visitors", "kunden"),
    "lines": ("lines", "transactions", "rows"),
    "order": ("order", "orders", "orderid", "ordernumber", "invoice", "receipt", "bestellnummer", "订单"),
    "customer": ("customer", "customerid", "buyer", "client", "user", "kunde", "客户"),
    "category": ("category", "group", "family", "department", "class", "warengruppe", "类目"),
    "name": ("name", "title", "description", "bezeichnung", "标题"),
    "product": ("product", "productid", "item", "itemid", "sku", "article", "stockcode", "artikel", "商品"),
    "store": ("store", "shop", "merchant", "storenbr", "filiale", "店铺"),
    "day": ("day", "date", "time", "timestamp", "datum", "日期"),
    "units": ("units", "quantity", "qty", "sales", "sold", "demand", "pieces", "count", "menge", "销量", "数量"),
}


@dataclass(frozen=True)
class Made:
    """One column of a plan, and what it is made of: a word of `INGREDIENTS`, or a constant."""

    key: str
    column: str
    ingredient: str

    @property
    def constant(self) -> str | None:
        """The constant; None where it is made of the history."""
        is_constant = self.ingredient.startswith(CONSTANT)
        return self.ingredient.removeprefix(CONSTANT).strip() if is_constant else None

    def say(self) -> str:
        """Say for a person what the column is made of."""
        what = INGREDIENTS.get(self.ingredient) or f"always {self.constant!r}"
        return f"{self.column} ({self.key}): {what}"


def choose_ingredients(plan: Plan, said: Mapping[str, str]) -> tuple[Made, ...]:
    """Say of every column that a plan reads what it is made of.

    Parameters
    ----------
    said
        What the owner said, by column.

    Raises
    ------
    ConfigError
        What was said is not possible.
    DataError
        No name tells what a column means; all such columns are named.
    """
    _require_possible(plan, said)
    roles = dict(reversed(list(_roles(plan))))  # the first role of a column counts
    made, unknown = [], []
    for column in columns_of(plan.data):
        key, ingredient = roles.get(column, ("data", ""))
        ingredient = said.get(column) or ingredient or _by_name(column)
        made.append(Made(key, column, ingredient))
        unknown += [] if ingredient else [f"{column} ({key})"]
    if unknown:
        raise DataError(
            f"Nothing tells what {', '.join(unknown)} of the plan is made of; say it with --set "
            f"{unknown[0].split(' (')[0]}=INGREDIENT, one of {', '.join(INGREDIENTS)}, or as 'constant VALUE'."
        )
    return tuple(made)


def _require_possible(plan: Plan, said: Mapping[str, str]) -> None:
    if plan.data.source != "file":
        raise ConfigError("The plan draws its data (data.source); there is nothing to make.")
    columns = columns_of(plan.data)
    for column, ingredient in said.items():
        if column not in columns:
            raise ConfigError(f"The plan reads no column {column!r}; it reads {', '.join(columns)}.")
        if ingredient not in INGREDIENTS and not ingredient.startswith(CONSTANT):
            raise ConfigError(
                f"{column} cannot be made of {ingredient!r}; give one of {', '.join(INGREDIENTS)}, or 'constant VALUE'."
            )


def _roles(plan: Plan) -> Iterator[tuple[str, tuple[str, str]]]:
    """Give columns whose role in the plan says what they are, and the key of every other one."""
    data = plan.data
    yield data.entity, ("data.entity", plan.privacy.unit)
    yield data.time, ("data.time", "day")
    if data.merchant:
        yield data.merchant, ("data.merchant", "store")
    if data.target.column:
        yield data.target.column, ("data.target", _of_measure(data.target.column, data.target.aggregate))
    for name, measure in data.observed.items():
        if measure.column:
            yield measure.column, (f"data.observed.{name}", _by_name(measure.column))
    yield from _others(data)


def _others(data: DataPlan) -> Iterator[tuple[str, tuple[str, str]]]:
    for attribute in data.known:
        yield attribute.column, ("data.known", "")
    for attribute in data.static:
        yield attribute.column, ("data.static", "")
    for condition in data.filters:
        yield condition.column, ("data.filters", "")
    for name, factors in data.derived.items():
        yield from ((factor, (f"data.derived.{name}", "")) for factor in factors)


def _of_measure(column: str, aggregate: str) -> str:
    """Say what a target is: what its name says, else pieces where they are summed and orders where they are counted."""
    return _by_name(column) or ("order" if aggregate == "distinct" else "units")


def _by_name(column: str) -> str:
    plain = re.sub(r"[^\w]|_", "", column.lower())
    return next((ingredient for ingredient, words in _WORDS.items() if plain in words), "")
