"""The server's side of the bench: one job at a time, few that wait, each with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from client.serving.bench.job import Job
from client.serving.edition.edition import Edition
from client.serving.folder import ServedFolder
from client.serving.process.child import Child
from client.serving.process.refusal import Refusal, refuse_with
from common.errors import ConfigError, DataError

MOST_WAITING = 16
CHANGED = "The shop has just changed, and this is being worked out anew."


class Bench:
    """Work that is done when it is asked for, of the edition that is current."""

    def __init__(self, home: ServedFolder) -> None:
        self._home = home
        self._edition: Edition | None = None
        self._child: Child | None = None
        self._lines: AsyncIterator[dict[str, Any]] | None = None
        self._turn = asyncio.Lock()
        self._number = 0
        self.waiting = 0

    async def prepare(self, edition: Edition) -> None:
        """Work for another edition from now on, once the job in hand is done."""
        async with self._turn:
            await self._stop()
            self._edition = edition
            if self._snapshot.exists():
                await self._start()

    async def ask(self, edition: Edition, job: Job, *, seconds: float) -> dict[str, Any]:
        """Have a job done of an edition.

        Raises
        ------
        Refusal
            Too many wait, it took too long, or another edition is current by now.
        ConfigError, DataError
            It cannot be done; the text says why.
        """
        if self.waiting >= MOST_WAITING:
            sentence = f"{MOST_WAITING} questions are waiting already."
            raise Refusal(429, "too_many", sentence, "ask again in a moment", headers={"retry-after": "5"})
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                async with self._turn:
                    return _judge(await self._do(edition, job))
        except TimeoutError as error:
            sentence = f"This took longer than {seconds:.0f} seconds."
            raise Refusal(504, "too_slow", sentence, "ask for less, or again when less is going on") from error
        finally:
            self.waiting -= 1

    async def stop(self) -> None:
        """End the child."""
        async with self._turn:
            await self._stop()

    async def _do(self, edition: Edition, job: Job) -> dict[str, Any]:
        if self._edition is None or edition.name != self._edition.name or not self._snapshot.exists():
            raise Refusal(503, "not_ready", CHANGED, "ask again in a moment", headers={"retry-after": "2"})
        if self._child is None or not self._child.is_alive:
            await self._stop()
            await self._start()
        assert self._child is not None  # noqa: S101  for mypy: just started
        assert self._lines is not None  # noqa: S101  for mypy: just started
        self._number += 1
        is_done = False
        try:
            await self._child.say({"number": self._number, "job": job.model_dump(mode="json")})
            async for line in self._lines:
                if line.get("number") == self._number:
                    is_done = True
                    return line
        finally:
            if not is_done:  # its answer would be taken for that of the next job
                await asyncio.shield(self._stop())
        return {"fault": "the process that works it out has ended"}

    async def _start(self) -> None:
        assert self._edition is not None  # noqa: S101  for mypy: there is an edition before there is a job
        day = self._edition.imprint.day.isoformat()
        self._child = await Child.start(["client.serving.bench", str(self._snapshot), day])
        self._lines = self._child.lines()

    async def _stop(self) -> None:
        child, self._child, self._lines = self._child, None, None
        if child is not None:
            await child.stop()

    @property
    def _snapshot(self) -> Path:
        assert self._edition is not None  # noqa: S101  for mypy: there is an edition before there is a job
        return self._home.edition(self._edition.name) / "shop"


def _judge(line: dict[str, Any]) -> dict[str, Any]:
    if "question" in line:
        raise ConfigError(line["question"])
    if "data" in line:
        raise DataError(line["data"])
    if "fault" in line:
        sentence = f"This could not be worked out, by a fault of hansa's ({line['fault']}); tell its makers."
        raise refuse_with(500, "fault", sentence)
    answer: dict[str, Any] = line["answer"]
    return answer
