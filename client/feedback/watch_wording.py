"""Say what was watched, in plain words, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from client.feedback.chart import FALSE_ALARM_WEEKS, FEWEST_WEEKS, SHIFT, WITHIN_WEEKS
from client.feedback.drift import STANDS_WEEKS, Drift, Watched
from client.feedback.week import SHOP
from client.language.count import count_weeks
from client.language.speech import join, t, tn

OFTEN = 0.9  # from which on it is said that a shift would be noticed
SHOWN = 5


def describe_watched(found: Watched) -> dict[str, Any]:
    """Say everything for programs."""
    mondays = found.weeks.mondays
    return {
        "noticed": bool(found.drifts),
        "held_against": "usual" if found.weeks.stands_in else "forecasts",
        "weeks_judged": found.judged_weeks,
        "first_week": str(mondays[0]) if mondays else None,
        "last_week": str(mondays[-1]) if mondays else None,
        "false_alarm_weeks": FALSE_ALARM_WEEKS,
        "groups": [
            {"group": group or None, "sees_a_fifth_within_four_weeks": found.sees.get(group)}
            for group in found.weeks.groups
        ],
        "drifts": [_describe(drift) for drift in found.drifts],
        "earlier": [{"group": group or None, "week": str(monday)} for group, monday in found.earlier],
    }


def _describe(drift: Drift) -> dict[str, Any]:
    return {
        "group": drift.group or None,
        "direction": "up" if drift.rising else "down",
        "noticed": str(drift.noticed),
        "since": str(drift.since),
        "said_per_week": drift.said,
        "sold_per_week": drift.sold,
        "money_per_week": drift.money,
        "advice": list(drift.advice),
    }


def lay_out_weeks(found: Watched) -> pa.Table:
    """Lay every week of every group out: group, week, said, sold, score, up, down, alarm."""
    number, groups = len(found.weeks.mondays), len(found.weeks.groups)
    blank = np.full((groups, number), np.nan)

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(chart, name) for chart in found.charts]) if found.charts else blank

    return pa.table(
        {
            "group": np.repeat(np.array(found.weeks.groups, dtype=str), number),
            "week": pa.array(list(found.weeks.mondays) * groups, pa.date32()),
            "said": found.weeks.said.ravel(),
            "sold": found.weeks.sold.ravel(),
            **{name: column(name).ravel() for name in ("score", "up", "down", "alarm")},
        }
    )


def say_watched(found: Watched, *, currency: str) -> Iterator[str]:
    """Say it to the shop's owner: what drifted, what to do, and how far this can be trusted."""
    if found.judged_weeks == 0:
        yield (
            tn(
                "There is 1 whole week to judge by, and {needed} are needed; go on importing "
                "and forecasting, and ask again.",
                "There are {number} whole weeks to judge by, and {needed} are needed; go on importing "
                "and forecasting, and ask again.",
                len(found.weeks.mondays),
                needed=FEWEST_WEEKS + 1,
            )
        )
        return
    against = t("its usual") if found.weeks.stands_in else t("the forecasts")
    for drift in found.drifts:
        yield from _say_drift(drift, against, currency)
    if not found.drifts:
        usual = t("what is usual here") if found.weeks.stands_in else against
        yield t("Nothing has drifted: sales of the last weeks go with {usual}.", usual=usual)
    yield from _say_trust(found)


def _say_drift(drift: Drift, against: str, currency: str) -> Iterator[str]:
    name = t("The whole shop") if drift.group == SHOP else f"{drift.group[:1].upper()}{drift.group[1:]}"
    share = abs(drift.sold / max(drift.said, 1e-9) - 1)
    way = t("more") if drift.rising else t("less")
    worth = (
        t(", about {money:,.0f} {currency} a week", money=drift.money, currency=currency)
        if np.isfinite(drift.money)
        else ""
    )
    yield (
        t(
            "{name} sells {share:.0%} {way} than {against} said since about {since}: {sold:,.0f} pieces "
            "a week instead of {said:,.0f}{worth} (noticed with the week up to {noticed}).",
            name=name,
            share=share,
            way=way,
            against=against,
            since=drift.since,
            sold=drift.sold,
            said=drift.said,
            worth=worth,
            noticed=drift.noticed,
        )
    )
    yield from (join(("  - ", sentence)) for sentence in drift.advice)


def _say_trust(found: Watched) -> Iterator[str]:
    weeks = found.weeks
    if weeks.stands_in:
        yield (
            t(
                "Too few weekly forecasts are kept yet, so each week is held against the shop's own usual: "
                "the mean of four weeks that ended three weeks before. A season shows as drift then; "
                "forecasts know it better."
            )
        )
    yield (
        t(
            "Judged: {judged} up to {last}, of {groups}. A false alarm comes at most once "
            "in {most:.0f} weeks on average; any alarm is told for {stands} weeks.",
            judged=count_weeks(found.judged_weeks),
            last=weeks.mondays[-1],
            groups=_count_groups(found),
            most=FALSE_ALARM_WEEKS,
            stands=STANDS_WEEKS,
        )
    )
    sharp = [group for group in weeks.groups if found.sees[group] >= OFTEN]
    blunt = [group for group in weeks.groups if found.sees[group] < OFTEN]
    if SHOP in sharp:
        yield t(
            "A lasting change of the whole shop by {share:.0%} would be noticed within {within} weeks.",
            share=SHIFT,
            within=WITHIN_WEEKS,
        )
    elif SHOP in blunt:
        yield (
            t(
                "A lasting change of the whole shop by {share:.0%} would be noticed within {within} "
                "weeks in {cases}: it sells too little, or too unevenly, for more.",
                share=SHIFT,
                within=WITHIN_WEEKS,
                cases=_tell_share(found.sees[SHOP]),
            )
        )
    small = [group for group in blunt if group != SHOP]
    if small:
        named = ", ".join(small[:SHOWN])
        if len(small) > SHOWN:
            named = t("{names} and {number} more", names=named, number=len(small) - SHOWN)
        yield t("Of {named} alone it may take longer, or be larger before it shows.", named=named)
    if found.earlier:
        told = (
            t("{group} in the week of {monday}", group=group or t("the whole shop"), monday=monday)
            for group, monday in found.earlier[-SHOWN:]
        )
        named = join(told, "; ")
        yield t("Noticed earlier in the last year: {named}.", named=named)


def _tell_share(share: float) -> str:
    cases = round(10 * share)
    return t("{cases} of 10 cases", cases=cases) if cases else t("hardly any case")


def _count_groups(found: Watched) -> str:
    groups = len(found.weeks.groups) - 1
    return (
        t("the whole shop")
        if groups == 0
        else tn("the whole shop and {number} of its group", "the whole shop and {number} of its groups", groups)
    )
