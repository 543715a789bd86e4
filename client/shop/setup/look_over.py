"""What a history holds after its first import, in a few words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from client.shop.history.history import History
from client.shop.settings import Shop


@dataclass(frozen=True)
class Overview:
    """Words for a person, and the same for machines."""

    words: tuple[str, ...]
    as_json: dict[str, Any]


def look_over(history: History, shop: Shop) -> Overview:
    """Say from when to when the history goes, and of how many products and pieces."""
    span = history.span()
    if span is None:
        return Overview(("There is no sale in it yet.",), {"first_day": None, "last_day": None})
    products = history.products().to_pydict()
    units, lines = sum(products["units"]), sum(products["lines"])
    sold = sum(1 for count in products["lines"] if count)
    words = f"{shop.name}: {units:,.0f} pieces in {lines:,} lines, of {sold} products, from {span[0]} to {span[1]}."
    told = {"first_day": str(span[0]), "last_day": str(span[1]), "products": sold, "units": units, "lines": lines}
    return Overview((words,), told)
