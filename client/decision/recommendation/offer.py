"""One line of an answer: what to offer, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["again", "new", "top", "together"]


@dataclass(frozen=True)
class Offer:
    """A product to offer.

    Attributes
    ----------
    kind
        "again": bought before by this customer; "new": never; "top": of the shop; "together": beside a basket.
    both, of
        What the reason counts: `both` of `of`; 0 where it counts nothing.
    lift
        How many times as often as by chance both are in a basket; None where it was not asked.
    stock
        "" where there is nothing to say of it, else "short" or "ample".
    """

    rank: int
    product: str
    name: str
    kind: Kind
    score: float
    reason: str
    both: int = 0
    of: int = 0
    lift: float | None = None
    stock: str = ""


@dataclass(frozen=True)
class Answer:
    """Offers to one customer, beside one basket or product, or to everyone.

    Attributes
    ----------
    about
        What was asked for, in words.
    customer
        Keyed hash; "" where it is about none.
    notes
        What is worth knowing of them, in sentences.
    """

    about: str
    offers: tuple[Offer, ...]
    customer: str = ""
    notes: tuple[str, ...] = ()
