"""Which files of a merchant's folder are copied: those that cannot be made again.

Left out is what can be, kept fits, what `recommend` learned, served editions; what belongs to a process, locks and
health; and what is no file of hansa's. `ledger.head.json` is left out with intent: put back beside an older ledger, it
would hide that the ledger has forgotten spends (`client.account.ledger.head_file`). So is `sums.sqlite`: put back, its
one-time secrets would be used a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LEDGER, FEEDBACK = "ledger.sqlite", "feedback.sqlite"
HISTORY = ("history.duckdb", "history.duckdb.wal")
KEYS = ("customer.key", "card.key", "tls.key", "node.key", "peer.key")
SENT = ("sent.jsonl", "sent.jsonl.1", "sent.jsonl.2", "sent.jsonl.3")  # the newest first: it may be turned meanwhile
PLAIN = (
    "shop.toml",
    "shop.toml.old",
    "overrides.json",
    "served/chosen.json",
    "policy.toml",
    "federation.json",
    "tls.pem",
    *KEYS,
    *SENT,
)
REQUEST = re.compile(r"[^./][^/]*\.request\.json")
PLAN = re.compile(r"plan-[0-9a-f]{8}\.toml")  # that the page took up: shop.toml names it
BELOW = {"plans": re.compile(r"[^./][^/]*\.json"), "models": re.compile(r"[^./][^/]*\.(safetensors|json)")}
REMADE = re.compile(
    r"\..*|.*\.lock|ledger\.sqlite-(wal|shm)|ledger\.head\.json|feedback\.sqlite-(wal|shm)|health\.json"
    r"|sums\.sqlite(-wal|-shm)?|peers\.json|history\.spill-\d+|recommendation\.npz|served|learned|backups|plans|models"
)
KEPT = re.compile(
    "|".join(
        [
            *map(re.escape, (LEDGER, FEEDBACK, *HISTORY, *PLAIN)),
            REQUEST.pattern,
            PLAN.pattern,
            *(f"{folder}/{names.pattern}" for folder, names in BELOW.items()),
        ]
    )
)


def list_plain(folder: Path) -> Iterator[str]:
    """Name the files that are whole at any moment, hence copied as they are."""
    yield from (name for name in PLAIN if (folder / name).is_file())
    yield from sorted(path.name for path in folder.glob("*.request.json") if REQUEST.fullmatch(path.name))
    yield from sorted(path.name for path in folder.glob("plan-*.toml") if PLAN.fullmatch(path.name))
    for place, names in BELOW.items():
        yield from sorted(f"{place}/{path.name}" for path in (folder / place).glob("*") if names.fullmatch(path.name))


def list_left(folder: Path) -> list[str]:
    """Name what lies in the folder and is the owner's to keep, as exports that were imported."""
    found = sorted(path.name for path in folder.iterdir())
    return [name for name in found if not KEPT.fullmatch(name) and not REMADE.fullmatch(name)]
