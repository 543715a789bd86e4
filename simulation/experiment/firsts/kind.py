"""Which days of a horizon are an entity's first of a kind: what its own history cannot tell it.

    <holiday>          the weeks of a holiday of `data.holidays.near`, where no day of it lies in the history
    first <covariate>  days on which something known ahead is on that never was in the history: a first promotion of a
                       kind, a first school holiday
    all                every day

The weeks of a holiday are the 14 days before it and the 6 after. Kinds overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from jaxtyping import Bool, Int

from common.calendar.nearness import days_of
from common.plan.schema import DataPlan
from simulation.origin.origin import Trial

ALL = "all"
DAYS_BEFORE, DAYS_AFTER = 14, 6

Mask = Bool[np.ndarray, "entity bucket"]


def find_kinds(young: Trial) -> Iterator[tuple[str, Mask]]:
    """Give each kind that any entity's horizon holds, with the buckets that any day of it lies in."""
    yield ALL, np.ones(young.outcome.counted.shape, bool)
    for name, days in (*_first_weeks(young), *_first_days(young)):
        buckets = np.asarray(days.reshape(len(days), *_buckets(young)).any(axis=2))
        if buckets.any():
            yield name, buckets


def has_past(young: Trial) -> Bool[np.ndarray, " entity"]:
    """Whether anything is known of an entity: one open day of its own in its history."""
    return np.asarray((young.panel.open & _exists(young))[:, : young.day].any(axis=1))


def _buckets(young: Trial) -> tuple[int, int]:
    return young.plan.model.horizon, young.plan.model.bucket_days


def _exists(young: Trial) -> Bool[np.ndarray, "entity day"]:
    return np.asarray(np.arange(young.panel.num_days)[None] >= young.panel.first_day[:, None])


def _horizon(young: Trial) -> slice:
    return slice(young.day, young.day + young.plan.model.horizon_days)


def _first_weeks(young: Trial) -> Iterator[tuple[str, Bool[np.ndarray, "entity day"]]]:
    holidays = young.plan.data.holidays
    if holidays is None:
        return
    first = young.panel.start - timedelta(days=DAYS_AFTER)
    last = young.panel.start + timedelta(days=young.day + young.plan.model.horizon_days + DAYS_BEFORE)
    for holiday in holidays.near:
        days = days_of(holidays.country, holidays.subdivision, holiday, first=first, last=last)
        place = np.array([young.panel.day_of(day) for day in days], np.int64)
        yield holiday, _is_new(place, young)[:, None] & _weeks(place, young)[None]


def _is_new(place: Int[np.ndarray, " holiday"], young: Trial) -> Bool[np.ndarray, " entity"]:
    lived = (place[None] >= young.panel.first_day[:, None]) & (place[None] < young.day)
    return np.asarray(~lived.any(axis=1))


def _weeks(place: Int[np.ndarray, " holiday"], young: Trial) -> Bool[np.ndarray, " day"]:
    away = np.arange(young.panel.num_days)[_horizon(young), None] - place[None]
    return np.asarray(((away >= -DAYS_BEFORE) & (away <= DAYS_AFTER)).any(axis=1))


def _first_days(young: Trial) -> Iterator[tuple[str, Bool[np.ndarray, "entity day"]]]:
    known, is_open = young.panel.known != 0, young.panel.open & _exists(young)
    for name in _switches(young.plan.data):
        on = known[:, :, young.panel.covariates.index(name)]
        was_on = (on & is_open)[:, : young.day].any(axis=1)
        yield f"first {name}", on[:, _horizon(young)] & ~was_on[:, None]


def _switches(plan: DataPlan) -> tuple[str, ...]:
    """Name the covariates that are on or off: no number by a scale, and no nearness."""
    attributes = (*plan.known, *(attribute for table in plan.ahead for attribute in table.known))
    named = [name for each in attributes if not each.logarithm and each.scale == 1.0 for name in each.names]
    return (*named, *plan.shopping_days)
