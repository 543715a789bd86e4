"""Members of a sum keep their files in memory here: what a disk does to them is tested in `test_store.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sum_world import folder_in_memory


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder
