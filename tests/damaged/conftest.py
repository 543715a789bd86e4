"""One merchant, one coordinator and one researcher for all tests here; each test damages a copy."""

from pathlib import Path

import pytest

from damaged.homes import make_homes


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_homes(tmp_path_factory.mktemp("homes"))
