"""Who has news: events for who waits in the same process, and numbered lists for who reads along from another."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass


class News:
    """Wake up who waits for news of a node."""

    def __init__(self) -> None:
        self._events: dict[int, asyncio.Event] = {}

    def of(self, node_id: int) -> asyncio.Event:
        """Give what is set at the next news; to be taken before one looks, so that nothing is missed."""
        return self._events.setdefault(node_id, asyncio.Event())

    def tell(self, node_ids: Iterable[int]) -> None:
        """Tell whoever waits."""
        for node_id in node_ids:
            if (event := self._events.pop(node_id, None)) is not None:
                event.set()

    def tell_all(self) -> None:
        """Tell whoever waits for news of anybody."""
        self.tell(list(self._events))


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, for so many seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@dataclass(frozen=True)
class Issue:
    """What happened up to a number.

    Attributes
    ----------
    bulletin
        Which list the number is of: another process begins another one.
    node_ids
        Who has news since the number that was asked about; None where that cannot be told, so everybody may.
    """

    bulletin: str = ""
    number: int = 0
    node_ids: tuple[int, ...] | None = None

    def to_bytes(self) -> bytes:
        """Write it as JSON."""
        return json.dumps([self.bulletin, self.number, self.node_ids]).encode()

    @staticmethod
    def from_bytes(content: bytes) -> Issue:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ValueError
            It is something else.
        """
        match json.loads(content):
            case [str(bulletin), int(number), None]:
                return Issue(bulletin, number)
            case [str(bulletin), int(number), list(node_ids)]:
                return Issue(bulletin, number, tuple(map(int, node_ids)))
        raise ValueError("no issue")


class Bulletin:
    """Number the news, each node's latest alone."""

    def __init__(self) -> None:
        self._name, self._number = secrets.token_hex(8), 0
        self._latest: dict[int, int] = {}  # in the order of the numbers

    def note(self, node_ids: Iterable[int]) -> None:
        """Add news of some nodes."""
        for node_id in node_ids:
            self._number += 1
            self._latest.pop(node_id, None)
            self._latest[node_id] = self._number

    def since(self, read: Issue) -> Issue:
        """Say what is new to whoever has read so far."""
        if read.bulletin != self._name:
            return Issue(self._name, self._number)
        found = []
        for node_id, number in reversed(self._latest.items()):
            if number <= read.number:
                break
            found.append(node_id)
        return Issue(self._name, self._number, tuple(found))
