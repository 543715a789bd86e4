"""Sales years away from all others: a slip in the year makes a history of centuries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

from client.language.speech import t
from client.shop.readiness.problem import SHOWN, Ask, Problem, count_of

APART_DAYS = 2 * 365
MOST_SHARE = 0.05  # of the sales; more are a past of their own
DAYS = "SELECT day, count(*) AS n FROM sales WHERE state = 'sold' AND day IS NOT NULL GROUP BY day ORDER BY day"


def find_far_days(ask: Ask) -> Iterator[Problem]:
    """Look for few sales that lie two years and more before or after all others."""
    counts = {row["day"]: row["n"] for row in ask(DAYS).to_pylist()}
    parts = _part(list(counts))
    if len(parts) < 2:
        return
    sizes = [sum(counts[day] for day in part) for part in parts]
    far = [part for part, size in zip(parts, sizes, strict=True) if size <= MOST_SHARE * sum(sizes)]
    sales = sum(counts[day] for part in far for day in part)
    if sales:
        days = [day for part in far for day in part]
        yield Problem(
            "warning",
            "far_days",
            t(
                "{sales} lie over two years before or after all others, the first on {days}.",
                sales=count_of(sales, "sale"),
                days=days[0],
            ),
            sales,
            t("The history looks many years long, and days without a sale in between count as nothing sold."),
            t(
                "If the year is a slip, mend these rows, undo the import (hansa-client history --undo) and "
                "import again."
            ),
            tuple(t("{day}: {counts}", day=day, counts=count_of(counts[day], "sale")) for day in days[:SHOWN]),
        )


def _part(days: list[date]) -> list[list[date]]:
    """Part days where more than two years lie between one and the next."""
    parts = [days[:1]]
    for before, after in pairwise(days):
        if after - before > timedelta(days=APART_DAYS):
            parts.append([])
        parts[-1].append(after)
    return parts
