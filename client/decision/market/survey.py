"""What the market does, group by group: level, trend and steps, with intervals and a stated rate of false steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Float

from client.decision.market.change import FEWEST_WEEKS, Steps, measure_swing, pull_in
from client.decision.market.place import compare_levels, locate, slope_of
from client.decision.market.season import FEWEST_WEEKS as SEASON_WEEKS
from client.decision.market.season import describe
from client.decision.market.series import Series
from client.feedback.past import Past

ALPHA = 0.05  # of reports without any step in truth, those that tell of one: for the shop, all categories, all products
LEVEL_WEEKS, TREND_WEEKS, FEWEST_TREND = 8, 52, 13
NEW_SHARE = 0.1  # of a step, that products which are new or gone make, from which on it is said


@dataclass(frozen=True)
class Step:
    """A change of level.

    Attributes
    ----------
    since, first, last
        The most probable day, and the ends of its interval.
    ratio, low, high
        Of the level after to the one before, the season taken out.
    before, after
        Pieces in a usual week.
    until
        Last day of the new level.
    from_range
        What of it came of products that were new or gone, as a share of the level before.
    """

    since: date
    first: date
    last: date
    ratio: float
    low: float
    high: float
    before: float
    after: float
    until: date
    from_range: float


@dataclass(frozen=True)
class Finding:
    """What is told of one group.

    Attributes
    ----------
    now, now_low, now_high
        Pieces in a usual week, at the pace of the last weeks, its season included.
    trend, trend_low, trend_high
        Factor of a month, the season taken out, since the last step; NaN where that is too short ago.
    trend_since
        The first week that it was seen over.
    steadily
        Whether a line describes the group better than steps do.
    weeks, fitted
        Pieces of a usual week at the pace of each week, and what is told of them.
    """

    series: Series
    now: float
    now_low: float
    now_high: float
    trend: float
    trend_low: float
    trend_high: float
    trend_since: date
    steadily: bool
    steps: tuple[Step, ...]
    has_season: bool
    is_short: bool
    weeks: Float[np.ndarray, " week"]
    fitted: Float[np.ndarray, " week"]


def survey(past: Past, found: Sequence[Series], *, on_step: Callable[[str, float], None]) -> list[Finding]:
    """Describe each group; false steps are held down over all of one level."""
    number = {level: sum(each.level == level for each in found) for level in ("shop", "category", "product")}
    findings = []
    for place, series in enumerate(found, start=1):
        if len(series.pace) >= LEVEL_WEEKS:
            findings.append(describe_series(past, series, alpha=ALPHA / number[series.level]))
        on_step("looking for changes", place / len(found))
    return findings


def describe_series(past: Past, series: Series, *, alpha: float) -> Finding:
    """Describe one group."""
    mondays = series.mondays(past)
    pace = pull_in(series.pace)
    if len(pace) >= FEWEST_WEEKS:
        steps, season = describe(series.pace, mondays, alpha=alpha)
    else:
        steps, season = Steps((), 0.0, np.full(len(pace), pace.mean()), measure_swing(pace)), np.zeros(len(pace))
    calm = pull_in(series.pace - season)
    long_run = steps.swing.long_run
    begin = steps.places[-1] if steps.places else 0
    recent = pace[max(begin, len(pace) - LEVEL_WEEKS) :]
    wide = 1.645 * np.sqrt(long_run / len(recent))
    start = 0 if steps.slope else max(begin, len(calm) - TREND_WEEKS)
    start = max(start, begin)
    trend = (float("nan"),) * 3
    if len(calm) - start >= FEWEST_TREND:
        trend = slope_of(calm[start:], long_run=long_run)
    centre = float(recent.mean())
    return Finding(
        series=series,
        now=float(np.exp(centre)),
        now_low=float(np.exp(centre - wide)),
        now_high=float(np.exp(centre + wide)),
        trend=trend[0],
        trend_low=trend[1],
        trend_high=trend[2],
        trend_since=mondays[start],
        steadily=steps.slope != 0,
        steps=tuple(_place_steps(past, series, steps, season, calm)),
        has_season=len(pace) >= SEASON_WEEKS,
        is_short=len(pace) < FEWEST_WEEKS,
        weeks=np.exp(series.pace),
        fitted=np.exp(steps.fitted + season),
    )


def _place_steps(
    past: Past, series: Series, steps: Steps, season: np.ndarray, calm: Float[np.ndarray, " week"]
) -> list[Step]:
    """Find the day and the size of every step."""
    sold, usual = calm_days(series, steps, season)
    weekly = float(np.exp(series.pace).mean())
    lumps = steps.swing.long_run * weekly
    line = steps.slope * (np.arange(len(calm)) - (len(calm) - 1) / 2)
    flat = calm - line
    ends = [0, *steps.places, len(calm)]
    columns = [0, *(int(series.weeks[place]) for place in steps.places), len(series.sold)]
    found = []
    for number, place in enumerate(steps.places, start=1):
        where = locate(
            sold, usual, about=columns[number], bounds=(columns[number - 1], columns[number + 1]), lumps=lumps
        )
        before, after = flat[ends[number - 1] : place], flat[place : ends[number + 1]]
        ratio = compare_levels(before, after, long_run=steps.swing.long_run)
        old, new = (
            float(np.exp(calm[part].mean()))
            for part in (slice(ends[number - 1], place), slice(place, ends[number + 1]))
        )
        until = past.first + timedelta(days=columns[number + 1] - 1)
        days = [past.first + timedelta(days=day) for day in (where.day, where.first, where.last)]
        share = range_share(past, series, columns[number - 1 : number + 2], old)
        found.append(Step(days[0], days[1], days[2], *ratio, old, new, until, share))
    return found


def calm_days(series: Series, steps: Steps, season: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each day's pieces with weeks that stand out pulled in, and what is usual with the season in it."""
    sold, usual = series.sold.copy(), series.usual.copy()
    calm = pull_in(series.pace - season)
    line = steps.slope * (np.arange(len(calm)) - (len(calm) - 1) / 2)
    for column, less, wave in zip(series.weeks, calm + season - series.pace, season + line, strict=True):
        sold[column : column + 7] *= np.exp(less)
        usual[column : column + 7] *= np.exp(wave)
    counted = np.zeros(len(sold), bool)
    counted[(series.weeks[:, None] + np.arange(7)).ravel()] = True
    return np.where(counted, sold, 0.0), np.where(counted, usual, 0.0)


def range_share(past: Past, series: Series, columns: Sequence[int], before: float) -> float:
    """Give what products that were sold on one side of a step alone add to it, as a share of the level before."""
    first, middle, last = columns
    units = past.units[series.rows]
    old, new = units[:, first:middle].sum(axis=1), units[:, middle:last].sum(axis=1)
    came = new[(units[:, :middle] > 0).sum(axis=1) == 0].sum() / max(last - middle, 1)
    went = old[new == 0].sum() / max(middle - first, 1)
    return float(7 * (came - went) / max(before, 1e-9))


def is_sure(low: float, high: float) -> bool:
    """Whether an interval of a factor leaves out that nothing changes."""
    return bool(low > 1 or high < 1)
