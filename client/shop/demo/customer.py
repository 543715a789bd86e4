"""The demo shop's customers: each with a rhythm and a taste, some leaving, and the orders that they make.

The pieces that were sold are given; here they become lines of orders. Who comes on a day is drawn by rhythm, and what
lands in whose basket by taste, so customers and products hang together and every product's law stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.shop.demo.good import CATEGORIES, GOODS
from client.shop.demo.law import Law
from client.shop.demo.shelf import Shelf

NUMBER, GUESTS = 700, 0.18  # customers, and the share of orders that name none
GAP_DAYS, LEAVING = 45.0, 0.35  # the usual time between two orders, and the share that leaves
PIECES_AN_ORDER, OFTEN_IN_A_LINE = 2.6, 0.22
LANGUAGES, LANGUAGE_SHARES = ("de", "en", "zh"), (0.6, 0.28, 0.12)


@dataclass(frozen=True)
class Customers:
    """Whoever buys.

    Attributes
    ----------
    gap
        Days between two orders of each while it is a customer.
    first, last
        Days on which each becomes a customer, and is one no more.
    taste
        How much each likes a category, 1 on average.
    """

    gap: Float[np.ndarray, " customer"]
    first: Int[np.ndarray, " customer"]
    last: Int[np.ndarray, " customer"]
    taste: Float[np.ndarray, "customer category"]
    language: Int[np.ndarray, " customer"]


@dataclass(frozen=True)
class Lines:
    """Lines of orders, in the order in which they were made; a customer of -1 is a guest."""

    order: Int[np.ndarray, " line"]
    day: Int[np.ndarray, " line"]
    second: Int[np.ndarray, " line"]
    customer: Int[np.ndarray, " line"]
    product: Int[np.ndarray, " line"]
    quantity: Int[np.ndarray, " line"]


def draw_customers(law: Law, generator: np.random.Generator) -> Customers:
    """Draw who they are."""
    first = np.where(generator.random(NUMBER) < 0.45, 0, generator.integers(0, law.days - 20, NUMBER))
    stay = np.where(generator.random(NUMBER) < LEAVING, generator.exponential(200.0, NUMBER) + 30, 10_000)
    gap = GAP_DAYS * generator.gamma(2.5, 1 / 2.5, NUMBER) + 6
    taste = generator.dirichlet(np.full(len(CATEGORIES), 0.5), NUMBER) * len(CATEGORIES) + 0.05
    language = generator.choice(len(LANGUAGES), NUMBER, p=LANGUAGE_SHARES)
    return Customers(gap, first, (first + stay).astype(np.int64), taste, language)


def make_lines(law: Law, shelf: Shelf, customers: Customers, generator: np.random.Generator) -> Lines:
    """Put what was sold into orders, day by day."""
    category = np.array([CATEGORIES.index(good.category) for good in GOODS])
    since = np.full(NUMBER, 1000.0)  # days since the last order of each
    parts, number = list[np.ndarray](), 1
    for day in range(law.days):
        product, quantity = _cut(shelf.sold[:, day], generator)
        since += 1
        if len(product) == 0:
            continue
        there = (customers.first <= day) & (day < customers.last)
        due = there * np.minimum(since / customers.gap, 3.0) ** 3 / customers.gap + 1e-9
        orders = min(max(1, round(quantity.sum() / PIECES_AN_ORDER)), NUMBER // 2)
        who = generator.choice(NUMBER, orders, replace=False, p=due / due.sum())
        likes = customers.taste[who][:, category[product]].cumsum(axis=0)
        basket = (likes < generator.random(len(product)) * likes[-1]).sum(axis=0)
        chosen, basket = np.unique(basket, return_inverse=True)  # whoever took nothing has no order
        since[who[chosen]] = 0.0
        named = np.where(generator.random(len(chosen)) < GUESTS, -1, who[chosen])
        second = np.sort(generator.integers(8 * 3600, 20 * 3600, len(chosen)))
        rows = [number + basket, np.full(len(product), day), second[basket], named[basket], product, quantity]
        parts.append(np.stack(rows))
        number += len(chosen)
    whole = np.concatenate(parts, axis=1)
    return Lines(*whole[:, np.argsort(whole[0], kind="stable")])


def _cut(
    sold: Int[np.ndarray, " product"], generator: np.random.Generator
) -> tuple[Int[np.ndarray, " line"], Int[np.ndarray, " line"]]:
    """Cut the pieces of each product into lines, most of one piece."""
    product = np.repeat(np.arange(len(sold)), sold)
    begins = generator.random(len(product)) >= OFTEN_IN_A_LINE
    begins[np.flatnonzero(np.diff(product, prepend=-1))] = True
    starts = np.flatnonzero(begins)
    return product[starts], np.diff(starts, append=len(product))
