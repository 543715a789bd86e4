"""The environment that this very process runs in: what pip would change there, and changing it back.

pip is asked and told by its command line, as its makers say: it has no other interface.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import client
from client.upgrade.kept_wheel import pack_wheel
from common.errors import ConfigError, DataError

PACKAGE = "hansa"
PIP = ("-P", "-m", "pip", "--no-input", "--disable-pip-version-check")


@dataclass(frozen=True)
class Change:
    """What an upgrade does to the environment.

    Attributes
    ----------
    words
        What pip is told to install.
    version
        Of hansa, afterwards.
    replaced
        Packages that are there in another version.
    added
        Names of packages that are not there.
    """

    words: tuple[str, ...]
    version: str
    replaced: tuple[Distribution, ...]
    added: tuple[str, ...]


def require_installed() -> Distribution:
    """Give the hansa that runs, where it is one that pip can replace.

    Raises
    ------
    ConfigError
        It is a working copy, or pip or the right to write is missing.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise ConfigError("This hansa is a working copy, not an installed one; upgrade it as you got it.") from error
    own = Path(client.__file__).resolve()
    if own not in {Path(str(file.locate())).resolve() for file in package.files or () if file.name == "__init__.py"}:
        raise ConfigError(f"This hansa runs from {own.parent.parent}, a working copy; upgrade it as you got it.")
    if not os.access(own.parent.parent, os.W_OK):
        raise ConfigError(f"{sys.prefix} belongs to another user; upgrade as that user, with sudo perhaps.")
    if run_python(*PIP, "--version").returncode:
        raise ConfigError(f"There is no pip in {sys.prefix}; upgrade with the program that made this environment.")
    return package


def find_change(source: Path, place: Path) -> Change:
    """Ask pip what an upgrade would change; nothing is.

    Parameters
    ----------
    source
        A wheel of hansa; a folder of wheels, which is all that is used then; or hansa's source.
    place
        An empty folder to build and note in.

    Raises
    ------
    ConfigError
        It is none of these, or no other version than the one that is there.
    DataError
        pip cannot install it.
    """
    words = _words_of(source, place)
    report = place / "report.json"
    require_done(run_python(*PIP, "install", "--quiet", "--dry-run", "--report", str(report), *words), "look at it")
    listed = {
        item["metadata"]["name"]: item["metadata"]["version"] for item in json.loads(report.read_text())["install"]
    }
    if PACKAGE not in listed:
        raise ConfigError(f"{source} holds no other version of hansa than the one that is here; nothing is to be done.")
    there = {name: found for name in listed if (found := _find(name)) is not None}
    return Change(words, listed[PACKAGE], tuple(there.values()), tuple(name for name in listed if name not in there))


def keep(change: Change, folder: Path) -> list[Path]:
    """Make wheels of all that is replaced.

    Raises
    ------
    ConfigError
        One could not be put back.
    """
    try:
        return [pack_wheel(package, folder) for package in change.replaced]
    except OSError as error:
        raise ConfigError(f"Cannot write in {folder}: {error.strerror}; make room, or name another folder.") from error


def install(change: Change) -> None:
    """Install.

    Raises
    ------
    DataError
        pip could not; the environment may be half changed.
    """
    require_done(run_python(*PIP, "install", "--quiet", *change.words), "install it")


def put_back(change: Change, wheels: Sequence[Path]) -> None:
    """Put every package back that was replaced, and remove what was added.

    Raises
    ------
    DataError
        pip could not; the sentence says what to type.
    """
    words = [*PIP, "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall", *map(str, wheels)]
    done = run_python(*words)
    if done.returncode == 0 and change.added:
        done = run_python(*PIP, "uninstall", "--quiet", "--yes", *change.added)
    if done.returncode:
        raise DataError(
            f"The old version could not be put back ({_last_line(done)}); make room, and type: "
            f"{shlex.join([sys.executable, *words])}"
        )


def run_python(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run what is installed in this environment, and not what lies in the folder or on PYTHONPATH."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603  this very Python
        [sys.executable, *words], cwd=folder, env=settings, capture_output=True, text=True, check=False
    )


def require_done(done: subprocess.CompletedProcess[str], what: str) -> None:
    """Raise where a child failed.

    Raises
    ------
    DataError
        It did; its last words are in the sentence.
    """
    if done.returncode:
        raise DataError(f"Cannot {what}: {_last_line(done)}")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {done.returncode}"


def _words_of(source: Path, place: Path) -> tuple[str, ...]:
    if source.is_file() and source.suffix == ".whl" and source.name.startswith(f"{PACKAGE}-"):
        return (str(source.resolve()),)
    if (source / "pyproject.toml").is_file():
        words = ("wheel", "--quiet", "--no-deps", "--wheel-dir", str(place), str(source.resolve()))
        require_done(run_python(*PIP, *words), f"build {source}")
        return _words_of(_only(place, source), place)
    if source.is_dir():
        return ("--no-index", "--find-links", str(source.resolve()), str(_only(source, source).resolve()))
    raise ConfigError(f"{source} is no wheel of hansa, no folder of wheels and no source of hansa; name one of them.")


def _only(folder: Path, source: Path) -> Path:
    found = sorted(folder.glob(f"{PACKAGE}-*.whl"))
    if len(found) != 1:
        raise ConfigError(f"{source} holds {len(found)} wheels of hansa; name the one to install.")
    return found[0]


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None
