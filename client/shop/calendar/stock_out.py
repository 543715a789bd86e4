"""Days on which a product was out of stock: as stock levels say, or as the silence of a fast seller suggests.

The guess looks at one product's own sales, and at which days the shop was open: a product that is sold many times a day
stops for a run of open days, and comes back as before. How probable that is under its own rate is said with it.

**What is usual** is taken from days with a sale alone, since the days without one are in question: the number of order
lines on a day that has any follows a negative binomial without its zero, and how often that would be zero is what the
rest of it tells. It is never taken to be less than

- what the sales just before and just after the run say, the slower of both;
- how often the same weekday is without a sale outside of such runs.

**False alarms.** A run is proposed where fewer than `FALSE_ALARMS` runs like it are expected by chance in the product's
whole history. Tests hold this against drawn histories, lumpy and seasonal ones among them.

A run at the end is no stock-out here: whether a product comes back is not known yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float, Int

from client.language.speech import t
from client.shop.calendar.closed_day import Source
from client.shop.calendar.sold import Sold

FALSE_ALARMS = 0.01  # runs by chance in the whole history of one product, from which on none is proposed
SHORTEST, LONGEST = 2, 60  # open days of a run; a longer one is a season, or an end
NEIGHBOURS = 7  # days with a sale on either side of a run that say how fast the product was there
FEWEST_SALES = 20  # days with one, from which on a product has a rate of its own
LARGEST_SIZE = 1e6  # of a negative binomial; a Poisson distribution, nearly
SLOWEST = 0.5  # of its usual rate, at which it must have been sold on both sides of a run


@dataclass(frozen=True)
class StockOut:
    """A run of days on which a product was, or seems to have been, out of stock.

    Attributes
    ----------
    chance
        How many such runs its own sales would show by chance; 0 where stock levels say so.
    taken
        Whether it counts: a guess counts only where the owner says so.
    """

    product: str
    first: date
    last: date
    source: Source
    chance: float
    evidence: str
    taken: bool


def told_stock_outs(sold: Sold) -> Iterator[StockOut]:
    """Give the runs of days on which stock levels, or a flag, say that a product ran out."""
    order = np.lexsort((sold.out_day, sold.out_product))
    product, day = sold.out_product[order], sold.out_day[order]
    begins = np.flatnonzero(np.diff(product, prepend=-1).astype(bool) | (np.diff(day, prepend=-2) > 1))
    ends = [*begins[1:], len(day)] if len(begins) else []
    for first, end in zip(begins, ends, strict=True):
        name, days = sold.products[product[first]], int(day[end - 1] - day[first]) + 1
        begin, last = sold.date_of(day[first]), sold.date_of(day[end - 1])
        said = t(
            "Stock levels of {name} say that it ran out from {begin} to {last} ({days} days).",
            name=name,
            begin=begin,
            last=last,
            days=days,
        )
        yield StockOut(name, begin, last, "told", 0.0, said, taken=True)


def guess_stock_outs(sold: Sold, is_open: Bool[np.ndarray, " day"], *, taken: bool) -> Iterator[StockOut]:
    """Propose runs of open days without a sale that are improbable under a product's own rate.

    A product of which any stock level is told is left to that.
    """
    bounds = np.searchsorted(sold.product, np.arange(len(sold.products) + 1))
    place = np.cumsum(is_open) - is_open  # of a day among the open ones
    weekday = ((np.arange(sold.num_days) + sold.first.weekday()) % 7)[is_open]
    zero, size = _zero_chances(sold)
    likely = _likely_gaps(sold, place[sold.day], zero)
    firsts = np.flatnonzero(np.diff(sold.product[likely], prepend=-1))
    for gaps in np.split(likely, firsts[1:]) if len(likely) else ():
        number = int(sold.product[gaps[0]])
        rows = slice(bounds[number], bounds[number + 1])
        series = _Series(place[sold.day[rows]], sold.lines[rows], weekday, float(zero[number]), float(size[number]))
        for before, chance in series.improbable_gaps(gaps - rows.start):
            first, last = _between(is_open, *sold.day[rows][before : before + 2].tolist())
            yield _propose(sold, sold.products[number], first, last, chance, series, taken=taken)


def _likely_gaps(
    sold: Sold, place: Int[np.ndarray, " row"], zero: Float[np.ndarray, " product"]
) -> Int[np.ndarray, " gap"]:
    """Give the rows before the gaps worth a look: those that days of the usual rate would not leave."""
    count = np.bincount(sold.product, minlength=len(sold.products))
    has_rate = count >= FEWEST_SALES
    has_rate[sold.out_product] = False
    gaps = np.diff(place) - 1
    may = (sold.product[1:] == sold.product[:-1]) & (gaps >= SHORTEST) & (gaps <= LONGEST)
    rows = np.flatnonzero(may & has_rate[sold.product[:-1]])
    product = sold.product[rows]
    return rows[count[product] * zero[product] ** gaps[rows] < FALSE_ALARMS]


def _between(is_open: Bool[np.ndarray, " day"], before: int, after: int) -> tuple[int, int]:
    """Give the first and the last open day between two days."""
    days = np.flatnonzero(is_open[before + 1 : after]) + before + 1
    return int(days[0]), int(days[-1])


def _propose(sold: Sold, name: str, first: int, last: int, chance: float, series: _Series, *, taken: bool) -> StockOut:
    begin, end = sold.date_of(first), sold.date_of(last)
    return StockOut(
        name,
        begin,
        end,
        "guess",
        chance,
        t(
            "{name} sells {rate:.1f} times a day, but not once from {begin} to {end}, and then as "
            "before; by chance such a run comes {chance} in its whole history. Was it out of stock?",
            name=name,
            rate=series.rate,
            begin=begin,
            end=end,
            chance=_frequency(chance),
        ),
        taken=taken,
    )


def _frequency(chance: float) -> str:
    return t("{chance:.1g} times", chance=chance) if chance >= 1e-6 else t("less than once in a million times")


@dataclass(frozen=True)
class _Series:
    """One product's days with a sale.

    Attributes
    ----------
    place
        Of each among the open days.
    weekday
        Of every open day.
    zero, size
        As `_zero_chances` gives them.
    """

    place: Int[np.ndarray, " sale"]
    lines: Float[np.ndarray, " sale"]
    weekday: Int[np.ndarray, " open_day"]
    zero: float
    size: float

    @property
    def rate(self) -> float:
        """Lines on a usual day: the median of days with a sale."""
        return float(np.median(self.lines))

    def improbable_gaps(self, likely: Int[np.ndarray, " gap"]) -> Iterator[tuple[int, float]]:
        """Give the sale before each of these gaps that is no chance, and how many such gaps chance would make."""
        quiet = self._quiet_weekdays(likely)
        for before in likely:
            near = self._rate_near(int(before))
            if near < SLOWEST * self.rate:
                continue
            least = max(self.zero, (1 + near / self.size) ** -self.size)
            days = self.weekday[self.place[before] + 1 : self.place[before + 1]]
            chance = len(self.lines) * float(np.prod(np.maximum(least, quiet[days])))
            if chance < FALSE_ALARMS:
                yield int(before), chance

    def _rate_near(self, before: int) -> float:
        """Give the lines per open day just before and after a gap, the fewer of both; 0 where too few are known."""
        sides = (slice(max(before - NEIGHBOURS + 1, 0), before + 1), slice(before + 1, before + 1 + NEIGHBOURS))
        rates = []
        for side in sides:
            place, lines = self.place[side], self.lines[side]
            rates.append(lines.sum() / (place[-1] - place[0] + 1) if len(lines) == NEIGHBOURS else 0.0)
        return float(min(rates))

    def _quiet_weekdays(self, candidates: Int[np.ndarray, " gap"]) -> Float[np.ndarray, " 7"]:
        """Give the share of each weekday's open days without a sale, outside of the gaps in question."""
        first, last = self.place[0], self.place[-1]
        counted = np.zeros(len(self.weekday), bool)
        counted[first : last + 1] = True
        for before in candidates:
            counted[self.place[before] + 1 : self.place[before + 1]] = False
        sold = np.zeros(len(self.weekday), bool)
        sold[self.place] = True
        there = np.bincount(self.weekday[counted], minlength=7)
        without = np.bincount(self.weekday[counted & ~sold], minlength=7)
        return (without + 0.5) / (there + 1.0)


def _zero_chances(sold: Sold) -> tuple[Float[np.ndarray, " product"], Float[np.ndarray, " product"]]:
    """Say how often each product's count would be 0 of which only the days above 0 are seen, and its size.

    Notes
    -----
    Negative binomial with mean m and size r: of the counts above 0 the first two moments are m / (1 - z) and
    (m + m² (1 + 1/r)) / (1 - z), where z = (1 + m / r) ** -r. Both equations are solved for m, r and z in turn.
    """
    number = len(sold.products)
    count = np.maximum(np.bincount(sold.product, minlength=number), 1)
    mean, square = (np.bincount(sold.product, weights, number) / count for weights in (sold.lines, sold.lines**2))
    zero, size = np.zeros(number), np.full(number, LARGEST_SIZE)
    open_ = np.flatnonzero(mean > 0)  # products that are not solved yet
    for _ in range(100):
        m = mean[open_] * (1 - zero[open_])
        spread = (square[open_] * (1 - zero[open_]) - m) / m**2 - 1  # 1 / r
        size[open_] = r = 1 / np.maximum(spread, 1 / LARGEST_SIZE)
        new = np.minimum((1 + m / r) ** -r, 0.999)
        moves = np.abs(new - zero[open_]) >= 1e-9
        zero[open_[moves]] = new[moves]
        open_ = open_[moves]
    return zero, size
