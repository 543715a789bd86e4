"""From when to when a product is sold, by its own rhythm: what comes before its first sale is no zero demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import betaln

from client.shop.calendar.sold import Sold

IMPROBABLE = 0.001  # chance of a silence at an end, under the product's own rhythm, below which it is an end
TIMES_LONGEST = 2.0  # of the longest silence that it came back from
SHORTEST = 14  # open days; a shorter silence is none


@dataclass(frozen=True)
class Life:
    """From when to when a product was sold.

    Attributes
    ----------
    is_new
        Whether it came after the shop's first day, by its own rhythm.
    is_ended
        Whether it is sold no longer, by its own rhythm.
    chance_of_silence
        How probable the silence since its last sale is if it is still sold.
    """

    product: str
    first_sale: date
    last_sale: date
    is_new: bool
    is_ended: bool
    chance_of_silence: float


def find_lives(sold: Sold, is_open: Bool[np.ndarray, " day"]) -> Iterator[Life]:
    """Hold the silence before the first and after the last sale of each product against its own rhythm.

    Notes
    -----
    Of n open days from the first sale to the last, k had one; the chance p of a sale on a day is then Beta(k - 1/2,
    n - k + 1), the two ends being chosen and not drawn. A silence of g days has the mean of (1 - p) ** g.
    """
    place = np.cumsum(is_open) - is_open
    begins = np.searchsorted(sold.product, np.arange(len(sold.products)))
    ends = np.searchsorted(sold.product, np.arange(len(sold.products)), side="right")
    there = np.flatnonzero(ends > begins)
    first, last = sold.day[begins[there]], sold.day[ends[there] - 1]
    count = (ends - begins)[there]
    span = place[last] - place[first] + 1
    longest = _longest_gaps(sold, place)[there]
    before, after = place[first], int(is_open.sum()) - 1 - place[last]
    silent_before, silent_after = (_chance(count, span, silence) for silence in (before, after))
    limit = np.maximum(TIMES_LONGEST * longest, SHORTEST)
    is_new = (silent_before < IMPROBABLE) & (before >= limit)
    is_ended = (silent_after < IMPROBABLE) & (after >= limit)
    for row, number in enumerate(there):
        yield Life(
            sold.products[number],
            sold.date_of(first[row]),
            sold.date_of(last[row]),
            bool(is_new[row]),
            bool(is_ended[row]),
            float(silent_after[row]),
        )


def _longest_gaps(sold: Sold, place: Int[np.ndarray, " day"]) -> Int[np.ndarray, " product"]:
    longest = np.zeros(len(sold.products), np.int64)
    same = sold.product[1:] == sold.product[:-1]
    np.maximum.at(longest, sold.product[1:][same], np.diff(place[sold.day])[same] - 1)
    return longest


def _chance(
    count: Int[np.ndarray, " product"], span: Int[np.ndarray, " product"], silence: Int[np.ndarray, " product"]
) -> Float[np.ndarray, " product"]:
    sold, unsold = count - 0.5, span - count + 1.0
    return np.exp(betaln(sold, unsold + silence) - betaln(sold, unsold))
