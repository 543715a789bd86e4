"""Quantities that the owner chose instead of those proposed: one small file beside what is served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from client.serving.folder import ServedFolder
from common.disk.file import replace_file
from common.errors import DataError
from common.schema import SCHEMA, require_schema

FILE_NAME = "chosen.json"
MOST_PIECES = 1e6


@dataclass(frozen=True)
class Chosen:
    """Pieces by product, for the orders of one day; "" for `at` where nothing was chosen."""

    day: date
    pieces: Mapping[str, float] = field(default_factory=dict)
    at: str = ""


def read_chosen(home: ServedFolder, day: date) -> Chosen:
    """Read what was chosen for a day; what was for another day is over.

    Raises
    ------
    DataError
        The file is damaged, or of a later version.
    """
    path = _path(home)
    try:
        said = json.loads(path.read_bytes())
        require_schema(said.get("schema", SCHEMA), origin=path)
        if said["day"] != day.isoformat():
            return Chosen(day)
        return Chosen(day, {str(name): float(pieces) for name, pieces in said["pieces"].items()}, str(said["at"]))
    except FileNotFoundError:
        return Chosen(day)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged; remove it, and the orders are as proposed.") from error


def write_chosen(home: ServedFolder, day: date, pieces: Mapping[str, float]) -> None:
    """Keep what was chosen for a day, in place of what was chosen before.

    Raises
    ------
    DataError
        There is no room.
    """
    said = {"schema": SCHEMA, "day": day.isoformat(), "at": datetime.now(UTC).isoformat(), "pieces": dict(pieces)}
    try:
        replace_file(_path(home), json.dumps(said).encode(), mode=0o600)
    except OSError as error:
        raise DataError(f"Cannot write {_path(home)}: {error.strerror}; make room.") from error


def forget_chosen(home: ServedFolder) -> None:
    """Go back to what is proposed."""
    _path(home).unlink(missing_ok=True)


def _path(home: ServedFolder) -> Path:
    return home.folder / FILE_NAME
