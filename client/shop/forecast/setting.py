"""Everything that is the same for all products of a forecast: sales, calendar, plan, past origins, periods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Int

from client.language.count import count_days
from client.language.speech import t
from client.shop.calendar.ahead import Ahead
from client.shop.calendar.day_after import day_after
from client.shop.calendar.day_kind import guess_kinds
from client.shop.calendar.kept import Kept
from client.shop.forecast.candidate import Batch
from client.shop.forecast.category import Categories, read_categories
from client.shop.forecast.federation import NOTHING, Found, find_released, has_model
from client.shop.forecast.known import Known, find_closed, look_ahead
from client.shop.forecast.panel import Days, build_panel
from client.shop.forecast.past import see_as_of
from client.shop.forecast.period import LONGEST_DAYS, Period, cut_periods, read_horizon
from client.shop.forecast.plan import STEP_DAYS, make_plan
from client.shop.forecast.question import Question
from client.shop.forecast.remembered import Remembered
from client.shop.forecast.sales import Sales, read_sales
from client.shop.override.applying import Change, read_change
from client.shop.settings import Shop
from common.errors import ConfigError, DataError
from common.plan.schema import Plan

SHORTEST_PAST_DAYS = 14  # of a panel; before the first sale nothing is open
LONGEST_PAST_DAYS = 3 * 371  # older days say little, and cost as much as newer ones
LEARNED_FROM = 1000  # products
PAST_ORIGINS, SPACING_DAYS = 4, 28
LEAST_PAST_DAYS = 42  # before the first past origin, for simple methods
TREES_PAST_DAYS = 56  # and one horizon, for trees
LONG_AGO_DAYS = 31  # a history that ended earlier than that before today is old
SEED = 0

OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class Setting:
    """Everything that is the same for all products.

    Attributes
    ----------
    first_sale
        Index of the day of the shop's first sale.
    periods
        They may begin later than the forecast does, where days before them are not known.
    change
        What persons expect in place of what would be forecast.
    folder
        Of the shop, where what is learned is kept; None where there is none.
    found
        What a federation has released to this shop, and whether it can be used.
    """

    sales: Sales
    known: Known
    plan: Plan
    days: Days
    first_sale: int
    origins: tuple[int, ...]
    periods: tuple[Period, ...]
    categories: Categories
    change: Change
    folder: Path | None = None
    found: Found = NOTHING

    def batch(self, chosen: Int[np.ndarray, " product"]) -> Batch:
        """Lay some products out."""
        names = [self.sales.products[place] for place in chosen]
        ahead, kinds = self.known.ask(names), self.known.kinds
        panel = build_panel(
            self.sales,
            chosen,
            self.days,
            is_out=kinds.is_out(names, self.known.first, self.known.last),
            own=self.known.own(ahead) if self.known.own_names else None,
            own_names=self.known.own_names,
        )
        return Batch(panel, self.plan, self.origins, self.first_sale, self.found.released)


def set_up(history: Kept, shop: Shop, question: Question, *, today: date, on_step: OnStep) -> tuple[Setting, list[str]]:
    """Read what was sold, choose the plan and the past origins, and give warnings in sentences.

    Raises
    ------
    ConfigError
        The question cannot be answered as it is put.
    DataError
        There is nothing to forecast from.
    """
    history = Remembered(history)
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
    frame = _frame(question, span)
    sales = _read_sales(history, frame.origin)
    on_step("reading the history", 1.0)
    learned = choose_learned(sales)
    known_then = Remembered(see_as_of(history, frame.origin)) if frame.origin <= span[1] else history
    known, ahead, closed = _look(known_then, shop, frame, sales, [sales.products[place] for place in learned])
    days = Days(frame.start, (frame.origin - frame.start).days, closed, known.shared_names, known.shared(ahead))
    first_sale = max((span[0] - frame.start).days, 0)
    found = NOTHING
    if history.folder is not None and has_model(history.folder):
        found = find_released(history.folder, shop, build_panel(sales, learned, days), frame.origin, sales.products)
    setting = Setting(
        sales,
        known,
        _make_plan(shop, frame, known, days, counts=sales.are_counts),
        days,
        first_sale,
        _choose_origins(first_sale, days.origin, frame.horizon),
        cut_periods(question.by, frame.asked, frame.last),
        read_categories(history),
        read_change(history, frame.origin, as_of=frame.asked if frame.asked <= span[1] else None),
        history.folder,
        found,
    )
    told = (*(each.sentence for each in ahead.findings), *found.remarks)
    return setting, [*_say_dates(span, question.origin, frame.asked, today), *told]


@dataclass(frozen=True)
class _Frame:
    """The days of a question.

    Attributes
    ----------
    start
        First day of the panel.
    origin
        First day that is forecast: `asked`, or the day after the last sale where that is earlier.
    asked, last
        First and last day that was asked for.
    horizon
        Days that are forecast, whole weeks.
    """

    start: date
    origin: date
    asked: date
    last: date
    horizon: int

    @property
    def end(self) -> date:
        """The last day that is forecast."""
        return self.origin + timedelta(days=self.horizon - 1)


def _frame(question: Question, span: tuple[date, date]) -> _Frame:
    after = day_after(span[1])
    asked = question.origin or after
    if asked <= span[0]:
        raise ConfigError(f"--from {asked} lies on or before the first sale, on {span[0]}; choose a later day.")
    last = read_horizon(question.horizon, question.by, asked)
    origin = min(asked, after)
    horizon = -(-((last - origin).days + 1) // STEP_DAYS) * STEP_DAYS
    if horizon > LONGEST_DAYS + STEP_DAYS:
        raise ConfigError(
            f"The history ends on {span[1]}, and {last} lies too long after it to be forecast; bring newer exports, or "
            "leave --from out."
        )
    past = min(max((origin - span[0]).days, SHORTEST_PAST_DAYS), LONGEST_PAST_DAYS)
    return _Frame(origin - timedelta(days=past), origin, asked, last, horizon)


def _read_sales(history: Kept, origin: date) -> Sales:
    sold = history.products().filter(pc.is_valid(pc.field("first_day")))["product"].to_pylist()
    sales = read_sales(history, sold).before(origin)
    if not sales.units.any():
        raise DataError(
            f"Nothing but quantities of 0 was sold before {origin}, so there is nothing to forecast from; see which "
            "column holds the quantity in shop.toml."
        )
    return sales


def _look(
    history: Kept, shop: Shop, frame: _Frame, sales: Sales, products: list[str]
) -> tuple[Known, Ahead, Bool[np.ndarray, " day"]]:
    """Look at the calendar by some products: what is known of it, and the days on which the shop is closed."""
    kinds = guess_kinds(history, shop)
    known, ahead = look_ahead(
        history, shop, kinds, first=frame.start, last=frame.end, origin=frame.origin, products=products
    )
    return known, ahead, find_closed(ahead, kinds, days_sold=len(np.unique(sales.day)))


def _make_plan(shop: Shop, frame: _Frame, known: Known, days: Days, *, counts: bool) -> Plan:
    return make_plan(
        shop,
        start=frame.start,
        origin=frame.origin,
        horizon_days=frame.horizon,
        counts=counts,
        closed=tuple(frame.start + timedelta(days=int(day)) for day in np.flatnonzero(days.closed)),
        known=(*known.shared_names, *known.own_names),
    )


def _say_dates(span: tuple[date, date], asked: date | None, origin: date, today: date) -> list[str]:
    gap = (origin - span[1]).days - 1
    if gap > 0:
        return [
            t(
                "Nothing is known of the {gap} between the last sale on {span} and {origin}, so the "
                "forecast looks over them; bring newer exports, or leave --from out.",
                gap=count_days(gap),
                span=span[1],
                origin=origin,
            )
        ]
    if asked is None and (today - origin).days > LONG_AGO_DAYS:
        return [
            t(
                "The history ends on {span}, so the forecast begins on {origin}; bring newer exports to look ahead.",
                span=span[1],
                origin=origin,
            )
        ]
    return []


def _choose_origins(first_sale: int, day: int, horizon: int) -> tuple[int, ...]:
    """Choose past origins that leave a past to learn from, oldest first, and the one that counts.

    Where some leave enough for trees, the others are left out.
    """
    spacing = SPACING_DAYS if horizon >= SPACING_DAYS else horizon
    past = [day - horizon - spacing * back for back in range(PAST_ORIGINS)]
    for least in (horizon + TREES_PAST_DAYS, LEAST_PAST_DAYS):
        kept = [begin for begin in past if begin - first_sale >= least]
        if kept:
            return (*kept[::-1], day)
    return (day,)


def choose_learned(sales: Sales) -> Int[np.ndarray, " product"]:
    """Choose who is learned from: everyone, or of many the half that sold most often and as many others at random."""
    number = len(sales.products)
    if number <= LEARNED_FROM:
        return np.arange(number)
    lengths = np.diff(np.concatenate([[0], sales.ends]))
    most = np.argsort(-lengths, kind="stable")
    others = np.random.default_rng(SEED).choice(most[LEARNED_FROM // 2 :], LEARNED_FROM // 2, replace=False)
    return np.sort(np.concatenate([most[: LEARNED_FROM // 2], others]))


def say_closed(setting: Setting) -> Iterator[str]:
    """Say which days ahead are closed."""
    first, last = ((day - setting.days.start).days for day in (setting.periods[0].first, setting.periods[-1].last))
    ahead = setting.days.closed[first : last + 1]
    if ahead.all():
        yield t("The shop is closed on every day of the forecast, so all of it is zero; see the days in shop.toml.")
    elif ahead.any():
        yield t(
            "The shop is closed on {sum} of the {ahead} days ahead; they are forecast zero.",
            sum=int(ahead.sum()),
            ahead=len(ahead),
        )
