"""What kind each day was: open, closed, out of stock, before a product's first sale, after its last.

What the owner told counts. What only the sales suggest is a guess, shown with its evidence; a guess of a closed day
counts unless `[days] closed = "told"`, a guess of a day out of stock only where `[days] out = "guess"`.

**For the shop alone.** A guess here looks at the rows of all products together: a day without any row of any product.
Nothing of it leaves the shop. For a federation that would be no right way to find a closed day, since one product's
row would decide about another's record; on the plan's road (`common.data.panel`) a day is closed as the plan says, or
as the entity's own rows say, and none of this is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool

from client.language.speech import join, t
from client.shop.calendar.closed_day import Closure, ShopDays, guess_closures, guess_holidays, guess_weekdays
from client.shop.calendar.kept import Kept
from client.shop.calendar.life import Life, find_lives
from client.shop.calendar.sold import Sold, read_sold
from client.shop.calendar.stock_out import StockOut, guess_stock_outs, told_stock_outs
from client.shop.settings import Shop
from common.calendar.public_holiday import holidays_between, span_of
from common.plan.schema import WEEKDAYS


@dataclass(frozen=True)
class DayKinds:
    """The kinds of all days from the first to the last sale, and what goes on after them.

    Attributes
    ----------
    closures
        All of them, told and guessed.
    weekdays, holidays
        What goes on being closed after the last day: weekdays (Monday is 0), and public holidays by name; None: all.
    place
        Country and part of it, for public holidays.
    stock_outs
        By product and day.
    lives
        By product, in the order of their names.
    """

    first: date
    last: date
    closures: tuple[Closure, ...]
    weekdays: frozenset[int]
    holidays: frozenset[str] | None
    place: tuple[str, str]
    stock_outs: tuple[StockOut, ...]
    lives: tuple[Life, ...]

    @property
    def closed(self) -> frozenset[date]:
        """Every day that counts as closed up to the last sale, and those that were told of days to come."""
        return frozenset(day for closure in self.closures if closure.taken for day in closure.days)

    @property
    def proposed(self) -> tuple[StockOut, ...]:
        """The stock-outs that are only guessed and not taken."""
        return tuple(each for each in self.stock_outs if not each.taken)

    def is_open(self, first: date, last: date) -> Bool[np.ndarray, " day"]:
        """Whether the shop is open on each day of a span."""
        closed = self.closed | self._goes_on(first, last)
        return np.array([day not in closed for day in span_of(first, last)], bool)

    def is_out(self, products: Sequence[str], first: date, last: date) -> Bool[np.ndarray, "product day"]:
        """Whether each product counts as out of stock on each day of a span."""
        row = {product: number for number, product in enumerate(products)}
        found = np.zeros((len(products), (last - first).days + 1), bool)
        for each in self.stock_outs:
            if each.taken and each.product in row and each.last >= first:
                found[row[each.product], max((each.first - first).days, 0) : (each.last - first).days + 1] = True
        return found

    def _goes_on(self, first: date, last: date) -> frozenset[date]:
        """Give the days after the last sale that are closed as such days were."""
        if last <= self.last:  # which may be the calendar's own last day
            return frozenset()
        begins = max(first, self.last + timedelta(days=1))
        weekly = {day for day in span_of(begins, last) if day.weekday() in self.weekdays}
        if not self.place[0] or self.holidays == frozenset():
            return frozenset(weekly)
        names = holidays_between(*self.place, begins, last).names
        return frozenset(weekly | {day for day in names if self.holidays is None or names[day] in self.holidays})


def guess_kinds(history: Kept, shop: Shop) -> DayKinds:
    """Tell the kinds of a shop's days from what the owner told and from its own sales.

    Raises
    ------
    DataError
        Nothing was ever sold.
    """
    sold = read_sold(history)
    kinds = _guess_open(history, shop, sold)
    is_open = kinds.is_open(sold.first, sold.last)
    outs = [*told_stock_outs(sold), *guess_stock_outs(sold, is_open, taken=shop.days.out == "guess")]
    outs.sort(key=lambda each: (each.product, each.first))
    return replace(kinds, stock_outs=tuple(outs), lives=tuple(find_lives(sold, is_open)))


def find_ended(history: Kept, shop: Shop) -> frozenset[str]:
    """Name the products that are sold no longer, as `guess_kinds` does, without looking for stock-outs.

    Raises
    ------
    DataError
        Nothing was ever sold.
    """
    sold = read_sold(history)
    is_open = _guess_open(history, shop, sold).is_open(sold.first, sold.last)
    return frozenset(life.product for life in find_lives(sold, is_open) if life.is_ended)


def _guess_open(history: Kept, shop: Shop, sold: Sold) -> DayKinds:
    """Tell which days the shop was open on, and nothing of its products yet."""
    told = tuple(_told(history, shop, sold))
    days = ShopDays(sold.first, sold.lines_by_day, [day for closure in told for day in closure.days])
    weekly = tuple(guess_weekdays(days))
    for each in weekly:
        days.explain(each.closure.days)
    by_name, names = _guess_holidays(days, shop, sold)
    days.explain(by_name.days if by_name else ())
    takes = shop.days.closed == "guess"
    guessed = [*(each.closure for each in weekly), *([by_name] if by_name else []), *guess_closures(days)]
    closures = (*told, *(replace(closure, taken=takes) for closure in guessed))
    weekdays = {WEEKDAYS.index(name) for name in shop.closed_weekdays}
    weekdays |= {each.weekday for each in weekly if takes and each.goes_on}
    return DayKinds(
        first=sold.first,
        last=sold.last,
        closures=closures,
        weekdays=frozenset(weekdays),
        holidays=None if shop.closed_holidays else names if takes else frozenset(),
        place=(shop.country, shop.subdivision),
        stock_outs=(),
        lives=(),
    )


def _guess_holidays(days: ShopDays, shop: Shop, sold: Sold) -> tuple[Closure | None, frozenset[str]]:
    if not shop.country or shop.closed_holidays:
        return None, frozenset()
    return guess_holidays(days, holidays_between(shop.country, shop.subdivision, sold.first, sold.last))


def _told(history: Kept, shop: Shop, sold: Sold) -> Iterator[Closure]:
    """Give what the owner told, without the days on which something was sold all the same."""
    span = span_of(sold.first, sold.last)
    for name in shop.closed_weekdays:
        days = [day for day in span if day.weekday() == WEEKDAYS.index(name)]
        yield _without_sales(f"{name.capitalize()}s", days, t("shop.toml says so."), sold)
    if shop.closed_dates:
        yield _without_sales("closed dates", shop.closed_dates, t("shop.toml says so."), sold)
    if shop.closed_holidays and shop.country:
        names = holidays_between(shop.country, shop.subdivision, sold.first, sold.last).names
        inside = [day for day in names if sold.first <= day <= sold.last]
        yield _without_sales("public holidays", inside, t("shop.toml says so."), sold)
    for row in (each for each in history.records("closures").to_pylist() if each["first_day"]):
        days = span_of(row["first_day"], row["last_day"] or row["first_day"])
        yield _without_sales(row["name"] or "a closure", days, t("The history has this closure."), sold)


def _without_sales(why: str, days: Sequence[date], evidence: str, sold: Sold) -> Closure:
    lines = sold.lines_by_day
    open_days = [day for day in days if sold.first <= day <= sold.last and lines[(day - sold.first).days] > 0]
    if open_days:
        named = ", ".join(map(str, open_days[:3])) + (", …" if len(open_days) > 3 else "")
        more = t(
            " But something was sold on {days} of these days ({named}), which count as open.",
            days=len(open_days),
            named=named,
        )
        evidence = join((evidence, more))
    kept = tuple(day for day in days if day not in set(open_days))
    return Closure(why, "told", kept, evidence, tuple(open_days))
