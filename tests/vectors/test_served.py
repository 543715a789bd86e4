"""Orders that were kept, overrides, terms and what is on order are read for ever; a later version is said to be one."""

import json
import lzma
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from client.feedback.kept import FILE_NAME, read_kept
from client.shop.history.history import History
from client.shop.override.override import FILE_NAME as OVERRIDES
from client.shop.override.override import Overrides
from common.errors import DataError

FROZEN = Path(__file__).parent / "0.2" / "served"
DAY = date(2025, 3, 3)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The frozen folder, unpacked."""
    for packed in FROZEN.glob("*.xz"):
        (tmp_path / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
        (tmp_path / packed.stem).chmod(0o600)
    (tmp_path / OVERRIDES).write_bytes((FROZEN / OVERRIDES).read_bytes())
    return tmp_path


def test_a_proposal_says_what_it_said(shop: Path) -> None:
    (kept,) = read_kept(shop, "order")
    line = {"product": "tea", "first": "2025-03-03", "last": "2025-03-16", "covered": 12.0, "quantity": 6.0}
    assert kept.made == datetime(2025, 3, 3, 8, tzinfo=UTC)
    assert kept.payload == {"lines": [line]}


def test_overrides_say_what_they_said(shop: Path) -> None:
    one, other = Overrides(shop).read()
    assert (one.number, one.of, one.name, one.factor, one.without, one.with_it) == (1, "product", "tea", 1.2, 10, 12)
    assert (one.author, one.reason, one.first, one.last) == ("Anna", "Markt", DAY, date(2025, 3, 9))
    assert (other.number, other.of, other.total, other.removed) == (2, "shop", 300.0, date(2025, 3, 4))


def test_terms_and_what_is_on_order_are_there(shop: Path) -> None:
    history = History.open(shop)
    (terms,), (coming,) = history.records("terms").to_pylist(), history.records("on_order").to_pylist()
    assert (terms["product"], terms["supplier"], terms["unit_cost"], terms["lead_days"]) == ("tea", "Tea Ltd", 1.5, 7.0)
    assert (coming["product"], coming["quantity"]) == ("tea", 12.0)


def test_later_versions_are_said_to_be_later(shop: Path) -> None:
    said = json.loads((shop / OVERRIDES).read_text())
    (shop / OVERRIDES).write_text(json.dumps({**said, "schema": 999}))
    with pytest.raises(DataError, match="newer version of hansa"):
        Overrides(shop).read()
    with closing(sqlite3.connect(shop / FILE_NAME)) as file:
        file.execute("PRAGMA user_version = 999")
    with pytest.raises(DataError, match="newer version of hansa"):
        read_kept(shop, "order")
