"""The wheel that is shipped: all that the code reads, and nothing that it does not."""

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import common

ROOT = Path(__file__).parents[2]
PACKAGES = ("certs", "client", "common", "server", "simulation")
LEFT_BEHIND = {"__pycache__", "README.md"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Build the wheel from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return ZipFile(built)


def test_the_wheel_carries_the_plans(wheel: ZipFile) -> None:
    carried = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("simulation/plans/")}
    assert carried == {f"simulation/plans/{path.name}": path.read_bytes() for path in (ROOT / "plans").glob("*.toml")}


def test_the_wheel_carries_pages_starters_and_warm_models(wheel: ZipFile) -> None:
    read = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not LEFT_BEHIND & set(path.parts)
    }
    assert read - set(wheel.namelist()) == set()


def test_type_checkers_are_told_that_every_package_is_typed(wheel: ZipFile) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.namelist())


def test_the_wheel_has_no_tests_and_nothing_at_the_top_but_our_packages(wheel: ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {*PACKAGES, f"hansa-{common.__version__}.dist-info"}


def test_changelog_and_citation_name_the_version() -> None:
    versions = re.findall(r"^## \[(\d\S+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == common.__version__
    assert f"\nversion: {common.__version__}\n" in (ROOT / "CITATION.cff").read_text()
