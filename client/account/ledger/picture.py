"""The budget over time, as bars in a terminal and as a drawing that needs no other file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from rich.box import SIMPLE
from rich.table import Table

from client.account.ledger.balance import Account
from client.account.policy import Budget
from client.language.speech import t
from common.privacy.accounting import epsilon_of

BAR_WIDTH = 40
LONGEST_TABLE = 24
WIDTH, HEIGHT, MARGIN = 720.0, 300.0, 60.0


@dataclass(frozen=True)
class Point:
    """Epsilon of everything spent up to a moment."""

    at: datetime
    epsilon: float


def curve_of(account: Account, *, alone: bool = False) -> list[Point]:
    """Follow epsilon from spend to spend, or if everybody else conspires; all of one moment are one point."""
    points: dict[datetime, float] = {}
    mu_squared = 0.0
    for spend in sorted(account.spends, key=lambda spend: spend.at):
        mu_squared += spend.cost_alone(account.unit) if alone else spend.cost(account.unit)
        points[spend.at] = mu_squared
    return [Point(at, epsilon_of(math.sqrt(total), account.delta)) for at, total in points.items()]


def make_bars(account: Account, budget: Budget | None) -> Table:
    """Draw one bar for every month in which something was spent, up to the budget for life."""
    limit = f" of {budget.epsilon:g}" if budget else ""
    table = Table(title=f"{account.dataset}: epsilon{limit} per {account.unit}, at delta {account.delta:g}", box=SIMPLE)
    for column in ("month", "epsilon so far", "", "rounds"):
        table.add_column(column, justify="left" if column in ("month", "") else "right")
    months: dict[str, tuple[float, int]] = {}
    for point, count in _with_counts(account):
        month = f"{point.at.astimezone():%Y-%m}"
        months[month] = point.epsilon, months.get(month, (0.0, 0))[1] + count
    top = budget.epsilon if budget else max((epsilon for epsilon, _ in months.values()), default=1.0)
    for month, (epsilon, rounds) in list(months.items())[-LONGEST_TABLE:]:
        table.add_row(month, f"{epsilon:.3f}", _bar(epsilon / top), str(rounds))
    if not months:
        table.add_row("–", "0", _bar(0.0), "0")
    return table


def draw_curve(account: Account, budget: Budget | None) -> str:
    """Draw epsilon over time as SVG, with the budget for life as a line that it must not cross."""
    every = curve_of(account)
    points = [point for point in every if math.isfinite(point.epsilon)]
    if_all = curve_of(account, alone=True)[: len(points)] if account.is_shared else []
    axes = _Axes.around([*points, *if_all], budget)
    title = t("epsilon per {unit}, everything added up, at delta {delta:g}", unit=t(account.unit), delta=account.delta)
    marks = [
        f'<path d="M{MARGIN} {MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}" fill="none" stroke="#888"/>',
        f'<path d="{_steps(points, axes)}" fill="none" stroke="#1f5fa8" stroke-width="2"/>',
        _text(MARGIN, MARGIN - 24, title),
        _text(MARGIN - 34, axes.y(0.0) + 4, "0"),
    ]
    if if_all:
        marks.append(f'<path d="{_steps(if_all, axes)}" fill="none" stroke="#1f5fa8" stroke-dasharray="2 3"/>')
        marks.append(_text(MARGIN, MARGIN - 6, t("dotted: if all the others put their heads together")))
        marks.append(_text(WIDTH - MARGIN + 6, axes.y(if_all[-1].epsilon) + 4, f"{if_all[-1].epsilon:.2f}"))
    if budget:
        limit = axes.y(budget.epsilon)
        marks.append(f'<path d="M{MARGIN} {limit:.1f} H{WIDTH - MARGIN}" stroke="#b3261e" stroke-dasharray="6 4"/>')
        marks.append(_text(MARGIN - 34, limit + 4, f"{budget.epsilon:g}"))
    if points:
        marks.append(_text(MARGIN, HEIGHT - MARGIN + 20, f"{points[0].at:%Y-%m-%d}"))
        marks.append(_text(WIDTH - MARGIN - 70, HEIGHT - MARGIN + 20, f"{points[-1].at:%Y-%m-%d}"))
        marks.append(_text(WIDTH - MARGIN + 6, axes.y(points[-1].epsilon) + 4, f"{points[-1].epsilon:.2f}"))
    if len(points) < len(every):
        since = f"{every[len(points)].at:%Y-%m-%d}"
        said = t("no guarantee since {since}: what was released then has no bound", since=since)
        marks.append(_text(MARGIN, MARGIN - 6, said))
    body = "\n".join(marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


@dataclass(frozen=True)
class _Axes:
    """From time and epsilon to places in the drawing."""

    first: datetime | None
    span_seconds: float
    top: float

    @classmethod
    def around(cls, points: list[Point], budget: Budget | None) -> _Axes:
        top = 1.1 * max([point.epsilon for point in points] + [budget.epsilon if budget else 1.0])
        if not points:
            return cls(None, 1.0, top)
        return cls(points[0].at, max(1.0, (points[-1].at - points[0].at).total_seconds()), top)

    def x(self, at: datetime) -> float:
        share = (at - self.first).total_seconds() / self.span_seconds if self.first else 0.0
        return MARGIN + (WIDTH - 2 * MARGIN) * share

    def y(self, epsilon: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * epsilon / self.top


def _steps(points: list[Point], axes: _Axes) -> str:
    steps = "".join(f" H{axes.x(point.at):.1f} V{axes.y(point.epsilon):.1f}" for point in points)
    return f"M{MARGIN} {axes.y(0.0):.1f}{steps} H{WIDTH - MARGIN}"


def _with_counts(account: Account) -> list[tuple[Point, int]]:
    counts: dict[datetime, int] = {}
    for spend in account.spends:
        counts[spend.at] = counts.get(spend.at, 0) + 1
    return [(point, counts[point.at]) for point in curve_of(account)]


def _bar(share: float) -> str:
    full = BAR_WIDTH if not math.isfinite(share) else min(BAR_WIDTH, round(BAR_WIDTH * share))
    return "█" * full + "░" * (BAR_WIDTH - full)


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}">{words}</text>'
