"""A shop's folder, and records of every kind that differ in what a test wants to be different."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from client.shop.history.history import History
from shop_records import make_records


@pytest.fixture
def make() -> Callable[..., pa.Table]:
    """Make records of a kind from what is different in each."""
    return make_records


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.open(tmp_path)
