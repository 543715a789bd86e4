"""Micro-batching: what is asked at the same time, of one kind, is worked out at once by one thread.

While the thread works requests gather; when it is free it takes the oldest and everything of the same kind that fits.
Where it idles a moment is left for others to come (`QUIET_SECONDS` after each, `LONGEST_WAIT_SECONDS` in all), and
where `MOST_WAITING` wait already, one more is refused. Who has gone is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from client.serving.inference.fault import InferenceFault, Kind

QUIET_SECONDS, LONGEST_WAIT_SECONDS = 0.001, 0.010
MOST_WAITING = 512  # pieces


@runtime_checkable
class Kindred(Protocol):
    """What works out pieces of one kind at once; pieces may share a batch where it is equal."""

    @property
    def most_rows(self) -> int:
        """Rows of a batch."""
        ...

    def __hash__(self) -> int: ...

    def work_out(self, pieces: Sequence[Any]) -> Sequence[Any]:
        """Give a result for each piece, in a thread."""
        ...


@dataclass(eq=False)
class _Waiting:
    kind: Kindred
    piece: Any
    rows: int
    result: asyncio.Future[Any] = field(repr=False)


class Batcher:
    """Work pieces out in batches, in one thread; made and used on one event loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._working: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, "batch")
        self._comes = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.batches, self.pieces = 0, 0

    async def work_out(self, kind: Kindred, piece: object, *, rows: int) -> Any:
        """Give the result of one piece.

        Raises
        ------
        InferenceFault
            Too many wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise InferenceFault(Kind.BUSY, "Too many requests wait already; ask again in a second.")
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        waiting = _Waiting(kind, piece, rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._comes.set()
        return await waiting.result

    async def close(self) -> None:
        """Stop; who waits is told so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for each in (*self._working, *self._waiting):
            if not each.result.done():
                each.result.set_exception(InferenceFault(Kind.NOT_READY, "The server stops; ask again later."))
        self._waiting.clear()
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._comes.clear()
                await self._comes.wait()
                await self._gather_some()
            batch = self._take()
            if batch:
                self._working = batch
                await self._work(batch)

    async def _gather_some(self) -> None:
        """Leave a moment for others to come, longer as long as they do."""
        loop = asyncio.get_running_loop()
        until, seen = loop.time() + LONGEST_WAIT_SECONDS, 0
        while seen < len(self._waiting) and loop.time() < until:
            seen = len(self._waiting)
            await asyncio.sleep(QUIET_SECONDS)

    def _take(self) -> list[_Waiting]:
        """Take the oldest piece and what fits beside it; pieces of which the asker has gone are dropped."""
        there = [each for each in self._waiting if not each.result.done()]
        batch, rest, rows = list[_Waiting](), list[_Waiting](), 0
        for each in there:
            fits = not batch or (each.kind == batch[0].kind and rows + each.rows <= each.kind.most_rows)
            (batch if fits else rest).append(each)
            rows += each.rows * fits
        self._waiting = rest
        return batch

    async def _work(self, batch: list[_Waiting]) -> None:
        pieces = [each.piece for each in batch]
        self.batches, self.pieces = self.batches + 1, self.pieces + len(pieces)
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._thread, batch[0].kind.work_out, pieces)
        except Exception as error:  # whoever waits is told; the next batch is not the worse for it
            for each in batch:
                if not each.result.done():
                    each.result.set_exception(error)
            return
        for each, result in zip(batch, results, strict=True):
            if not each.result.done():
                each.result.set_result(result)
