"""Under load, while rows come in: every answer is whole, of one edition, and none is an error."""

import asyncio
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from served_shop import DAYS, Serving, make_served_shop, next_rows, serving
from small_shop import START

FIRST = START + timedelta(days=DAYS)
PATHS = ("/api/v1/forecasts", "/api/v1/forecasts?by=week&product=P1", "/api/v1/orders?everything=true")
LINES = 8  # at once
REQUESTS = int(os.environ.get("SWAP_REQUESTS", "100000"))
MEMORY_MINUTES = float(os.environ.get("MEMORY_MINUTES", "60"))
ROOM_BYTES = 64 << 20  # by which memory may grow while hundreds of thousands are answered and editions swapped


@dataclass
class Seen:
    """What came back.

    Attributes
    ----------
    bodies
        (edition, path) → digests of the bodies that came.
    """

    number: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    bodies: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def take(self, path: str, status: int, edition: str, body: bytes) -> None:
        self.number += 1
        if status != 200:
            self.faults[f"{status} {body[:100]!r}"] += 1
            return
        if json.loads(body)["edition"] != edition:
            self.faults["header and body name two editions"] += 1
        digest = hashlib.sha256(body).hexdigest()
        if digest not in self.bodies.setdefault((edition, path), set()):
            self.bodies[edition, path].add(digest)
            self.kept[edition, path] = body


async def ask_on(served: Serving, seen: Seen, until: asyncio.Event) -> None:
    """Ask one path after another over one connection."""
    parts = urlsplit(served.address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"host: {parts.netloc}\r\nauthorization: Bearer {served.token}\r\n\r\n"
    try:
        while not until.is_set():
            for path in PATHS:
                writer.write(f"GET {path} HTTP/1.1\r\n{head}".encode())
                said = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
                fields = dict(line.split(": ", 1) for line in said[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                seen.take(path, int(said[0].split()[1]), fields.get("x-hansa-edition", ""), body)
    finally:
        writer.close()


async def bring_rows(served: Serving, places: Sequence[int]) -> None:
    """Hand in a file for each place, and wait until an edition with it is served."""
    for place in places:
        before = (await asyncio.to_thread(served.status))["edition"]["name"]
        await asyncio.to_thread(post, served, next_rows(FIRST + timedelta(days=3 * place)))
        await asyncio.to_thread(served.await_edition, but=before)


def post(served: Serving, rows: bytes) -> None:
    with served.client as client:
        assert client.post("/api/v1/imports", params={"name": "new.csv"}, content=rows).status_code == 202


def memory_of(served: Serving) -> int:
    """Resident bytes of the server itself, not of its children."""
    return int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_editions_swap_under_load_without_an_error_or_a_mixed_answer(tmp_path: Path) -> None:
    async def drive(served: Serving) -> Seen:
        seen, until = Seen(), asyncio.Event()
        asking = [asyncio.create_task(ask_on(served, seen, until)) for _ in range(LINES)]
        await bring_rows(served, range(2))
        while seen.number < REQUESTS:
            await asyncio.sleep(0.1)
            assert not any(task.done() for task in asking)
        until.set()
        await asyncio.gather(*asking)
        return seen

    with serving(make_served_shop(tmp_path / "shop")) as served:
        served.await_edition()
        began = time.monotonic()
        seen = asyncio.run(drive(served))
        seconds = time.monotonic() - began
        editions = {edition for edition, _ in seen.bodies}
        told = f"{seen.number} answers of {len(editions)} editions in {seconds:.0f} s, {dict(seen.faults)}"
        sys.stdout.write(f"{told}\n")
        assert seen.number >= REQUESTS
        assert not seen.faults
        assert len(editions) == 3
        assert all(len(digests) == 1 for digests in seen.bodies.values())
        for edition in editions:  # all numbers of an answer are those that lie on the disk under its edition's name
            kept = pq.read_table(served.folder / "served" / edition / "day.parquet")
            told = json.loads(seen.kept[edition, PATHS[0]])["products"]
            assert [period["mean"] for one in told for period in one["periods"]] == kept["mean"].to_pylist()


@pytest.mark.slow
def test_memory_stays_as_it_is(tmp_path: Path) -> None:
    """For an hour: answers, and a new edition every ten minutes."""

    async def drive(served: Serving) -> list[int]:
        seen, until, sizes = Seen(), asyncio.Event(), list[int]()
        asking = [asyncio.create_task(ask_on(served, seen, until)) for _ in range(2)]
        rounds = max(round(MEMORY_MINUTES / 10), 3)
        for place in range(rounds):
            await bring_rows(served, [place])
            await asyncio.sleep(max(MEMORY_MINUTES * 60 / rounds - 30, 0))
            sizes.append(memory_of(served))
        until.set()
        await asyncio.gather(*asking)
        assert not seen.faults
        return sizes

    with serving(make_served_shop(tmp_path / "shop")) as served:
        served.await_edition()
        sizes = asyncio.run(drive(served))
        sys.stdout.write(f"MiB: {[size >> 20 for size in sizes]}\n")
        assert sizes[-1] - sizes[0] < ROOM_BYTES
