"""Which category each product of a shop belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from client.shop.calendar.kept import Kept


@dataclass(frozen=True)
class Categories:
    """The category of each product, where it has one.

    Attributes
    ----------
    of
        Product → category; "" where none is known.
    names
        In order, without "".
    """

    of: Mapping[str, str]
    names: tuple[str, ...]

    def groups(self, products: Iterable[str]) -> Int[np.ndarray, " product"]:
        """Give the place of each product's category among `names`, -1 where it has none."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place.get(self.of.get(str(product), ""), -1) for product in products], np.int64)


def read_categories(history: Kept) -> Categories:
    """Read which category each product belongs to."""
    table = history.products()
    pairs = zip(table["product"].to_pylist(), table["category"].to_pylist(), strict=True)
    of = {product: category or "" for product, category in pairs}
    return Categories(of, tuple(sorted({category for category in of.values() if category})))
