"""Which product is on offer on which day, and how much it is off, as far as was known on some day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float


def known_by(records: pa.Table, day: date) -> list[dict[str, Any]]:
    """Keep the records that were known on a day: since before it, or that had begun before it where no day is told."""
    return [row for row in records.to_pylist() if row["first_day"] is not None and _was_known(row, day)]


def _was_known(row: Mapping[str, Any], day: date) -> bool:
    return bool((row["known_from"] or date.min) <= day or row["first_day"] < day)


def last_day_of(row: Mapping[str, Any]) -> date:
    """Give the last day of a record; one that names none is of one day."""
    last: date = row["last_day"] or row["first_day"]
    return last


def promotions_between(
    records: Sequence[Mapping[str, Any]],
    categories: Mapping[str, str],
    first: date,
    last: date,
    products: Sequence[str],
) -> Float[np.ndarray, "product day 2"]:
    """Lay promotions out by day: whether there is one, and the largest discount of those that there are.

    Parameters
    ----------
    categories
        Of the products.
    """
    by_product = {product: [number] for number, product in enumerate(products)}
    by_category: dict[str, list[int]] = {}
    for number, product in enumerate(products):
        by_category.setdefault(categories.get(product, ""), []).append(number)
    found = np.zeros((len(products), (last - first).days + 1, 2), np.float32)
    for row in records:
        days = slice(max((row["first_day"] - first).days, 0), max((last_day_of(row) - first).days + 1, 0))
        who = by_product.get(row["product"], []) if row["product"] else by_category.get(row["category"], [])
        chosen = who if row["product"] or row["category"] else slice(None)
        found[chosen, days, 0] = 1.0
        found[chosen, days, 1] = np.maximum(found[chosen, days, 1], row["discount"] or 0.0)
    return found
