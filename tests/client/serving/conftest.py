"""One served shop for all tests that only ask it; its edition is made once for all workers of a run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from served_shop import Serving, make_served_shop, serving


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Give a shop's folder with an edition in it, as a server that ended has left it; nobody changes it."""
    base = tmp_path_factory.getbasetemp()
    whole = (base if worker_id == "master" else base.parent) / "served-once"
    with FileLock(f"{whole}.lock"):
        if not whole.is_dir():
            folder = make_served_shop(base / "served-making" / "shop")
            with serving(folder) as running:
                running.await_edition()
            folder.rename(whole)
    return whole


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, served_folder: Path) -> Iterator[Serving]:
    """Serve a copy of it."""
    folder = tmp_path_factory.mktemp("served") / "shop"
    shutil.copytree(served_folder, folder, symlinks=True)
    with serving(folder) as running:
        running.await_edition()
        yield running
