"""Forecasts of every product, as arrays, and the JSON of each product, written once when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from client.serving.encoding import encode
from common.forecast.table import QUANTILES


@dataclass(frozen=True)
class Ahead:
    """A day or a week ahead.

    Attributes
    ----------
    name
        As 2026-12-01 or 2026-W49.
    partial
        Whether the calendar's week has days that are not forecast.
    """

    name: str
    first: date
    last: date
    open_days: int
    partial: bool


@dataclass(frozen=True)
class Forecasts:
    """What every product will sell, by day or by week.

    Attributes
    ----------
    about
        Where it comes from: `from`, `until`, `methods`, `warnings` and the like.
    quantiles
        At 0.1, 0.2 … 0.9.
    probability
        Of any sale.
    without
        The mean without anybody's override.
    place
        Product → its row.
    """

    about: dict[str, Any]
    products: tuple[str, ...]
    names: tuple[str, ...]
    states: tuple[str, ...]
    periods: tuple[Ahead, ...]
    mean: Float[np.ndarray, "product period"]
    quantiles: Float[np.ndarray, "product period level"]
    probability: Float[np.ndarray, "product period"]
    without: Float[np.ndarray, "product period"]
    place: dict[str, int]
    _written: dict[int, bytes] = field(default_factory=dict)  # what never changes need not be written twice

    def write(self, row: int) -> bytes:
        """Write all periods of a product as JSON."""
        found = self._written.get(row)
        if found is None:
            found = self._written[row] = self.write_some(row, range(len(self.periods)))
        return found

    def write_some(self, row: int, places: Sequence[int]) -> bytes:
        """Write some periods of a product as JSON."""
        return encode(
            {
                "product": self.products[row],
                "name": self.names[row],
                "state": self.states[row],
                "periods": [self._describe(row, place) for place in places],
            }
        )

    def between(self, first: date | None, last: date | None) -> list[int]:
        """Give the places of the periods that have a day from `first` to `last`."""
        return [
            place
            for place, period in enumerate(self.periods)
            if (first is None or period.last >= first) and (last is None or period.first <= last)
        ]

    def _describe(self, row: int, place: int) -> dict[str, Any]:
        period = self.periods[place]
        quantiles = zip(QUANTILES, self.quantiles[row, place].tolist(), strict=True)
        return {
            "name": period.name,
            "first": period.first,
            "last": period.last,
            "open_days": period.open_days,
            "partial": period.partial,
            "mean": float(self.mean[row, place]),
            **dict(quantiles),
            "probability": float(self.probability[row, place]),
            "without": float(self.without[row, place]),
        }


def arrange(table: pa.Table, about: dict[str, Any]) -> Forecasts:
    """Arrange the rows of a forecast, product by product and period by period, as arrays."""
    number = len(about["periods"])
    head = table.slice(0, number).select(["period", "first", "last", "open_days", "partial"]).to_pylist()
    each = table.take(pa.array(range(0, table.num_rows, number), pa.int64()))
    products = tuple(each["product"].to_pylist())

    def cut(name: str) -> Float[np.ndarray, "product period"]:
        return np.asarray(table[name].to_numpy().reshape(len(products), number))

    return Forecasts(
        about=about,
        products=products,
        names=tuple(each["name"].to_pylist()),
        states=tuple(each["state"].to_pylist()),
        periods=tuple(
            Ahead(row["period"], row["first"], row["last"], row["open_days"], row["partial"]) for row in head
        ),
        mean=cut("mean"),
        quantiles=np.stack([cut(name) for name in QUANTILES], axis=2),
        probability=cut("probability"),
        without=cut("without"),
        place={product: row for row, product in enumerate(products)},
    )
