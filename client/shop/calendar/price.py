"""What each product costs on each day, as far as the owner told: a price holds until the next one, or until it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from client.shop.settings import Shop


@dataclass(frozen=True)
class Prices:
    """Prices of a span of days.

    Attributes
    ----------
    by_day
        In the shop's currency. Where a price ends and none follows, it goes on; NaN before the first one.
    ends
        The last day for which a price was told, by product, where that is before the span's last day.
    unknown_currencies
        For which shop.toml has no rate; their prices are not there.
    """

    by_day: Float[np.ndarray, "product day"]
    ends: Mapping[str, date]
    unknown_currencies: tuple[str, ...]


def prices_between(records: pa.Table, shop: Shop, first: date, last: date, products: Sequence[str]) -> Prices:
    """Lay prices out by day; of two that hold on one day, the one that began later counts."""
    row = {product: number for number, product in enumerate(products)}
    by_day = np.full((len(products), (last - first).days + 1), np.nan, np.float32)
    ends: dict[str, date] = {}
    unknown = set[str]()
    for record in records.sort_by([("product", "ascending"), ("first_day", "ascending")]).to_pylist():
        number, begins, value = row.get(record["product"]), record["first_day"], record["price"]
        rate = 1.0 if record["currency"] in {"", None, shop.currency} else shop.rates.get(record["currency"])
        if number is None or begins is None or value is None or begins > last:
            continue
        if rate is None:
            unknown.add(record["currency"])
            continue
        by_day[number, max((begins - first).days, 0) :] = value * rate
        ends[record["product"]] = max(ends.get(record["product"], begins), record["last_day"] or last)
    early = {product: end for product, end in ends.items() if end < last}
    return Prices(by_day, early, tuple(sorted(unknown)))
