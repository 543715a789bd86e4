"""Invent the demo shop: the same seed and last day give the same shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Int

from client.shop.demo.customer import Customers, Lines, draw_customers, make_lines
from client.shop.demo.law import Law, make_law
from client.shop.demo.review import Review, write_reviews
from client.shop.demo.shelf import Shelf, run_shelf

DAYS = 756  # so that the time of year can be told from a trend
VIEWS_A_PIECE, OTHER_VIEWS, CARTS_A_PIECE = 9.0, 1.5, 1.7
RETURNED = 0.03


@dataclass(frozen=True)
class DemoShop:
    """The shop and its truth.

    Attributes
    ----------
    views, carts
        By product and day.
    returned
        Places among the lines of what went back, and on which day.
    """

    law: Law
    shelf: Shelf
    customers: Customers
    lines: Lines
    reviews: tuple[Review, ...]
    views: Int[np.ndarray, "product day"]
    carts: Int[np.ndarray, "product day"]
    returned: tuple[tuple[int, int], ...]


def invent_demo(last: date, *, seed: int = 0, days: int = DAYS) -> DemoShop:
    """Invent the history of so many days that ends on `last`; each part draws from a generator of its own."""
    parts = [np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(6)]
    law = make_law(last - timedelta(days=days - 1), last, parts[0])
    shelf = run_shelf(law, parts[1])
    customers = draw_customers(law, parts[2])
    lines = make_lines(law, shelf, customers, parts[3])
    reviews = write_reviews(law, lines, customers, parts[4])
    looked = parts[5].poisson(OTHER_VIEWS * (law.mean[:, :days] > 0) + VIEWS_A_PIECE * law.mean[:, :days])
    carts = shelf.sold + parts[5].poisson((CARTS_A_PIECE - 1) * law.mean[:, :days])
    return DemoShop(law, shelf, customers, lines, reviews, looked + carts, carts, _send_back(lines, days, parts[5]))


def _send_back(lines: Lines, days: int, generator: np.random.Generator) -> tuple[tuple[int, int], ...]:
    chosen = np.flatnonzero(generator.random(len(lines.day)) < RETURNED)
    day = lines.day[chosen] + generator.integers(3, 20, len(chosen))
    return tuple((int(line), int(when)) for line, when in zip(chosen, day, strict=True) if when < days)
