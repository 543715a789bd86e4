"""What is not known of the days ahead: said wherever somebody forecasts, and refused where the plan says so.

Asked of a panel by whoever makes or scores a forecast. What answers a round never asks, for a round that refused
because of a gap would tell of the entity that has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from jaxtyping import Bool

from common.data.panel import Panel
from common.errors import DataError
from common.plan.schema import DataPlan, Missing

READ_AS = {
    "refuse": "which the plan refuses",
    "last": "so the last value before counts there, or 0 where there is none",
    "zero": "so it counts as 0 there",
}


@dataclass(frozen=True)
class Gap:
    """A covariate that is not told on open days of a span.

    Attributes
    ----------
    share
        Of the open days of entities.
    refuses
        Whether the plan would rather have no forecast.
    """

    covariate: str
    share: float
    refuses: bool
    sentence: str


@dataclass(frozen=True)
class Telling:
    """Where a covariate comes from.

    Attributes
    ----------
    what
        The file, or whatever it is told by.
    key
        Of the plan, that says what a gap is.
    advice
        How to fill one.
    """

    covariate: str
    what: str
    key: str
    missing: Missing
    advice: str


def find_gaps(panel: Panel, plan: DataPlan, day: int, num_days: int) -> tuple[Gap, ...]:
    """Look for covariates that are not told on open days of a span.

    Parameters
    ----------
    panel
        Of the entities that are forecast.
    day
        Where the span begins; it ends with the panel at the latest.
    """
    if panel.told is None:
        return ()
    told, is_open = panel.told[:, day : day + num_days], panel.open[:, day : day + num_days]
    found = []
    for number, telling in enumerate(tellings(plan)):
        gaps = is_open & ~told[:, :, number]
        if gaps.any():
            found.append(_describe(panel, plan, telling, gaps, is_open, day))
    return tuple(found)


def require_told(gaps: Sequence[Gap]) -> None:
    """Refuse to forecast where the plan does.

    Raises
    ------
    DataError
        It names the first covariate that is missing.
    """
    for gap in gaps:
        if gap.refuses:
            raise DataError(gap.sentence)


def _describe(
    panel: Panel,
    plan: DataPlan,
    telling: Telling,
    gaps: Bool[np.ndarray, "entity day"],
    is_open: Bool[np.ndarray, "entity day"],
    day: int,
) -> Gap:
    days = np.flatnonzero(gaps.any(axis=0))
    first, last = (panel.start + timedelta(days=day + int(place)) for place in (days[0], days[-1]))
    whose = "" if gaps.any(axis=1).all() else f" of {gaps.any(axis=1).sum()} of {len(gaps)} {plan.entity}"
    share = float(gaps.sum() / is_open.sum())
    sentence = (
        f"Covariate {telling.covariate!r} is not told by {telling.what} on {share:.0%} of the open days from "
        f"{panel.start + timedelta(days=day)} on, the first {first}, the last {last}{whose}, "
        f'{READ_AS[telling.missing]} ({telling.key} = "{telling.missing}"); {telling.advice}.'
    )
    return Gap(telling.covariate, share, telling.missing == "refuse", sentence)


def tellings(plan: DataPlan) -> Iterator[Telling]:
    """Say of every covariate, in the panel's order, where it comes from."""
    rows = "give rows for these days too, with empty amounts where nothing has happened yet"
    for attribute in plan.known:
        for name in attribute.names:
            yield Telling(name, f"the rows of {plan.path}", "data.missing_ahead", plan.missing_ahead, rows)
    for table in plan.ahead:
        advice = f"add these days to {table.path}"
        for attribute in table.known:
            for name in attribute.names:
                yield Telling(name, table.path, "data.ahead.missing", table.missing, advice)
    if (holidays := plan.holidays) is not None:
        advice = "bring the package `holidays` up to date when it knows these years"
        what = f"the public holidays of {holidays.country}"
        for name in holidays.names:
            yield Telling(name, what, "data.holidays.missing", holidays.missing, advice)
    for name in plan.shopping_days:
        yield Telling(name, "the calendar", "data.shopping_days", "zero", "it is always told")
    if (school := plan.school_holidays) is not None:
        for name in plan.covariates[-max(len(school.names), 1) :]:
            advice = f"add the school holidays of these days to {school.path}"
            yield Telling(name, school.path, "data.school_holidays.missing", school.missing, advice)
