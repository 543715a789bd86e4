"""Look at a whole ledger: every line, every message, and whether it is as new as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from client.account.ledger.entry import Agreed, Entry, Seal, Spend
from client.account.ledger.head_file import HeadFiles
from client.account.ledger.ledger import Ledger
from common.errors import PrivacyError


def verify_ledger(path: Path, *, head: str | None = None) -> None:
    """Check that every line and message is the one that was written.

    Whoever can write the file can write a whole new chain; only a head that was noted elsewhere tells: in the head
    files, or on a privacy card.

    Parameters
    ----------
    path
        The ledger.
    head
        A head noted earlier: the ledger must have passed through it.

    Raises
    ------
    PrivacyError
        Something was changed, dropped, added or moved, or the ledger is older than `head`.
    """
    trusts_head = head is None or HeadFiles(path).is_begun()  # a copy that is looked at has no file beside it
    with closing(Ledger(path, trusts_head=trusts_head)) as ledger, ledger.snapshot():  # opening it checks the chain
        entries, heads = ledger.entries, ledger.heads
        for number, entry in enumerate(entries, start=1):
            if isinstance(entry, Spend):
                ledger.message(number)
            if isinstance(entry, Seal) and not (entry.spend < number and isinstance(entries[entry.spend - 1], Spend)):
                raise PrivacyError(f"Line {number} of {path} seals no spend; restore the file from a copy.")
        _require_one_set(entries, path)
        if ledger.num_messages != sum(isinstance(entry, Seal) for entry in entries):
            raise PrivacyError(f"{path} holds a message that no line names; restore the file from a copy.")
        if head is not None and head not in heads:
            raise PrivacyError(
                f"{path} never had the head {head[:12]}: it is another ledger or an older copy; bring back the newest."
            )


def _require_one_set(entries: Sequence[Entry], path: Path) -> None:
    """Refuse a ledger that agreed on two sets of merchants for one round of a secure sum."""
    agreed: set[tuple[str, int]] = set()
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, Agreed):
            if entry.place in agreed:
                raise PrivacyError(
                    f"Line {number} of {path} agrees on a second set of merchants for round {entry.round_number} of "
                    "one sum; restore the file from a copy."
                )
            agreed.add(entry.place)
