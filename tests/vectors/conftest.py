"""The frozen folder of the first version, and a copy of it for tests that write."""

import shutil
from pathlib import Path

import pytest

FIRST = Path(__file__).parent / "0.1"


@pytest.fixture
def vectors() -> Path:
    return FIRST


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return shutil.copytree(FIRST, tmp_path / "0.1")
