"""A child of the server: a process that is spoken to in lines, and whose end is a sentence."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from client.serving.encoding import encode

LONGEST_LINE = 64 << 20  # bytes
PATIENCE_SECONDS = 3.0
LAST_LINES = 20  # of what it complained of


class Child:
    """A process that was started; leave it with `stop`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._complaints = deque[str](maxlen=LAST_LINES)
        self._hearing = asyncio.create_task(self._hear_complaints())

    @classmethod
    async def start(cls, arguments: Sequence[str]) -> Child:
        """Start a module of ours, as `python -m`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=LONGEST_LINE
        )
        return cls(process)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def last_words(self) -> str:
        """The last line that it complained with."""
        return self._complaints[-1] if self._complaints else ""

    async def say(self, message: dict[str, Any]) -> None:
        """Tell it something; one that has ended hears nothing."""
        assert self._process.stdin is not None  # noqa: S101  for mypy: it was started with pipes
        with suppress(ConnectionError):
            self._process.stdin.write(encode(message) + b"\n")
            await self._process.stdin.drain()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Give what it says, until it ends."""
        assert self._process.stdout is not None  # noqa: S101  for mypy: it was started with pipes
        async for line in self._process.stdout:
            yield json.loads(line)

    async def read(self) -> bytes:
        """Give all that it writes until it ends."""
        assert self._process.stdout is not None  # noqa: S101  for mypy: it was started with pipes
        return await self._process.stdout.read()

    async def wait(self) -> int:
        """Wait for its end and its last words, and give its exit code."""
        code = await self._process.wait()
        await asyncio.wait({self._hearing}, timeout=PATIENCE_SECONDS)
        return code

    async def stop(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """End it: politely, then not."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), patience_seconds)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._hearing.cancel()

    async def _hear_complaints(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  for mypy: it was started with pipes
        with suppress(ValueError):  # of a line that is too long
            async for line in self._process.stderr:
                self._complaints.append(line.decode(errors="replace").strip()[:500])
