"""What a run left, read back from its folder: its plan, its summary, and every forecast beside what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from jaxtyping import Bool, Float
from pyarrow import ArrowException
from pydantic import ValidationError

from common.disk.reading import read_file, read_file_json, require_file
from common.errors import ConfigError, DataError
from common.forecast.entity_loss import COMPARED, entity_losses, entity_weights
from common.forecast.metric import Forecast
from common.forecast.table import read_layout, rename_older
from common.plan.schema import Plan

ENTITIES = "entities.parquet"  # in the folder of a run: which entities take part at each origin, and since when


@dataclass(frozen=True)
class Record:
    """What one method said at one origin under one seed, and what happened; entities ordered by merchant and name.

    Attributes
    ----------
    day
        First day of each bucket.
    counted
        Buckets with an open day.
    """

    origin: date
    seed: int
    merchants: np.ndarray
    entities: np.ndarray
    day: np.ndarray
    forecast: Forecast
    actual: Float[np.ndarray, "entity bucket"]
    counted: Bool[np.ndarray, "entity bucket"]


@dataclass(frozen=True)
class Results:
    """One run as its folder tells it."""

    path: Path
    plan: Plan
    summary: dict[str, Any]

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that have finished at least one part."""
        return tuple(self.summary["methods"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that can be compared entity by entity, the headline first."""
        return COMPARED[self.plan.evaluation.task]

    def require(self, method: str) -> None:
        """Refuse a method that the run does not hold.

        Raises
        ------
        ConfigError
            With the methods that it holds.
        """
        if method not in self.methods:
            raise ConfigError(f"The run in {self.path} holds no method {method}; it holds {', '.join(self.methods)}.")

    def records(self, method: str) -> Iterator[Record]:
        """Read one method's forecasts, origin by origin and seed by seed.

        Raises
        ------
        ConfigError
            The run holds no such method, or has not come to its end.
        DataError
            The file of forecasts cannot be read.
        """
        self.require(method)
        file = self.path / "forecasts.parquet"
        try:
            require_file(file)
            rows = pq.read_table(file, filters=[("method", "==", method)]).to_pandas()
        except FileNotFoundError as error:
            raise ConfigError(f"{file} is missing: finish the run with --resume.") from error
        except (OSError, ArrowException) as error:
            sentence = str(error).splitlines()[0]
            raise DataError(f"Cannot read {file}: {sentence}; make it again with --resume.") from error
        if rows.empty:
            raise ConfigError(f"{file} holds no forecast of {method}: finish the run with --resume.")
        for (origin, seed), part in rows.groupby(["origin", "seed"], sort=True):
            yield _read_record(part, origin.date(), int(seed))

    def read_months(self) -> pd.Series | None:
        """Give the months of history of each entity by origin, merchant and entity; None where an older run left none.

        Raises
        ------
        DataError
            The file cannot be read.
        """
        file = self.path / ENTITIES
        if not file.exists():
            return None
        try:
            require_file(file)
            rows = pd.read_parquet(file, columns=["origin", "merchant", "entity", "months"])
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            sentence = str(error).splitlines()[0]
            raise DataError(f"Cannot read {file}: {sentence}; make it again with --resume.") from error
        rows["origin"] = rows["origin"].dt.date
        return rows.set_index(["origin", "merchant", "entity"])["months"]


def read_results(path: Path) -> Results:
    """Read a run's plan and summary.

    Raises
    ------
    ConfigError
        The folder holds no run.
    DataError
        A file in it is damaged, or of another version.
    """
    try:
        plan = Plan.model_validate_json(read_file(path / "plan.json"))
        summary = read_file_json(path / "summary.json")
        if not isinstance(summary, dict):
            raise ValueError("summary.json is no summary")
        summary = {"answer": None, **summary}  # older runs have no answer
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = Path(error.filename).name
        raise ConfigError(
            f"{path} holds no run: {missing} is missing; give a folder that hansa-sim run --out made."
        ) from error
    except (OSError, ValueError, ValidationError) as error:
        sentence = str(error).splitlines()[0]
        raise DataError(f"Cannot read the run in {path}: {sentence}; run its plan again.") from error
    return Results(path, plan, summary)


def measure_losses(results: Results, method: str) -> pd.DataFrame:
    """Give what each entity adds to each metric: one row per origin, merchant and entity, mean over seeds.

    At an origin a metric is the sum of its column over the sum of the column `weight`.
    """
    tables = [
        pd.DataFrame(
            {
                "origin": record.origin,
                "merchant": record.merchants,
                "entity": record.entities,
                "weight": entity_weights(record.actual, record.counted, task=results.plan.evaluation.task),
                **{
                    metric: entity_losses(record.forecast, record.actual, record.counted, metric=metric)
                    for metric in results.metrics
                },
            }
        )
        for record in results.records(method)
    ]
    return pd.concat(tables).groupby(["origin", "merchant", "entity"], sort=True).mean()


def _read_record(rows: pd.DataFrame, origin: date, seed: int) -> Record:
    rows = rename_older(rows).sort_values(["merchant", "entity", "date"], kind="stable")
    num_buckets = rows["date"].nunique()

    def grid(column: str) -> np.ndarray:
        cells: np.ndarray = rows[column].to_numpy().reshape(-1, num_buckets)
        return cells

    return Record(
        origin=origin,
        seed=seed,
        merchants=grid("merchant")[:, 0],
        entities=grid("entity")[:, 0],
        day=grid("date")[0],
        forecast=read_layout(rows, num_buckets),
        actual=grid("actual"),
        counted=grid("open"),
    )
