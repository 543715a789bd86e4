"""The lock files name every package, with the hash of every file, and fit what is declared."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, TORCH = SETTINGS["project"], SETTINGS["tool"]["uv"]["dependency-metadata"][0]
FIRST_AND_ALONE = {"torch"}


def read_lock(name: str) -> dict[Requirement, set[str]]:
    """Read a lock: each requirement, and the hashes that its file may have."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    parts = [re.split(r"\s+--hash=", line.strip()) for line in lines]
    return {Requirement(first): set(hashes) for first, *hashes in parts}


def versions_in(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for requirement in read_lock(name):
        found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return found


@pytest.mark.parametrize("name", ["dev", "merchant"])
def test_every_package_has_one_version_and_hashes_and_no_address(name: str) -> None:
    for requirement, hashes in read_lock(name).items():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement
    assert "://" not in (ROOT / "requirements" / f"{name}.lock").read_text()


@pytest.mark.parametrize("name", ["dev", "merchant"])
def test_nothing_of_a_cuda_build_is_locked(name: str) -> None:
    assert [package for package in versions_in(name) if re.match("torch|nvidia|cuda|triton$", package)] == []


def test_what_a_merchant_installs_is_what_was_tested() -> None:
    tested, merchant = versions_in("dev"), versions_in("merchant")
    assert {name: tested.get(name) for name in merchant} == merchant
    assert not {"tensorboard", "matplotlib", "lightgbm", "pytest"} & set(merchant)


@pytest.mark.parametrize(("name", "extras"), [("dev", ("sim", "forecast", "dev")), ("merchant", ())])
def test_a_lock_fits_what_is_declared(name: str, extras: tuple[str, ...]) -> None:
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    locked = versions_in(name)
    for declared in map(Requirement, lines):
        if declared.name not in FIRST_AND_ALONE | {"hansa"}:
            for version in locked[canonicalize_name(declared.name)]:
                assert declared.specifier.contains(version.removeprefix("=="), prereleases=True), declared


def test_torch_has_one_version_everywhere() -> None:
    (installed,) = re.findall(r"pip install --quiet (torch\S+)", (ROOT / "Makefile").read_text())
    assert installed == f"torch=={TORCH['version']}"
    assert installed in PROJECT["dependencies"]
