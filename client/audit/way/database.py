"""How the ledger's file is written: what is sent must be on the disk first, and what is there must stay.

Settings are those of the very connection that writes; what stays is tried out, in the words of another program.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

from client.account.ledger.ledger import Ledger
from client.audit.way.charges import Walk
from client.audit.way.draws import listening
from client.audit.way.merchant import OpenMerchant

FULL = 2  # PRAGMA synchronous: the disk has it when a transaction returns; 3 is more
CHANGES = (
    "UPDATE entry SET line = line WHERE number = 1",
    "DELETE FROM entry WHERE number = 1",
    "UPDATE message SET content = content",
    "DELETE FROM message",
)


def check_settings(walk: Walk, ledger: Ledger, when: str) -> None:
    """Look how a connection writes."""
    synchronous, journal = ledger.setting("synchronous"), ledger.setting("journal_mode")
    walk.say(
        not isinstance(synchronous, int) or synchronous < FULL,
        f"{when} the ledger does not wait for the disk (synchronous is {synchronous})",
    )
    walk.say(journal != "wal", f"{when} the ledger is not written ahead (journal_mode is {journal})")
    walk.say(ledger.setting("foreign_keys") != 1, f"{when} the ledger does not hold messages to their lines")
    for name in ("writable_schema", "read_uncommitted", "ignore_check_constraints"):
        walk.say(ledger.setting(name) != 0, f"{when} the ledger has {name} set")


def check_database(walk: Walk, shop: OpenMerchant, number: int) -> None:
    """Look at the connection before a round, in its middle and after it; then try to change what is written."""
    check_settings(walk, shop.ledger, "when it is opened")
    request = walk.request(number)
    with listening(lambda: check_settings(walk, shop.ledger, "in a round")):
        wire = shop.round(request)
    check_settings(walk, shop.ledger, "after a round")
    walk.note_noise(request, wire)
    path = shop.ledger.path
    walk.say(bool(stat.S_IMODE(path.stat().st_mode) & 0o077), "others than its owner may read the ledger")
    with closing(sqlite3.connect(path)) as stranger:
        for change in CHANGES:
            try:
                stranger.execute(change)
                walk.say(True, f"a line of the ledger can be changed: {change.split()[0]} {change.split()[1]}")
            except sqlite3.Error:
                continue
            finally:
                stranger.rollback()
