"""The server's side of the bench: one job at a time, few that wait, each with a deadline."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from client.language.speech import ENGLISH
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
        self._reading: asyncio.Task[None] | None = None
        self._answers = dict[int, asyncio.Future[dict[str, Any]]]()
        self._turn = asyncio.Lock()
        self._number = 0
        self.waiting = 0

    async def prepare(self, edition: Edition) -> None:
        """Work for another edition from now on."""
        async with self._turn:
            await self._stop()
            self._edition = edition
            if self._snapshot(edition).exists():
                await self._start(edition)

    async def ask(self, edition: Edition, job: Job, *, seconds: float, spoken: str = ENGLISH) -> dict[str, Any]:
        """Have a job done of an edition, and give its answer in a language.

        What takes too long goes on, and is forgotten when it is done: what is fitted on the way serves the next job.

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
                return _judge(await self._do(edition, job, time.time() + seconds), spoken)
        except TimeoutError as error:
            sentence = f"This took longer than {seconds:.0f} seconds."
            raise Refusal(504, "too_slow", sentence, "ask for less, or again when less is going on") from error
        finally:
            self.waiting -= 1

    async def stop(self) -> None:
        """End the child."""
        async with self._turn:
            await self._stop()

    async def _do(self, edition: Edition, job: Job, until: float) -> dict[str, Any]:
        async with self._turn:
            if self._edition is None or edition.name != self._edition.name or not self._snapshot(edition).exists():
                raise _changed()
            if self._child is None or not self._child.is_alive:
                await self._stop()
                await self._start(edition)
            assert self._child is not None  # noqa: S101  for mypy: just started
            self._number += 1
            number = self._number
            answer = self._answers[number] = asyncio.get_running_loop().create_future()
            await self._child.say({"number": number, "until": until, "job": job.model_dump(mode="json")})
        try:
            return await answer
        finally:
            self._answers.pop(number, None)

    async def _start(self, edition: Edition) -> None:
        arguments = ["client.serving.bench", str(self._snapshot(edition)), edition.imprint.day.isoformat()]
        self._child = await Child.start(arguments)
        self._reading = asyncio.create_task(self._read(self._child))

    async def _read(self, child: Child) -> None:
        """Hand what the child says to who waits for it; who waits when it ends is told so."""
        async for line in child.lines():
            waiting = self._answers.get(line["number"])
            if waiting is not None and not waiting.done():
                waiting.set_result(line)
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_result({"ended": True})

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop()
        if self._reading is not None:
            await self._reading
            self._reading = None

    def _snapshot(self, edition: Edition) -> Path:
        return self._home.edition(edition.name) / "shop"


def _changed() -> Refusal:
    return Refusal(503, "not_ready", CHANGED, "ask again in a moment", headers={"retry-after": "2"})


def _judge(line: dict[str, Any], spoken: str) -> dict[str, Any]:
    if "ended" in line:
        raise _changed()
    if "question" in line:
        raise ConfigError(line["question"])
    if "data" in line:
        raise DataError(line["data"])
    if "fault" in line:
        sentence = f"This could not be worked out, by a fault of hansa's ({line['fault']}); tell its makers."
        raise refuse_with(500, "fault", sentence)
    answer: dict[str, Any] = line.get("spoken", {}).get(spoken, line["answer"])
    return answer
