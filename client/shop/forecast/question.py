"""What a shop wants to know of the days ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from client.shop.forecast.period import By

Of = Literal["product", "category", "shop"]


@dataclass(frozen=True)
class Question:
    """What a shop wants to know.

    Attributes
    ----------
    horizon
        As `client.shop.forecast.period.read_horizon` reads it; "" for the usual one.
    origin
        The first day that is forecast; the day after the last sale if left out.
    products
        All if empty.
    method
        One candidate to serve alone; the weighed average if empty.
    of
        Whether each product is wanted by itself, or sums of them.
    """

    by: By = "week"
    horizon: str = ""
    origin: date | None = None
    products: tuple[str, ...] = ()
    method: str = ""
    of: Of = "product"
