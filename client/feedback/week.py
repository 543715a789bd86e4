"""Sold against said, week by week, of the whole shop and of its groups.

What was said of a week is the oldest forecast of it that is kept and no more than `OLDEST_DAYS` old: an older one has
not yet learned from a change, so the change shows. Products that were out of stock in a week, or that no forecast knew,
are left out of it on both sides. Where too few weeks have a forecast, the usual stands in for it: the mean of
four weeks that ended three weeks before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float, Int

from client.feedback.forecast import Served
from client.feedback.past import Past, groups_of

OLDEST_DAYS = 28
FEWEST_PIECES = 30.0  # of a group in a usual week; smaller ones are taken together
MOST_GROUPS = 12
REST, SHOP = "smaller groups together", ""
BASE_WEEKS, GAP_WEEKS = 4, 3
FEWEST_JUDGED = 16  # weeks with a forecast, from which on the usual need not stand in


@dataclass(frozen=True)
class Weeks:
    """Weeks that are complete, oldest first.

    Attributes
    ----------
    groups
        The whole shop, "", comes first.
    rows
        Of the products in each group.
    said, sold
        Pieces.
    stands_in
        Whether the shop's usual stands in for forecasts.
    """

    groups: tuple[str, ...]
    rows: tuple[Int[np.ndarray, " product"], ...]
    mondays: tuple[date, ...]
    said: Float[np.ndarray, "group week"]
    sold: Float[np.ndarray, "group week"]
    stands_in: bool

    @property
    def errors(self) -> Float[np.ndarray, "group week"]:
        """Give the logarithms of sold over said; half a piece more of both, so that none is endless."""
        return np.log((self.sold + 0.5) / (self.said + 0.5))


def whole_weeks(past: Past) -> tuple[date, ...]:
    """Give the Mondays of the weeks that are complete."""
    begin = past.first + timedelta(days=-past.first.weekday() % 7)
    return tuple(
        begin + timedelta(days=7 * week)
        for week in range((past.last - begin).days // 7 + 1)
        if begin + timedelta(days=7 * week + 6) <= past.last
    )


def lay_weeks(past: Past, forecasts: Iterable[Served]) -> Weeks:
    """Lay the weeks out by what was forecast; by the shop's usual where that is of too few weeks."""
    mondays = whole_weeks(past)
    sold = sum_weeks(past.units, past, mondays)
    said = lay_said(past, mondays, forecasts)
    judged = np.isfinite(said).any(axis=0)
    if judged.sum() < FEWEST_JUDGED:
        return _by_usual(past, mondays, sold)
    counted = np.isfinite(said) & (sum_weeks(past.out, past, mondays) == 0)
    names, rows = choose_groups(groups_of(past), np.where(counted, said, 0.0)[:, judged])
    return Weeks(
        groups=names,
        rows=rows,
        mondays=tuple(np.array(mondays)[judged].tolist()),
        said=_sum_groups(np.where(counted, said, 0.0), rows)[:, judged],
        sold=_sum_groups(np.where(counted, sold, 0.0), rows)[:, judged],
        stands_in=False,
    )


def sum_weeks(values: np.ndarray, past: Past, mondays: tuple[date, ...]) -> Float[np.ndarray, "row week"]:
    """Add days up to weeks."""
    if not mondays:
        return np.zeros((len(values), 0))
    begin = past.column(mondays[0])
    days = values[:, begin : begin + 7 * len(mondays)]
    return np.asarray(days.reshape(len(values), len(mondays), 7).sum(axis=2, dtype=np.float64))


def lay_said(past: Past, mondays: tuple[date, ...], forecasts: Iterable[Served]) -> Float[np.ndarray, "product week"]:
    """Lay out what the oldest kept forecast of each product and week said; NaN where there is none."""
    said = np.full((len(past.products), len(mondays)), np.nan)
    place = {monday: week for week, monday in enumerate(mondays)}
    for served in forecasts:
        if served.by != "week" or not served.of_all:
            continue
        rows = past.rows_of(served.table["product"].to_pylist())
        first = np.array(served.table["first"].to_pylist())
        whole = ~served.table["partial"].to_numpy(zero_copy_only=False) & (rows >= 0)
        mean = served.table["mean"].to_numpy()
        for monday in sorted(set(first[whole])):
            if monday in place and (monday - served.origin).days <= OLDEST_DAYS:
                own = whole & (first == monday)
                column = said[:, place[monday]]
                fresh = np.isnan(column[rows[own]])
                column[rows[own][fresh]] = mean[own][fresh]
    return said


def choose_groups(
    groups: Mapping[str, Int[np.ndarray, " product"]], said: Float[np.ndarray, "product week"]
) -> tuple[tuple[str, ...], tuple[Int[np.ndarray, " product"], ...]]:
    """Choose the groups that are large enough by what was said of them, which knows nothing of what came."""
    every = np.arange(len(said))
    if len(groups) < 2:
        return (SHOP,), (every,)
    usual = {name: float(said[rows].sum(axis=0).mean()) for name, rows in groups.items()}
    largest = sorted((name for name in usual if usual[name] >= FEWEST_PIECES), key=lambda name: -usual[name])
    own = largest[:MOST_GROUPS]
    rest = np.concatenate([np.zeros(0, np.int64), *(rows for name, rows in groups.items() if name not in own)])
    names, rows = [SHOP, *own], [every, *(groups[name] for name in own)]
    if own and len(rest) and said[rest].sum(axis=0).mean() >= FEWEST_PIECES:
        names, rows = [*names, REST], [*rows, rest]
    return tuple(names), tuple(rows)


def _sum_groups(values: np.ndarray, rows: tuple[Int[np.ndarray, " product"], ...]) -> Float[np.ndarray, "group week"]:
    return np.stack([values[own].sum(axis=0) for own in rows])


def _by_usual(past: Past, mondays: tuple[date, ...], sold: Float[np.ndarray, "product week"]) -> Weeks:
    """Let the mean of four weeks that ended three weeks before stand in, by the days on which the shop was open."""
    begin = BASE_WEEKS + GAP_WEEKS
    early = sold[:, : max(begin, 1)]
    names, rows = choose_groups(groups_of(past), early if early.size else np.zeros((len(sold), 1)))
    total = _sum_groups(sold, rows)
    exposure = open_share(past, mondays)
    there: Bool[np.ndarray, " week"] = exposure > 0
    rate = np.where(there, total / np.where(there, exposure, 1.0), np.nan)
    said = np.full_like(total, np.nan)
    for week in range(begin, len(mondays)):
        base = rate[:, week - begin : week - GAP_WEEKS]
        some = np.isfinite(base[0])
        if some.any() and there[week]:
            said[:, week] = base[:, some].mean(axis=1) * exposure[week]
    kept = np.isfinite(said[0])
    return Weeks(names, rows, tuple(np.array(mondays)[kept].tolist()), said[:, kept], total[:, kept], True)


def open_share(past: Past, mondays: tuple[date, ...]) -> Float[np.ndarray, " week"]:
    """Give how much of a usual week's sales the open days of each week stand for."""
    weekday = np.array([(past.first + timedelta(days=day)).weekday() for day in range(len(past.open))])
    total = past.units.sum(axis=0, dtype=np.float64)
    usual = np.array(
        [
            total[past.open & (weekday == day)].mean() if (past.open & (weekday == day)).any() else 0.0
            for day in range(7)
        ]
    )
    weight = np.where(past.open, usual[weekday], 0.0) / max(usual.sum(), 1e-9)
    return sum_weeks(weight[None, :], past, mondays)[0]
