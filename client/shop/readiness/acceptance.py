"""Take up what a report proposes: the owner's word goes into the history as an import of its own, and can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa

from client.shop.history.entry import Entry
from client.shop.history.history import History
from client.shop.readiness.problem import Problem
from client.shop.readiness.report import Readiness
from client.shop.record import schema_of
from common.errors import ConfigError

SOURCE = "owner"  # what the journal calls it
ALL = "all"


def choose(report: Readiness, keys: Iterable[str]) -> tuple[Problem, ...]:
    """Give the problems whose proposals are accepted, by their keys; "all" for every one that has a proposal.

    Raises
    ------
    ConfigError
        There is no problem of a key, or none with a proposal.
    """
    wanted = set(keys)
    there = {problem.key: problem for problem in report.problems if problem.correction is not None}
    for key in sorted(wanted - {ALL}):
        if key not in there:
            named = f"; there are {', '.join(sorted(there))}" if there else "; nothing is proposed"
            raise ConfigError(f"There is no proposal {key!r} to accept{named}.")
    return tuple(problem for key, problem in there.items() if ALL in wanted or key in wanted)


def accept(history: History, problems: Iterable[Problem]) -> tuple[Entry, ...]:
    """Put each proposal into the history, an import each; `hansa-client history --undo` takes it back."""
    return tuple(_accept(history, problem) for problem in problems)


def _accept(history: History, problem: Problem) -> Entry:
    correction = problem.correction
    if correction is None:
        raise ConfigError(f"Nothing is proposed for {problem.key!r}.")
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [{"row": place, "updated": now, **record} for place, record in enumerate(correction.records, start=1)]
    with history.begin(SOURCE, origin=f"check --accept {problem.key}") as one:
        one.append(correction.kind, pa.Table.from_pylist(rows, schema=schema_of(correction.kind)))
        return one.finish()
