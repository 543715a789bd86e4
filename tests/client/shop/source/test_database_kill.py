"""A reading is interrupted at random rows, by whatever, while rows are written: each row comes exactly once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import DataError

Place = Any  # of conftest.py
ROOT = Path(__file__).parents[4]
TABLE = (
    "CREATE TABLE orders (number INTEGER NOT NULL PRIMARY KEY, changed TIMESTAMP NULL, units INTEGER)",
    "CREATE VIEW sold AS SELECT number, changed FROM orders",
)


class Shop:
    """A shop that goes on selling: one order after the other, several in one minute."""

    def __init__(self, place: Place, draw: random.Random) -> None:
        self.place = place
        self.draw = draw
        self.count = 0
        self.minute = 0
        place.run(*TABLE)

    def sell(self, orders: int) -> None:
        rows = []
        for _ in range(orders):
            self.minute += self.draw.random() < 0.2
            rows.append(f"({self.count}, '2024-01-01 {self.minute // 60:02}:{self.minute % 60:02}:00', 1)")
            self.count += 1
        if rows:
            self.place.run("INSERT INTO orders VALUES " + ", ".join(rows))  # noqa: S608


@pytest.fixture(scope="module")
def children() -> Iterator[subprocess.Popen[str]]:
    """Start the process that forks readers."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, "-m", "fleet.reading_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def read_with_kills(place: Place, children: subprocess.Popen[str], *, table: str, seed: int, kills: int) -> None:
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(place, draw)
    shop.sell(draw.randrange(100, 200))
    journal = place.folder / f"{table}-{seed}.jsonl"
    order = {
        "settings": {
            "name": "shop",
            "location": place.url,
            "table": table,
            "follow": draw.choice(["number", "changed"]),
        },
        "folder": str(place.folder),
        "sizes": {"batch_rows": draw.randrange(3, 20), "page_rows": draw.choice([20, 50, 1000])},
        "journal": str(journal),
    }
    ends = []
    for number in range(kills + 1):
        order["rows_to_live"] = draw.randrange(1, 60) if number < kills else 10**9
        assert children.stdin is not None
        assert children.stdout is not None
        children.stdin.write(json.dumps(order) + "\n")
        children.stdin.flush()
        ends.append(int(children.stdout.readline()))
        if number < kills:
            shop.sell(draw.randrange(0, 12))
    assert -9 in ends
    assert ends[-1] == 0
    numbers = [number for line in journal.read_text().splitlines() for number in json.loads(line)["numbers"]]
    assert sorted(numbers) == list(range(shop.count)), order


def test_readers_that_are_killed_at_random_rows_read_each_row_exactly_once(
    place: Place, children: subprocess.Popen[str]
) -> None:
    read_with_kills(place, children, table="orders", seed=15, kills=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_readers_that_are_killed_ever_again_read_each_row_exactly_once(
    place: Place, children: subprocess.Popen[str], seed: int
) -> None:
    read_with_kills(place, children, table="orders", seed=seed, kills=25)


def read_with_interruptions(place: Place, *, seed: int, readings: int, table: str = "orders", follow: str = "") -> None:
    """Read again and again, left at random batches or cut off by the server, while rows are written between batches."""
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(place, draw)
    shop.sell(draw.randrange(60, 120))
    follow = follow or draw.choice(["number", "changed"])
    numbers: list[int] = []
    cursor = ""
    for reading in range(readings + 1):
        sizes = {"batch_rows": draw.randrange(3, 20), "page_rows": draw.choice([20, 50, 1000])}
        left = draw.randrange(1, 6) if reading < readings else 10**9
        batches = place.source(table, follow=follow, **sizes).batches(cursor)
        try:
            for batch in batches:
                numbers += batch.rows["number"].to_pylist()
                cursor = batch.cursor
                left -= 1
                if left == 0:
                    break
                if reading < readings and draw.random() < 0.3:
                    shop.sell(draw.randrange(1, 6))
                if reading < readings and place.server is not None and draw.random() < 0.2:
                    place.server.end_connections(place.name)
        except DataError as error:
            assert "was lost while" in str(error)  # noqa: PT017
        batches.close()
    assert sorted(numbers) == list(range(shop.count)), (seed, follow)


@pytest.mark.parametrize("seed", range(2))
def test_readings_that_are_left_or_cut_off_give_each_row_exactly_once_while_rows_are_written(
    place: Place, seed: int
) -> None:
    read_with_interruptions(place, seed=seed, readings=6)


def test_readings_of_a_view_with_a_named_key_give_each_row_exactly_once(place: Place) -> None:
    read_with_interruptions(place, seed=7, readings=6, table="sold", follow="changed, number")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_readings_that_are_left_or_cut_off_give_each_row_exactly_once_while_rows_are_written(
    place: Place, seed: int
) -> None:
    read_with_interruptions(place, seed=seed, readings=20)
