"""What one merchant may take of the gateway, and what all of them may: requests and memory."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from server.process.headers import LARGEST_BODY

BURST_SECONDS = 5.0  # of the allowed rate, at once
SMALL_BYTES = 64 << 10  # not counted: a heartbeat passes however full the memory is, and there are few at once
MEMBER_BYTES = LARGEST_BODY  # that one merchant may hold
ROOM_SECONDS = 15.0  # how long a body waits for room


class Full(Exception):
    """Report that there is no room for a request now."""


@dataclass
class Bucket:
    """Let a merchant through at a steady rate, with a short burst."""

    rate: float
    filled: float = field(init=False)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.filled = self.rate * BURST_SECONDS

    def take(self) -> bool:
        """Whether one more request may pass now."""
        now = time.monotonic()
        self.filled = min(self.rate * BURST_SECONDS, self.filled + (now - self.at) * self.rate)
        self.at = now
        if self.filled < 1:
            return False
        self.filled -= 1
        return True


class Slots:
    """Count the requests that each merchant has under way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, member: str) -> Iterator[None]:
        """Hold one.

        Raises
        ------
        Full
            The merchant has as many as it may.
        """
        if self._taken[member] >= self._most:
            raise Full
        self._taken[member] += 1
        try:
            yield
        finally:
            self._taken[member] -= 1
            if not self._taken[member]:
                del self._taken[member]


class Room:
    """The memory for bodies and answers: so much in all, and of that no more for one merchant than the largest body.

    It is taken before a byte is read. A body of up to 64 KiB is not counted: uvicorn reads that much ahead anyway.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._held: Counter[str] = Counter()
        self._changed = asyncio.Event()

    @property
    def held(self) -> int:
        """Bytes that are taken now."""
        return self._held.total()

    @asynccontextmanager
    async def hold(self, member: str, num_bytes: int) -> AsyncIterator[None]:
        """Take room, and give it back.

        Raises
        ------
        Full
            There was none for so many seconds.
        """
        if num_bytes <= SMALL_BYTES:
            yield
            return
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                while not self._fits(member, num_bytes):
                    await self._changed.wait()
        except TimeoutError as error:
            raise Full from error
        self._held[member] += num_bytes
        try:
            yield
        finally:
            self._held[member] -= num_bytes
            if not self._held[member]:
                del self._held[member]
            self._changed.set()
            self._changed = asyncio.Event()

    def _fits(self, member: str, num_bytes: int) -> bool:
        return self._held[member] + num_bytes <= MEMBER_BYTES and self.held + num_bytes <= self._total
