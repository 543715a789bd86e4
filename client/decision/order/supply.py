"""How long each product's goods take, and on which days it is ordered: as told, as past orders went, or carefully."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Float

from client.decision.order.told import Told, say_assumed
from client.language.speech import t
from client.shop.history.history import History
from common.plan.schema import WEEKDAYS

LEAD_DAYS, REVIEW_DAYS, SPREAD = 7.0, 7, 0.25  # where nothing says anything; the spread is a share of the lead time
LEARNED_FROM = 5  # orders that came, of which a supplier's lead time is learned


@dataclass(frozen=True)
class Leads:
    """Days from order to shelf.

    Attributes
    ----------
    spread
        Their standard deviation.
    said
        Sentences: what was learned, and what was not known.
    """

    mean: Float[np.ndarray, " product"]
    spread: Float[np.ndarray, " product"]
    said: tuple[str, ...]


@dataclass(frozen=True)
class OrderDays:
    """The day of each product's order and of the next chance after it."""

    first: tuple[date, ...]
    following: tuple[date, ...]
    said: tuple[str, ...]


def find_leads(history: History, told: Told) -> Leads:
    """Find lead times: of the product or its supplier, else of the past, else of the shop, else careful ones."""
    learned = _learn_leads(history)
    past = np.array([learned.get(name, (np.nan, np.nan, 0.0)) for name in told.suppliers]).reshape(-1, 3)
    mean, mean_known = told.numbers("lead_days")
    spread, spread_known = told.numbers("lead_spread_days")
    mean_past = ~told.is_own("lead_days") & np.isfinite(past[:, 0])
    spread_past = ~told.is_own("lead_spread_days") & mean_past
    mean = np.where(mean_past, past[:, 0], np.where(mean_known, mean, LEAD_DAYS))
    spread = np.where(spread_past, past[:, 1], np.where(spread_known, spread, SPREAD * mean))
    said = (
        *_say_past(learned, told.suppliers, mean_past),
        *say_assumed(
            ~mean_known & ~mean_past, t("lead time"), t("{days:.0f} days are taken", days=LEAD_DAYS), "lead_days"
        ),
        *say_assumed(
            ~spread_known & ~spread_past,
            t("spread of the lead time"),
            t("a quarter of the lead time is taken"),
            "lead_spread_days",
        ),
    )
    return Leads(np.round(mean, 2), np.round(spread, 2), said)


def _learn_leads(history: History) -> dict[str, tuple[float, float, float]]:
    """Learn the lead time of a supplier from its orders that have come: mean, standard deviation, how many."""
    found: dict[str, dict[tuple[str, date], int]] = {}
    for row in history.records("on_order").to_pylist():
        if row["ordered_day"] and row["arrived_day"] and row["arrived_day"] >= row["ordered_day"]:
            key = (row["order"] or row["product"], row["ordered_day"])
            found.setdefault(row["supplier"], {})[key] = (row["arrived_day"] - row["ordered_day"]).days
    return {
        name: (float(np.mean(list(days.values()))), float(np.std(list(days.values()), ddof=1)), float(len(days)))
        for name, days in found.items()
        if len(days) >= LEARNED_FROM
    }


def _say_past(
    learned: dict[str, tuple[float, float, float]], suppliers: Sequence[str], used: np.ndarray
) -> Iterator[str]:
    for name in sorted({supplier for supplier, is_used in zip(suppliers, used, strict=True) if is_used}):
        mean, spread, count = learned[name]
        yield t(
            "{name} took {mean:.1f} days on average, give or take {spread:.1f}, for {count:.0f} orders "
            "that came; that is reckoned with.",
            name=name or t("The supplier"),
            mean=mean,
            spread=spread,
            count=count,
        )


def find_order_days(told: Told, today: date) -> OrderDays:
    """Find the days on which each product can be ordered, from today on."""
    review, known = told.numbers("review_days")
    weekdays = [each.order_weekdays or told.shop.order.order_weekdays for each in told.sections]
    first = tuple(_next_of(allowed, today) for allowed in weekdays)
    following = tuple(
        _next_of(allowed, day + timedelta(days=_step(every, allowed)))
        for day, every, allowed in zip(first, review.tolist(), weekdays, strict=True)
    )
    unknown = ~known & np.array([not allowed for allowed in weekdays], bool)
    said = say_assumed(
        unknown, t("time between two orders"), t("{days:.0f} days are taken", days=REVIEW_DAYS), "review_days"
    )
    return OrderDays(first, following, tuple(said))


def _step(every: float, weekdays: Sequence[str]) -> int:
    """Give the days until the next order may go out: as told, else one where weekdays are told."""
    if np.isfinite(every):
        return max(int(every), 1)
    return 1 if weekdays else REVIEW_DAYS


def _next_of(weekdays: Sequence[str], day: date) -> date:
    while weekdays and WEEKDAYS[day.weekday()] not in weekdays:
        day += timedelta(days=1)
    return day
