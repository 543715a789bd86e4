"""Whether what a shop sells has left its forecasts, in which group, since when, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Int

from client.feedback.chart import FEWEST_WEEKS, Chart, chance_to_see, judge, limits_of
from client.feedback.forecast import Served
from client.feedback.past import Past
from client.feedback.week import Weeks, lay_weeks
from client.language.speech import t

STANDS_WEEKS = 4  # that an alarm is told, for whoever did not look when it came
SEED = 0
FEW_TOP, MOST_OF_IT = 3, 0.5  # so few products that make so much of the difference are named
OUT_SHARE, OUT_MORE = 0.05, 2.0
SILENT_DAYS = 2


@dataclass(frozen=True)
class Drift:
    """An alarm of one group.

    Attributes
    ----------
    group
        "" for the whole shop.
    noticed, since
        Last day of the week that gave the alarm, and the Monday on which the rise or fall probably began.
    said, sold
        Pieces a week since then.
    money
        What the difference of a week is worth in the shop's money; NaN where prices are unknown.
    advice
        What to look at or do, in sentences, the most telling first.
    """

    group: str
    rising: bool
    noticed: date
    since: date
    said: float
    sold: float
    money: float
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Watched:
    """What was watched.

    Attributes
    ----------
    weeks
        All weeks, as they were judged.
    drifts
        Alarms that stand.
    earlier
        Group and Monday of alarms of the last year that no longer stand.
    sees
        Group → how often a lasting shift of a fifth is noticed within four weeks.
    """

    weeks: Weeks
    charts: tuple[Chart, ...]
    drifts: tuple[Drift, ...]
    earlier: tuple[tuple[str, date], ...]
    sees: dict[str, float]

    @property
    def judged_weeks(self) -> int:
        """Give how many weeks were judged."""
        return max(len(self.weeks.mondays) - FEWEST_WEEKS, 0)


def watch_shop(past: Past, forecasts: Iterable[Served]) -> Watched:
    """Judge every week of every group by those before it."""
    weeks = lay_weeks(past, forecasts)
    number = len(weeks.mondays)
    if number <= FEWEST_WEEKS:
        return Watched(weeks, (), (), (), {})
    own, each = limits_of(len(weeks.groups) - 1)
    limits = [own, *[each] * (len(weeks.groups) - 1)]
    charts = tuple(judge(weeks.errors[[row]], limit) for row, limit in enumerate(limits))
    generator = np.random.default_rng(SEED)
    drifts, earlier = list[Drift](), list[tuple[str, date]]()
    for row, chart in enumerate(charts):
        alarms = np.flatnonzero(chart.alarm[0])
        standing = alarms[alarms >= number - STANDS_WEEKS]
        past_alarms = alarms[(alarms >= number - 52) & (alarms < number - STANDS_WEEKS)]
        earlier += [(weeks.groups[row], weeks.mondays[week]) for week in past_alarms]
        if len(standing):
            drifts.append(_describe(past, weeks, chart, row, int(standing[-1])))
    sees = {
        group: chance_to_see(weeks.errors[row], limit, generator)
        for row, (group, limit) in enumerate(zip(weeks.groups, limits, strict=True))
    }
    return Watched(weeks, charts, tuple(drifts), tuple(earlier), sees)


def _describe(past: Past, weeks: Weeks, chart: Chart, row: int, week: int) -> Drift:
    begin = int(chart.begin[0, week])
    since, rows, rising = weeks.mondays[begin], weeks.rows[row], chart.alarm[0, week] > 0
    said, sold = (float(values[row, begin:].mean()) for values in (weeks.said, weeks.sold))
    price = past.price[rows]
    worth = past.units[rows].sum(axis=1)
    known = np.isfinite(price) & (worth > 0)
    each = float((price[known] * worth[known]).sum() / worth[known].sum()) if known.any() else np.nan
    return Drift(
        group=weeks.groups[row],
        rising=bool(rising),
        noticed=weeks.mondays[week] + timedelta(days=6),
        since=since,
        said=said,
        sold=sold,
        money=abs(sold - said) * each,
        advice=tuple(_advise(past, rows, since, rising=bool(rising))),
    )


def _advise(past: Past, rows: Int[np.ndarray, " product"], since: date, *, rising: bool) -> Iterator[str]:
    """Look for what would explain it, and say what to do in any case."""
    begin = past.column(since)
    silent = int((past.open[begin:] & (past.units[:, begin:].sum(axis=0) == 0)).sum())
    if not rising and silent >= SILENT_DAYS:
        yield (
            t(
                "On {silent} open days since then nothing at all was sold, which looks like rows that are "
                "missing: see hansa-client check, and import the exports again.",
                silent=silent,
            )
        )
    before, after = (past.out[rows, first:last].mean() for first, last in ((max(begin - 182, 0), begin), (begin, None)))
    if not rising and after > OUT_SHARE and after > OUT_MORE * before:
        yield (
            t(
                "Its products were out of stock on {after:.0%} of their days since then, and on {before:.0%} "
                "before: fill up the shelves first.",
                after=after,
                before=before,
            )
        )
    yield from _name_products(past, rows, begin, rising=rising)
    yield (
        t(
            "Look at what changed about then: prices and offers, the place in the shop, a rival, a new "
            "sales channel, or a season that comes every year (then there is nothing to do)."
        )
    )
    yield t("Forecast again (hansa-client forecast learns anew from all weeks each time), and order by that.")
    yield t("If it goes on missing, a federation may help: others saw such turns before (hansa-client join).")


def _name_products(past: Past, rows: Int[np.ndarray, " product"], begin: int, *, rising: bool) -> Iterator[str]:
    """Name the products that make most of the difference, where they are few."""
    days = past.units.shape[1] - begin
    usual = past.units[rows, max(begin - 56, 0) : begin].sum(axis=1) * days / max(min(begin, 56), 1)
    change = (past.units[rows, begin:].sum(axis=1) - usual) * (1 if rising else -1)
    gain = np.maximum(change, 0.0)
    top = np.argsort(-gain, kind="stable")[:FEW_TOP]
    if len(rows) > 2 * FEW_TOP and gain[top].sum() > MOST_OF_IT * max(gain.sum(), 1e-9):
        names = ", ".join(past.names[rows[place]] for place in top if gain[place] > 0)
        yield t("Most of it is {names}: look at these first.", names=names)
