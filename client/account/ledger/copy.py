"""Copy a ledger while others write it, and put a copy where a ledger is to be.

A copy is whole and never stands beside a head file: alone, every command refuses it. What a copy has forgotten shows
only by the newest head, which is the owner's to bring; without it `recovery` charges up to the budget for life.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from client.account.ledger.file import NOTED
from client.account.ledger.head_file import OWNER_ALONE, HeadFiles, Noted, read_noted
from client.account.ledger.ledger import Ledger
from client.account.ledger.trouble import READING, explain
from client.account.ledger.verification import verify_ledger
from common.disk.file import replace_file
from common.errors import DataError, PrivacyError


@dataclass(frozen=True)
class CopiedLedger:
    """How far a copy of a ledger goes."""

    num_lines: int
    head: str


def copy_ledger(path: Path, target: Path) -> CopiedLedger:
    """Copy a ledger that has passed through its noted heads, by SQLite's own backup, and verify the copy.

    Raises
    ------
    PrivacyError
        The ledger cannot be used as it is: an older copy, damaged, or without its head file.
    DataError
        A later version wrote it.
    """
    with closing(Ledger(path)):  # one of an earlier version is brought forward, so that its head is noted
        try:
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
        except sqlite3.Error as error:
            raise PrivacyError(f"Cannot copy the ledger {path}: {explain(error, READING)}") from error
    return look_at_copy(target)


def look_at_copy(path: Path) -> CopiedLedger:
    """Check every line and message of a copy that has no head file beside it.

    Raises
    ------
    PrivacyError
        Something in it was changed, or it is of a version that noted no head, hence would be trusted without one.
    """
    with closing(Ledger(path, trusts_head=False)) as ledger:
        heads = ledger.heads
        if int(ledger.setting("user_version")) < NOTED:
            raise PrivacyError(f"{path} is a copy of a ledger whose head was never noted; bring another backup.")
    verify_ledger(path, head=heads[-1])
    return CopiedLedger(len(heads) - 1, heads[-1])


def read_head(file: Path, copied: CopiedLedger) -> Noted:
    """Read the head file that is to stand beside a copy.

    Raises
    ------
    PrivacyError, DataError
        It cannot be read, or is itself older than the copy, hence cannot be the newest.
    """
    noted = read_noted(file)
    if noted.num_lines < copied.num_lines:
        raise DataError(
            f"{file} notes {noted.num_lines} lines, and the backup's ledger has {copied.num_lines}: it is not the "
            "newest head; bring the newest, or leave --head out."
        )
    return noted


def note_beside(path: Path, noted: Noted) -> str | None:
    """Put a head beside a restored ledger; say why the ledger cannot be used as it is, None where it can."""
    replace_file(HeadFiles(path).beside, noted.model_dump_json(indent=2).encode(), mode=OWNER_ALONE)
    return why_not(path)


def why_not(path: Path) -> str | None:
    """Say why a ledger cannot be used as it is; None where it can."""
    try:
        Ledger(path).close()
    except PrivacyError as error:
        return str(error)
    return None
