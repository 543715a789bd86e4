"""A shop's settings, what its owner said, and how far its databases were read, are read for ever; later ones not."""

import json
import lzma
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from client.shop.history.history import History
from client.shop.history.table import STEPS, schema_version
from client.shop.settings import FILE_NAME, SourceSettings, read_shop
from client.shop.setup.writing import write_shop
from client.shop.source.database import DatabaseSource
from client.shop.source.sql.shape import Kind
from common.errors import ConfigError

FROZEN = Path(__file__).parent / "0.2" / "shop"
READ = json.loads((FROZEN / "cursors.json").read_text())
ALL = [0, 1, 2, 3, 4, 5]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The frozen shop, unpacked."""
    for name in ("history.duckdb", "customer.key"):
        (tmp_path / name).write_bytes(lzma.decompress((FROZEN / f"{name}.xz").read_bytes()))
        (tmp_path / name).chmod(0o600)
    (tmp_path / FILE_NAME).write_bytes((FROZEN / FILE_NAME).read_bytes())
    return tmp_path


def test_settings_with_every_key_say_what_they_said(shop: Path) -> None:
    said, frozen = read_shop(shop).model_dump(mode="json"), json.loads((FROZEN / "shop.json").read_text())
    assert {key: value for key, value in said.items() if key in frozen} == frozen
    (shop / FILE_NAME).write_text(write_shop(read_shop(shop)))
    assert read_shop(shop).model_dump(mode="json") == said


def test_settings_of_a_later_schema_are_refused_in_a_sentence(shop: Path) -> None:
    (shop / FILE_NAME).write_text((shop / FILE_NAME).read_text().replace("schema = 1", "schema = 2"))
    with pytest.raises(ConfigError, match="this version of hansa reads schema 1 alone; install a newer one"):
        read_shop(shop)


def test_what_the_owner_said_still_counts_and_can_be_taken_back(shop: Path) -> None:
    with closing(duckdb.connect(shop / "history.duckdb", read_only=True)) as connection:
        assert schema_version(connection) == 2 <= len(STEPS)
    history = History.open(shop)
    assert [(entry.source, entry.origin) for entry in history.journal()] == [
        ("till", ""),
        ("owner", "check --accept corrections"),
        ("owner", "check --accept aliases"),
        ("owner", "check --accept ignored"),
    ]
    (tea,) = history.daily().to_pylist()
    assert (tea["product"], tea["day"], tea["units"], tea["lines"], tea["views"]) == ("tea", date(2024, 1, 1), 3, 2, 1)
    for number in (2, 3, 4):
        history.undo(number)
    old, tea = history.daily().to_pylist()
    assert (old["product"], old["units"], tea["units"], tea["views"]) == ("old", 2, 90, 501)


def read(folder: Path, told: dict[str, Any], cursor: str) -> tuple[list[int], tuple[str, ...]]:
    """Fill the database as it was, go on behind a cursor; give the rows that come, and what is noted."""
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as connection:
        for statement in told["statements"]:
            connection.execute(statement)
    settings = SourceSettings(
        name="shop", location=f"sqlite:///{folder}/shop.db", table=told["table"], follow=told["follow"]
    )
    batches = list(DatabaseSource(settings, folder).batches(cursor))
    rows = [number for batch in batches for number in batch.rows["id"].to_pylist()]
    return rows, tuple(note for batch in batches for note in batch.notes if "beginning" in note or "late" in note)


@pytest.mark.parametrize("told", READ["cursors"], ids=lambda told: f"{told['name']}, {told['stopped']}")
def test_a_reading_goes_on_where_the_first_version_stopped(tmp_path: Path, told: dict[str, Any]) -> None:
    assert read(tmp_path, told, told["cursor"]) == (told["rest"], ())
    assert set(READ["kinds"]) <= set(get_args(Kind)), "cursors have these words; another one would begin anew"


def test_a_cursor_of_a_later_version_begins_anew_and_says_so(tmp_path: Path) -> None:
    told = READ["cursors"][0]
    later = json.dumps([2, *json.loads(told["cursor"])[1:]])
    rows, notes = read(tmp_path, told, later)
    assert rows == ALL
    assert notes == (
        "t is read from its beginning: it was read in another order, or by another version of hansa, before",
    )
