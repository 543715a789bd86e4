"""Read what a study of firsts found, also one of an older version: what its tables and its page are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from common.disk.reading import read_file, read_file_json
from common.errors import DataError
from common.forecast.entity_loss import COMPARED
from common.plan.schema import Plan
from simulation.experiment.firsts.pool import SCHEMA

FIRSTS = "firsts.json"


class _Gain(BaseModel):
    value: float
    gain: float
    low: float | None
    high: float | None
    verdict: Literal["better", "worse", "unclear"]


class _OverBest(BaseModel):
    gain: _Gain


class _Row(BaseModel):
    kind: str
    days: int
    size: str
    origin: str
    method: str
    entities: int
    gain: _Gain
    over_best_own: _OverBest


class _Found(BaseModel):
    """What is read of the file; there is more in it, for other programs."""

    plan: str
    rows: list[_Row]


@dataclass(frozen=True)
class Study:
    """What was found, see `simulation.experiment.firsts.pool`, and how it was made."""

    found: dict[str, Any]
    metric: str
    command: str


def holds_study(folder: Path) -> bool:
    """Whether a folder is a finished study's, and no run's."""
    return (folder / FIRSTS).is_file()


def read_study(folder: Path) -> Study:
    """Read a finished study.

    Raises
    ------
    DataError
        A file is missing, damaged or of a later version.
    """
    try:
        found = read_file_json(folder / FIRSTS)
        schema = found.get("schema") if isinstance(found, dict) else None
        if schema != SCHEMA:
            raise DataError(
                f"{folder / FIRSTS} has schema {schema}, and this version reads {SCHEMA}; "
                "read it with the version that wrote it, or run the study again."
            )
        _Found.model_validate(found)
        task = Plan.model_validate_json(read_file(folder / "plan.json")).evaluation.task
        return Study(found, COMPARED[task][0], str(read_file_json(folder / "run.json")["command"]))
    except (OSError, ValueError, LookupError, TypeError) as error:  # pydantic's errors are ValueErrors
        raise DataError(
            f"{folder / FIRSTS}, or plan.json or run.json beside it, is damaged; run the study again with --resume."
        ) from error
