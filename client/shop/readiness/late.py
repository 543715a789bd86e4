"""Sales that came long after their day: what is read last looks weaker than it was."""

from __future__ import annotations

from collections.abc import Iterator

from client.language.speech import t
from client.shop.history.history import History
from client.shop.readiness.problem import SHOWN, Problem, count_of

LATE_DAYS = 14
FEWEST = 10  # lines; an order that is mended later is no rule
LEAST_SHARE = 0.01  # of the lines that later imports brought


def find_late(history: History) -> Iterator[Problem]:
    """Look for sales that a source told of two weeks and more after it had been read beyond their day."""
    found = [row for row in history.late(LATE_DAYS).to_pylist() if row["late"] >= LEAST_SHARE * row["lines"]]
    late = sum(row["late"] for row in found)
    if late < FEWEST:
        return
    yield Problem(
        "warning",
        "late",
        t(
            "{late} came {days} days or more after their day, though their source had been read meanwhile.",
            late=count_of(late, "order line"),
            days=LATE_DAYS,
        ),
        late,
        t("The last weeks before a forecast look weaker than they were, and it begins too low."),
        t(
            "See why they come late, and export anew what came since before you forecast; if a channel "
            "was only added later, nothing has to be done."
        ),
        tuple(
            t(
                "{source}: {late:,} of {lines}, up to {days} late",
                source=row["source"],
                late=row["late"],
                lines=count_of(row["lines"], "later line"),
                days=count_of(row["most_days"], "day"),
            )
            for row in found[:SHOWN]
        ),
    )
