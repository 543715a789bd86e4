"""What is said when the ledger's disk fails: whether the round is spent, in every case as it is.

A sentence belongs to a moment. Before a transaction is committed nothing of it is; a commit that fails is looked up;
and what is committed stays, whatever fails after it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN")


@dataclass(frozen=True)
class Outcome:
    """What is so if writing fails before, at and after its commit."""

    before: str
    unclear: str
    after: str


_ASKED_AGAIN = "asked for again it costs nothing more"
_STAYS = f"the round is spent, its answer was not sealed and has not left; {_ASKED_AGAIN}"
OPENING = "nothing was spent"
READING = "what was spent before stays spent, and nothing more was"
RESERVING = Outcome(
    before="nothing was spent",
    unclear=f"whether the round is spent shows when the ledger is opened again; {_ASKED_AGAIN} than once",
    after=f"the round is spent, and was not answered; {_ASKED_AGAIN}",
)
_SINCE_BEFORE = f"the round is spent since before, and nothing more was; {_ASKED_AGAIN}"
CHARGED = Outcome(before=_SINCE_BEFORE, unclear=_SINCE_BEFORE, after=_SINCE_BEFORE)
SEALING = Outcome(
    before=_STAYS,
    unclear=f"the round is spent, and its answer has not left; {_ASKED_AGAIN}",
    after=f"the round is spent, its answer is sealed and has not left; {_ASKED_AGAIN}",
)
AGREEING = Outcome(
    before="no set of merchants is agreed on",
    unclear="whether the set of merchants is agreed on shows when the ledger is opened again; nothing was signed",
    after="the set of merchants is agreed on, and nothing was signed; asked again it can be",
)
OPENING_ACCOUNT = Outcome(
    before="no account was opened",
    unclear="whether the account is open shows: hansa-client ledger show",
    after="the account is open",
)
NOTING = Outcome(
    before="nothing was spent",
    unclear="nothing was spent",
    after="nothing was spent",
)
RECOVERING = Outcome(
    before="nothing was charged",
    unclear="whether it was charged shows: hansa-client ledger show",
    after="what was lost is charged; run the command again",
)


def explain(error: sqlite3.Error, outcome: str) -> str:
    """Say what failed, what is so now, and what to do where room is what lacks."""
    name = getattr(error, "sqlite_errorname", "")
    remedy = "; make room on its disk, or make its folder writable" if name in NO_ROOM else ""
    return f"{error}; {outcome}{remedy}."


def outcome_of_commit(error: sqlite3.Error, outcome: Outcome, *, is_there: bool | None) -> str:
    """Say what a failed commit has done, where what it wrote was looked for afterwards; None where that failed too.

    A commit that failed while the disk was made to keep it may come back after a crash, although it is not seen now.
    """
    if is_there:
        return outcome.after
    if is_there is None or "FSYNC" in getattr(error, "sqlite_errorname", "FSYNC"):
        return outcome.unclear
    return outcome.before
