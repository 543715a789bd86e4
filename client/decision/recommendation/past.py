"""What was bought before a day, as customer × product: how often, how long ago, and how each product sells now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float
from scipy import sparse

from client.decision.recommendation.purchase import NOBODY, Purchases, as_flags, number_of

LONG_DAYS, SHORT_DAYS, NOW_DAYS = 180, 60, 14  # after which a purchase counts half
RECENT_DAYS = 56


@dataclass(frozen=True)
class Past:
    """A shop's purchases before `day`.

    Attributes
    ----------
    bought
        1 where the customer ever bought the product.
    long, short
        Purchases (days with one), each half after `LONG_DAYS` and `SHORT_DAYS`.
    now
        Purchases of each product by anyone, each half after `NOW_DAYS`: what is wanted now.
    recent, ever
        Purchases in `RECENT_DAYS`, and of all time.
    """

    day: date
    bought: sparse.csr_matrix
    long: sparse.csr_matrix
    short: sparse.csr_matrix
    now: Float[np.ndarray, " product"]
    recent: Float[np.ndarray, " product"]
    ever: Float[np.ndarray, " product"]


def make_past(purchases: Purchases, day: date) -> Past:
    """See the shop as it was when `day` began."""
    rows = purchases.where(purchases.day < number_of(day))
    age = number_of(day) - rows.day
    width = len(purchases.products)
    now, recent = (_count(rows.product, weight, width) for weight in (_half(age, NOW_DAYS), age <= RECENT_DAYS))
    long, short = (_sum_up(rows, _half(age, days)) for days in (LONG_DAYS, SHORT_DAYS))
    ever = _count(rows.product, np.ones(len(age)), width)
    return Past(day, as_flags(long.copy()), long, short, now, recent, ever)


def _count(product: np.ndarray, weight: np.ndarray, width: int) -> np.ndarray:
    return np.bincount(product, weight, width).astype(np.float64)  # of nothing it would be whole numbers


def _half(age: np.ndarray, days: int) -> np.ndarray:
    weight: np.ndarray = 0.5 ** (age / days)
    return weight


def _sum_up(rows: Purchases, weight: np.ndarray) -> sparse.csr_matrix:
    """Sum the weights of a customer's days with a product; two orders of one day are one purchase."""
    width = len(rows.products)
    known = np.flatnonzero(rows.customer != NOBODY)
    pair = rows.customer[known] * width + rows.product[known]
    order = np.lexsort((rows.day[known], pair))
    known, pair = known[order], pair[order]
    first = np.ones(len(known), bool)
    first[1:] = (pair[1:] != pair[:-1]) | (rows.day[known][1:] != rows.day[known][:-1])
    known = known[first]
    shape = (len(rows.customers), width)
    placed = (weight[known].astype(np.float32), (rows.customer[known], rows.product[known]))
    found = sparse.csr_matrix(placed, shape=shape)
    found.sum_duplicates()
    return found
