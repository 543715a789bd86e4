"""From when to when a product is sold, by its own rhythm: the one law of new and of gone.

`check` names what is gone, the forecast is nothing for it, and it is neither ordered nor recommended: all ask here.

**Gone** is a product that has been silent for `GONE_DAYS` open days, where silence so long is less probable than
`GONE_CHANCE` by its own rhythm. **Unless it has a season**: it was as silent on the same days a year before, and sold
in the half-year that followed, so it may come back. **Unless it was only missing**: days on which a stock level says
that there was none are no silence, and what ran out by a level of the last `LATELY_DAYS` is not gone; both for
`MISSING_DAYS` after its last sale, for nobody leaves a shelf empty longer of what is still to be sold.

The numbers were chosen on Online Retail II: at 14 days of its second year, three weeks apart, 2.7 % of what is named
sold within four weeks, and all that was named made 0.23 % of the next quarter's pieces; after 28 days of silence
instead of 56 it is 3.9 % and 0.44 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import betaln

from client.shop.calendar.sold import Sold

IMPROBABLE = 0.001  # chance of a silence before the first sale, under the product's own rhythm, from which on it is new
TIMES_LONGEST = 2.0  # of the longest silence that it came back from
SHORTEST = 14  # open days; a shorter silence before the first sale is none
GONE_DAYS, GONE_CHANCE = 56, 1e-4
LATELY_DAYS, MISSING_DAYS = 28, 182
YEAR_DAYS, SEASON_DAYS, MARGIN_DAYS = 364, 182, 21  # of a year before, of what followed, and of how exact a season is


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


@dataclass(frozen=True)
class Days:
    """Days with a sale, and days out of stock, by product and in its order; days are counted from the same first.

    Attributes
    ----------
    number
        Of products.
    """

    number: int
    product: Int[np.ndarray, " row"]
    day: Int[np.ndarray, " row"]
    out_product: Int[np.ndarray, " out"]
    out_day: Int[np.ndarray, " out"]


def find_lives(sold: Sold, is_open: Bool[np.ndarray, " day"]) -> Iterator[Life]:
    """Hold the silence before the first and after the last sale of each product against its own rhythm.

    Notes
    -----
    Of n open days from the first sale to the last, k had one; the chance p of a sale on a day is then Beta(k - 1/2,
    n - k + 1), the two ends being chosen and not drawn. A silence of g days before has the mean of (1 - p) ** g.
    """
    days = Days(len(sold.products), sold.product, sold.day, sold.out_product, sold.out_day)
    is_new = _find_new(sold, is_open)
    chance = chance_of_silence(days, is_open)
    is_gone = find_gone(days, is_open)
    first, last = _ends(days)
    for number in np.flatnonzero(last >= 0):
        yield Life(
            sold.products[number],
            sold.date_of(first[number]),
            sold.date_of(last[number]),
            bool(is_new[number]),
            bool(is_gone[number]),
            float(chance[number]),
        )


def find_gone(days: Days, is_open: Bool[np.ndarray, " day"]) -> Bool[np.ndarray, " product"]:
    """Tell which products are sold no longer after the last day."""
    silent = _silence(days, is_open) >= GONE_DAYS
    improbable = chance_of_silence(days, is_open) < GONE_CHANCE
    return silent & improbable & ~_has_season(days, len(is_open)) & ~_is_missing(days, len(is_open))


def chance_of_silence(days: Days, is_open: Bool[np.ndarray, " day"]) -> Float[np.ndarray, " product"]:
    """Tell how probable the open days without a sale since the last one are, had it gone on as before.

    The rate has some more days without a sale than were seen, so that a product of one day is never certain to go on.
    """
    place = np.cumsum(is_open) - is_open
    first, last = _ends(days)
    seen = last >= 0
    lived = np.where(seen, place[last] - place[first] + 1, 0)
    lived = lived - _count_out(days, is_open, first, last)
    count = np.bincount(days.product, minlength=days.number)
    rate = np.minimum(count / (np.maximum(lived, count) + GONE_DAYS / 2), 0.999)
    return np.where(seen, np.exp(_silence(days, is_open) * np.log1p(-rate)), 1.0)


def _silence(days: Days, is_open: Bool[np.ndarray, " day"]) -> Int[np.ndarray, " product"]:
    """Count the open days since the last sale on which it could have been sold; 0 where it never was."""
    place = np.cumsum(is_open) - is_open
    _, last = _ends(days)
    after = np.where(last >= 0, int(is_open.sum()) - 1 - place[last], 0)
    return np.maximum(after - _count_out(days, is_open, last + 1, last + MISSING_DAYS), 0)


def _ends(days: Days) -> tuple[Int[np.ndarray, " product"], Int[np.ndarray, " product"]]:
    """Give the day of the first and of the last sale, -1 where there is none."""
    begins, ends = (np.searchsorted(days.product, np.arange(days.number), side=side) for side in ("left", "right"))
    first, last = np.full((2, days.number), -1)
    there = ends > begins
    first[there], last[there] = days.day[begins[there]], days.day[ends[there] - 1]
    return first, last


def _count_out(
    days: Days, is_open: Bool[np.ndarray, " day"], first: Int[np.ndarray, " product"], last: Int[np.ndarray, " product"]
) -> Int[np.ndarray, " product"]:
    """Count the open days out of stock between two days of each product."""
    product, day = days.out_product, days.out_day
    inside = (day >= first[product]) & (day <= last[product]) & is_open[day]
    return np.bincount(product[inside], minlength=days.number)


def _is_missing(days: Days, today: int) -> Bool[np.ndarray, " product"]:
    """Whether a stock level of late says that there is none, though it sold not too long ago."""
    _, last = _ends(days)
    lately = (days.out_day > last[days.out_product]) & (days.out_day >= today - LATELY_DAYS)
    is_out = np.bincount(days.out_product[lately], minlength=days.number) > 0
    return is_out & (last >= today - MISSING_DAYS)


def _has_season(days: Days, today: int) -> Bool[np.ndarray, " product"]:
    """Whether it was silent on the same days a year before, and sold in the half-year that followed.

    A history of less than a year knows no season.
    """
    _, last = _ends(days)
    ago = today - YEAR_DAYS
    day, product = days.day, days.product
    same = (day > last[product] - YEAR_DAYS) & (day < ago)
    following = (day >= ago - MARGIN_DAYS) & (day < ago + SEASON_DAYS + MARGIN_DAYS)
    was_sold, came = (np.bincount(product[part], minlength=days.number) > 0 for part in (same, following))
    return ~was_sold & came & (ago >= 0)


def _find_new(sold: Sold, is_open: Bool[np.ndarray, " day"]) -> Bool[np.ndarray, " product"]:
    """Tell which products came after the shop's first day, by their own rhythm."""
    place = np.cumsum(is_open) - is_open
    first, last = _ends(Days(len(sold.products), sold.product, sold.day, sold.out_product, sold.out_day))
    count, before = np.bincount(sold.product, minlength=len(sold.products)), place[first]
    span = place[last] - before + 1
    unlikely = _chance(np.maximum(count, 1), span, before) < IMPROBABLE
    long = before >= np.maximum(TIMES_LONGEST * _longest_gaps(sold, place), SHORTEST)
    return (count > 0) & unlikely & long


def _longest_gaps(sold: Sold, place: Int[np.ndarray, " day"]) -> Int[np.ndarray, " product"]:
    longest = np.zeros(len(sold.products), np.int64)
    same = sold.product[1:] == sold.product[:-1]
    np.maximum.at(longest, sold.product[1:][same], np.diff(place[sold.day])[same] - 1)
    return longest


def _chance(
    count: Int[np.ndarray, " product"], span: Int[np.ndarray, " product"], silence: Int[np.ndarray, " product"]
) -> Float[np.ndarray, " product"]:
    sold, unsold = count - 0.5, np.maximum(span - count + 1.0, 1.0)
    return np.exp(betaln(sold, unsold + silence) - betaln(sold, unsold))
