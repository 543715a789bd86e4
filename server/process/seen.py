"""When the gateway last let each member through: a small file that it writes beside its work (docs/protocol.md §8.4).

By the gateway's clock. Nothing depends on it but what `hansa-server status` and the page say.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.disk.file import replace_file
from common.disk.reading import read_file

LOGGER = logging.getLogger(__name__)
WRITE_SECONDS = 5.0
ONLINE_SECONDS = 60.0  # two heartbeats of a merchant that is busy; an idle one asks every three seconds


@dataclass(frozen=True)
class Seen:
    """Who was seen.

    Attributes
    ----------
    at
        When the gateway said so.
    last
        When each member's last request was let through.
    """

    at: datetime
    last: Mapping[str, datetime] = field(default_factory=dict)

    def is_online(self, name: str) -> bool:
        """Whether a member was let through in the last minute."""
        return name in self.last and self.at - self.last[name] < timedelta(seconds=ONLINE_SECONDS)


def read_seen(path: Path) -> Seen | None:
    """Read what a gateway says; None where none wrote it or the file is damaged."""
    try:
        said = json.loads(read_file(path))
        last = {str(name): datetime.fromisoformat(at) for name, at in said["seen"].items()}
        seen = Seen(datetime.fromisoformat(said["at"]), last)
        return seen if all(moment.tzinfo for moment in (seen.at, *last.values())) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def is_fresh(seen: Seen, *, now: datetime) -> bool:
    """Whether the gateway that wrote this runs: it writes every few seconds."""
    return abs(now - seen.at) < timedelta(seconds=ONLINE_SECONDS)


def write_seen(path: Path, seen: Seen) -> None:
    """Write it in place of what was there.

    Raises
    ------
    OSError
        There is no room.
    """
    last = {name: moment.isoformat() for name, moment in sorted(seen.last.items())}
    said = {"schema": 1, "at": seen.at.isoformat(), "seen": last}
    replace_file(path, json.dumps(said).encode(), mode=0o600)


async def keep_seen(path: Path, last: dict[str, datetime]) -> None:
    """Write down again and again what a gateway notes in `last`; a full disk closes no door."""
    before = await asyncio.to_thread(read_seen, path)
    for name, moment in (before.last if before else {}).items():
        last.setdefault(name, moment)
    while True:
        try:
            await asyncio.to_thread(write_seen, path, Seen(datetime.now(UTC), dict(last)))
        except OSError as error:
            LOGGER.warning("Who was seen is not written down: %s", error.strerror)
        await asyncio.sleep(WRITE_SECONDS)
