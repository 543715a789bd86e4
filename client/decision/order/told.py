"""What is told of each product: of itself first, then of its supplier, then of the shop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from client.language.count import count_products
from client.language.speech import t
from client.shop.history.history import History
from client.shop.settings import Shop, SupplierSettings


class Told:
    """Terms as the table of terms and shop.toml tell them.

    Attributes
    ----------
    suppliers
        The name of each product's supplier, "" where nothing names it.
    sections
        What shop.toml says of it.
    """

    def __init__(self, history: History, shop: Shop, products: Sequence[str]) -> None:
        rows = {row["product"]: row for row in history.records("terms").to_pylist()}
        named = {supplier.name: supplier for supplier in shop.suppliers}
        self.shop, self.products = shop, tuple(products)
        self._rows = [rows.get(name, {}) for name in products]
        self.suppliers = tuple(str(row.get("supplier") or "") for row in self._rows)
        self.sections = tuple(named.get(name, SupplierSettings(name=name)) for name in self.suppliers)

    def is_own(self, name: str) -> np.ndarray:
        """Tell of which products the product or its supplier says it."""
        return np.array(
            [
                row.get(name) is not None or getattr(supplier, name, None) is not None
                for row, supplier in zip(self._rows, self.sections, strict=True)
            ],
            bool,
        )

    def numbers(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Give the term of each product, NaN where nobody says it, and where somebody does."""
        default = getattr(self.shop.order, name, None)
        found = np.array([self._find(place, name, default) for place in range(len(self._rows))], float)
        return found, np.isfinite(found)

    def _find(self, place: int, name: str, default: object) -> object:
        for said in (self._rows[place].get(name), getattr(self.sections[place], name, None), default):
            if said is not None:
                return said
        return np.nan


def say_assumed(unknown: np.ndarray, what: str, taken: str, key: str) -> Iterator[str]:
    """Say what is not known, what is taken for it, and how to tell it."""
    if unknown.any():
        if unknown.all():
            yield t(
                "The {what} is not known: {taken}. Put {key} into shop.toml, or into a table of terms.",
                what=what,
                taken=taken,
                key=key,
            )
            return
        yield t(
            "The {what} of {products} is not known: {taken}. Put {key} into shop.toml, or into a table of terms.",
            what=what,
            products=count_products(int(unknown.sum())),
            taken=taken,
            key=key,
        )
