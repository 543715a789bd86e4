"""The folder of a run: what is written where, so that an interrupted run goes on.

plan.json                                the plan with every default filled in
run.json                                 plan hash, seed, hash of data, schema, command line; see docs/protocol.md §9
run.lock                                 held by the command that writes here
summary.json                             see `simulation.evaluation.summary`
history.json                             see `simulation.evaluation.history`
report.html                              the page that answers, see `simulation.report`
entities.parquet                         merchant and months of history of each entity, by origin
forecasts.parquet                        every forecast, one row per entity and bucket
models/METHOD-ORIGIN-SEED.safetensors    the averaged global model
parts/METHOD-ORIGIN-SEED.*               scores and forecasts of one part; the state while it trains
tensorboard/METHOD-ORIGIN-SEED/          curves
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from common.disk.file import replace_file
from common.disk.reading import read_file_json, require_file
from common.errors import ConfigError, DataError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.forecast.table import QUANTILES, lay_out, read_layout, rename_older
from common.plan.schema import Plan
from simulation.origin.origin import Trial

RUN_SCHEMA = 3  # of the parts: 2 told stages apart, and named several candidates per choice; 3 knows the busiest
Stage = Literal["whole", "rehearsal", "served"]
ABOUT, HAPPENED = ("method", "origin", "seed", "merchant"), ("open", "actual")
COLUMNS = [*ABOUT, "entity", "date", *HAPPENED, "mean", *QUANTILES, "probability"]  # see `common.forecast.table`


@dataclass(frozen=True)
class Part:
    """One method at one origin with one seed.

    Attributes
    ----------
    stage
        `whole` for a method as it stands in the table; the others serve personalised and routed methods, see
        `simulation.method.routing`: `rehearsal` forecasts the last horizon before the origin instead of
        the one after it, `served` is the federation that went on from its rehearsal.
    """

    method: Method
    origin: date
    seed: int
    stage: Stage = "whole"

    @property
    def name(self) -> str:
        """Name of the part in file names."""
        return f"{self.method.name}-{self.origin}-{self.seed}" + ("" if self.stage == "whole" else f"-{self.stage}")


class RunFolder:
    """Read and write one run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only command that writes here; a lock that a killed one left behind is free.

        Raises
        ------
        ConfigError
            Another command writes here, or the folder cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "run.lock", timeout=0).acquire()
        except Timeout as error:
            raise ConfigError(
                f"Another hansa-sim writes to {self.path}; wait for its end, or choose another --out."
            ) from error
        except OSError as error:
            raise ConfigError(f"Cannot write to {self.path}: {error.strerror}; choose another --out.") from error
        with lock:
            yield

    def open(self, plan: Plan, *, seed: int, data: str, command: str, resume: bool) -> None:
        """Start a run here, or go on with the one that is here.

        Parameters
        ----------
        data
            Hash of the bytes that the run reads, see `simulation.experiment.fingerprint`.

        Raises
        ------
        ConfigError
            The folder holds a run and `resume` is off, or it holds the run of another plan, seed or data, or it
            cannot be written to.
        """
        identity = {"plan_hash": plan.hash, "seed": seed, "schema": RUN_SCHEMA, "data": data}
        try:
            if self._holds_run():
                self._require_same(identity, resume=resume)
            for name in ("models", "parts", "tensorboard"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            self.write_json("run.json", {**identity, "command": command})
            self.write_json("plan.json", plan.model_dump(mode="json"))
        except OSError as error:
            raise ConfigError(f"Cannot write to {self.path}: {error.strerror}; choose another --out.") from error

    def _holds_run(self) -> bool:
        """Whether there is anything to lose: a run that ended at a mistake in the data has left no part."""
        parts = self.path / "parts"
        return (self.path / "run.json").exists() and parts.is_dir() and any(parts.iterdir())

    def _require_same(self, identity: dict[str, Any], *, resume: bool) -> None:
        if not resume:
            raise ConfigError(f"{self.path} already holds a run; go on with --resume or choose another --out.")
        there = self._read("run.json")
        there.setdefault("schema", there.get("format"))  # as the first version of hansa called it
        differs = {key for key, value in identity.items() if there.get(key) != value}
        if differs == {"data"}:
            raise ConfigError(
                f"{self.path} holds a run of other data; choose another --out, or bring the former file back."
                if "data" in there
                else f"{self.path} holds a run that did not note which data it read; choose another --out."
            )
        if differs:
            raise ConfigError(
                f"{self.path} holds a run of another plan, seed or version of hansa; choose another --out, or run it "
                f"with --seed {there.get('seed')} and the plan in {self.path / 'plan.json'}."
            )

    def require_data(self, data: str) -> None:
        """Refuse data that changed between the moment at which the run was opened and that at which it was read.

        Raises
        ------
        DataError
            It did.
        """
        if self._read("run.json").get("data") != data:
            raise DataError("The data changed while it was read; wait until its file is whole, and start again.")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make one sentence of a full or broken disk, whichever library meets it."""
        try:
            yield
        except BrokenPipeError:
            raise  # nobody reads what is printed; the disk is fine
        except (OSError, SafetensorError) as error:
            raise DataError(f"Cannot write to {self.path}: {error}; make room and go on with --resume.") from error

    def write_json(self, name: str, value: Any) -> None:
        """Write JSON that is there whole or not at all."""
        self.write_text(name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a file that is there whole or not at all."""
        replace_file(self.path / name, text.encode())

    def read_part(self, part: Part) -> dict[str, Any] | None:
        """Scores of a finished part; None where it is not finished."""
        name = f"parts/{part.name}.json"
        return self._read(name) if (self.path / name).exists() else None

    def _read(self, name: str) -> dict[str, Any]:
        """Read a file of JSON that this run wrote.

        Raises
        ------
        DataError
            It is damaged.
        """
        path = self.path / name
        try:
            found = read_file_json(path)
        except (OSError, ValueError) as error:
            raise _damaged(path) from error
        if not isinstance(found, dict):
            raise _damaged(path)
        return found

    def write_part(self, part: Part, scores: dict[str, Any], forecast: Forecast, trial: Trial) -> None:
        """Write forecasts, then scores: a part with scores is finished."""
        forecast_table(part, forecast, trial).to_parquet(self.path / "parts" / f"{part.name}.parquet")
        self.write_json(f"parts/{part.name}.json", scores)
        self.state_path(part).unlink(missing_ok=True)

    def state_path(self, part: Part) -> Path:
        """Where the state of a training part is kept."""
        return self.path / "parts" / f"{part.name}.state.safetensors"

    def model_path(self, part: Part) -> Path:
        """Where the model of a part is kept."""
        return self.path / "models" / f"{part.name}.safetensors"

    def curve_path(self, part: Part) -> Path:
        """Where the curves of a part are kept."""
        return self.path / "tensorboard" / part.name

    def read_forecast(self, part: Part, num_entities: int) -> Forecast:
        """Read the forecasts of a finished part, entities in the order of its trial."""
        table = _read_parquet(self.path / "parts" / f"{part.name}.parquet")
        return read_layout(table, len(table) // num_entities)

    def join_forecasts(self, parts: list[Part]) -> None:
        """Put the forecasts of all finished parts into one file, one part in memory at a time."""
        files = [self.path / "parts" / f"{part.name}.parquet" for part in parts if self.read_part(part)]
        if not files:
            return
        target, schema = self.path / "forecasts.parquet", _read_rows(files[-1]).schema  # the newest part's
        with pq.ParquetWriter(target, schema) as writer:
            for file in files:
                writer.write_table(_read_rows(file).cast(schema))


def _read_rows(file: Path) -> pa.Table:
    """Read a part's rows, which an older run may have written."""
    try:
        return pa.Table.from_pandas(rename_older(_read_parquet(file))[COLUMNS], preserve_index=False)
    except (KeyError, ValueError) as error:
        raise _damaged(file) from error


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        require_file(file)
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise _damaged(file) from error


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged; move it away and go on with --resume, which makes it again.")


def forecast_table(part: Part, forecast: Forecast, trial: Trial) -> pd.DataFrame:
    """Lay a forecast out in rows: one per entity and bucket, with what happened beside it."""
    plan, num_buckets = trial.plan.model, forecast.mean.shape[1]
    laid_out = lay_out(forecast, entities=trial.panel.entities, origin=trial.origin, bucket_days=plan.bucket_days)
    numbers = {name: laid_out[name].astype(float) for name in laid_out.columns if name not in {"entity", "date"}}
    table = laid_out.assign(
        **numbers,
        method=part.method.name,
        origin=pd.Timestamp(part.origin),
        seed=part.seed,
        merchant=np.repeat(trial.panel.merchants.astype(str), num_buckets),
        open=trial.outcome.counted.ravel(),
        actual=trial.outcome.actual.ravel().astype(float),
    )
    return table[COLUMNS]
