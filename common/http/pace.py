"""How slow the other side may be.

The deadline of a body or an answer grows with what has passed: whoever keeps up the slowest rate may take its time, and
whoever stops is let go of within seconds.
"""

from __future__ import annotations

import asyncio

GRACE_SECONDS = 10.0
SLOWEST_BYTES = 32 << 10  # per second


class Pace:
    """The deadline of something that passes piece by piece."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()
        self._passed = 0

    def note(self, num_bytes: int) -> None:
        """Note a piece."""
        self._passed += num_bytes

    def next_piece(self) -> asyncio.Timeout:
        """Bound the wait for the next one; a TimeoutError says that it is too slow.

        What came fast at first, or went into a buffer, buys no longer rest than the grace.
        """
        now = asyncio.get_running_loop().time()
        return asyncio.timeout_at(min(now, self._began + self._passed / SLOWEST_BYTES) + GRACE_SECONDS)
