"""What a shop wants to know of its prices, and whom it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from client.decision.response.market import Market
from client.decision.response.scenario import Change
from client.language.count import count_products
from client.language.speech import t, tn
from client.shop.calendar.kept import Kept
from common.errors import ConfigError


@dataclass(frozen=True)
class Ask:
    """What a shop wants to know.

    Attributes
    ----------
    products, category
        Whom the change is for; the whole shop where both are empty.
    change
        None: only how sales move with prices, and which price would be best.
    first, last
        Days of the change; the four weeks after the last sale if left out.
    cost, cost_share
        Of one piece, in money or as a share of the price now.
    """

    products: tuple[str, ...] = ()
    category: str = ""
    change: Change | None = None
    first: date | None = None
    last: date | None = None
    cost: float | None = None
    cost_share: float | None = None


def choose_products(market: Market, history: Kept, ask: Ask) -> tuple[tuple[str, ...], str]:
    """Choose whom it is about, and say so.

    Raises
    ------
    ConfigError
        There is no such product or category.
    """
    table = history.products()
    sold = {row["product"]: row for row in table.to_pylist() if row["first_day"] is not None}
    if ask.products:
        unknown = [name for name in ask.products if name not in sold]
        if unknown:
            raise ConfigError(f"No product {unknown[0]!r} was ever sold in this shop; see: hansa-client history.")
        return ask.products, _name_them(ask.products, {name: row["name"] for name, row in sold.items()})
    if ask.category:
        mine = tuple(name for name, row in sold.items() if (row["category"] or "") == ask.category)
        if not mine:
            known = sorted({row["category"] for row in sold.values() if row["category"]})
            raise ConfigError(
                f"No product of a category {ask.category!r} was ever sold; "
                + (f"there are {', '.join(known[:12])}." if known else "no product has a category.")
            )
        return mine, t("the {products} of {category}", products=count_products(len(mine)), category=ask.category)
    return market.products, tn(
        "the 1 product that sells often enough",
        "the {number} products that sell often enough",
        len(market.products),
    )


def _name_them(products: Sequence[str], names: dict[str, str]) -> str:
    if len(products) > 1:
        return count_products(len(products))
    name = names.get(products[0]) or ""
    return products[0] if name in ("", products[0]) else f"{products[0]} ({name})"
