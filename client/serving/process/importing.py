"""Imports of files that are handed in: one after another, each by `hansa-client import` in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from client.serving.folder import ServedFolder
from client.serving.process.child import Child
from client.serving.process.refusal import Refusal
from client.shop.settings import read_shop
from common.errors import HansaError

MOST_WAITING, KEPT_JOBS = 4, 100
EXPORTS = "exports"  # in the shop's folder: files of sources that were handed in here
State = Literal["waiting", "running", "done", "failed"]


@dataclass
class ImportJob:
    """A file that was handed in.

    Attributes
    ----------
    source
        Name of the source in shop.toml that it is a new export of; "" where it is a source of its own, or all are read.
    said
        What `hansa-client import --json` said.
    trouble
        What went wrong, in a sentence; "" where nothing did.
    is_new
        Whether it is a source of another kind, which shop.toml does not know yet.
    """

    number: int
    source: str
    name: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: State = "waiting"
    said: dict[str, Any] | None = None
    trouble: str = ""
    is_new: bool = False


def _number_of(file: Path) -> int:
    """Give the number of the import that a file was received for, by its folder's name."""
    return int(file.parent.name.rpartition("-")[2])


def _settle(file: Path, folder: Path) -> Path:
    """Put a file where shop.toml can name it for good, under a name that no other one there has."""
    folder.mkdir(mode=0o700, exist_ok=True)
    place, number = folder / file.name, 1
    while place.exists():
        number += 1
        place = folder / f"{file.stem}-{number}{file.suffix}"
    shutil.move(file, place)
    return place


def _withdraw(place: Path, folder: Path) -> None:
    """Remove a file that could not be taken for a source, unless shop.toml names it by now."""
    with suppress(HansaError):
        if any((folder / source.location).resolve() == place for source in read_shop(folder).sources):
            return
    place.unlink(missing_ok=True)


class Imports:
    """The imports of one server."""

    def __init__(self, home: ServedFolder) -> None:
        self._home = home
        self._jobs = OrderedDict[int, ImportJob]()
        self._tasks = set[asyncio.Task[None]]()
        self._turn = asyncio.Lock()
        self._number, self._receiving = 0, 0

    def list_jobs(self) -> list[ImportJob]:
        """List the last ones, the newest first."""
        return list(reversed(self._jobs.values()))

    def find(self, number: int) -> ImportJob | None:
        """Find one by its number."""
        return self._jobs.get(number)

    def require_room(self) -> None:
        """Refuse another one where too many wait."""
        if len(self._tasks) + self._receiving >= MOST_WAITING:
            sentence = f"{MOST_WAITING} imports are waiting already."
            raise Refusal(429, "too_many", sentence, "send it again when they are done", headers={"retry-after": "30"})

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Count a file among those that wait while it comes, or refuse it where too many do."""
        self.require_room()
        self._receiving += 1
        try:
            yield
        finally:
            self._receiving -= 1

    def next_number(self) -> int:
        """Give the next import its number; on the event loop, so that none is given twice."""
        self._number += 1
        return self._number

    def begin_new(self, file: Path) -> ImportJob:
        """Take a file for a source of its own, recognised as `hansa-client init --add` does; it is kept in the shop."""
        return self._begin(ImportJob(_number_of(file), "", file.name, is_new=True), file)

    def make_folder(self, number: int) -> Path:
        """Make the folder that a file is written into, for its owner's eyes."""
        folder = self._home.folder / f"upload-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def begin(self, source: str, file: Path) -> ImportJob:
        """Import a file in its turn; it is removed afterwards."""
        return self._begin(ImportJob(_number_of(file), source, file.name), file)

    def begin_all(self) -> ImportJob:
        """Import every source in its turn, from where shop.toml says that it lies."""
        return self._begin(ImportJob(self.next_number(), "", ""), None)

    def _begin(self, job: ImportJob, file: Path | None) -> ImportJob:
        self._jobs[job.number] = job
        while len(self._jobs) > KEPT_JOBS:
            self._jobs.popitem(last=False)
        task = asyncio.create_task(self._do(job, file))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def stop(self) -> None:
        """End what is under way: what an import committed stays, and the same file again brings the rest."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _do(self, job: ImportJob, file: Path | None) -> None:
        try:
            async with self._turn:
                job.state = "running"
                await self._run(job, file)
        finally:
            if file is not None:
                shutil.rmtree(file.parent, ignore_errors=True)
            if job.state in ("waiting", "running"):
                job.state, job.trouble = "failed", "The server was stopped before it was done; send the file again."

    async def _run(self, job: ImportJob, file: Path | None) -> None:
        place: Path | None = None
        words = ["client", "import", "--folder", str(self._home.shop)]
        if job.is_new and file is not None:
            place = await asyncio.to_thread(_settle, file, self._home.shop.resolve() / EXPORTS)
            words = ["client", "init", str(place), "--add", "--yes", "--folder", str(self._home.shop.resolve())]
        elif file is not None:
            words += [job.source, "--file", str(file.resolve())]
        try:
            await self._run_child(job, words)
        finally:
            if place is not None and job.state != "done":
                await asyncio.to_thread(_withdraw, place, self._home.shop)

    async def _run_child(self, job: ImportJob, words: list[str]) -> None:
        child = await Child.start([*words, "--json"])
        try:
            said = await child.read()
            code = await child.wait()
            words_left = child.last_words
        finally:
            await child.stop()
        try:
            job.said = json.loads(said)
        except ValueError:
            job.said = None
        troubles = (job.said or {}).get("troubles", [])
        if code == 0 and job.said is not None:
            job.state = "done"
        else:
            sentence = troubles[0] if troubles else words_left.removeprefix("hansa-client: ")
            job.state, job.trouble = "failed", sentence or f"The import ended with exit code {code}."
