"""The one table form of forecasts: a row per entity and bucket, for a merchant's file and a simulation's folder.

    entity                  its name
    date                    first day of the bucket
    mean                    of demand in the bucket
    q10, q20 … q90          quantiles; a method without a distribution has q50 alone, which is its point
    probability             of any demand in the whole horizon, empty where a method has none

A simulation's folder has columns of its own beside them (`simulation.experiment.folder`). An early 0.1 called the
date `day`, the probability `probability_any`, and kept q50 a second time as `median`: such files can be read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from common.disk.file import writing_whole
from common.errors import ConfigError
from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast

QUANTILES = tuple(f"q{round(100 * level)}" for level in QUANTILE_LEVELS)
POINT = QUANTILES[MEDIAN]
BLOCK_ENTITIES = 8192  # whose rows are laid out at a time
SUFFIXES = (".csv", ".parquet")
OLDER_NAMES = {"day": "date", "probability_any": "probability"}


def lay_out(forecast: Forecast, *, entities: np.ndarray, origin: date, bucket_days: int) -> pd.DataFrame:
    """Lay a forecast out in rows: entity by entity, bucket by bucket.

    Parameters
    ----------
    entities
        Their names, in the order of the forecast.
    origin
        First day of the first bucket.
    """
    num_entities, num_buckets = forecast.mean.shape
    starts = pd.date_range(pd.Timestamp(origin), periods=num_buckets, freq=f"{bucket_days}D")
    probability = np.full(num_entities, np.nan) if forecast.probability is None else forecast.probability
    return pd.DataFrame(
        {
            "entity": np.repeat(entities.astype(str).astype(object), num_buckets),  # one text for all rows of an entity
            "date": np.tile(starts.to_numpy(), num_entities),
            "mean": forecast.mean.ravel(),
            **{name: _quantile(forecast, place).ravel() for place, name in enumerate(QUANTILES)},
            "probability": np.repeat(probability, num_buckets),
        }
    )


def _quantile(forecast: Forecast, place: int) -> np.ndarray:
    if place == MEDIAN:
        return forecast.median
    if forecast.quantiles is None:
        return np.full(forecast.mean.shape, np.nan)
    level: np.ndarray = forecast.quantiles[:, :, place]
    return level


def read_layout(table: pd.DataFrame, num_buckets: int) -> Forecast:
    """Read a forecast from rows that stand entity by entity, bucket by bucket."""
    table = rename_older(table)
    quantiles = table[list(QUANTILES)].to_numpy().reshape(-1, num_buckets, len(QUANTILES))
    probability = table["probability"].to_numpy().reshape(-1, num_buckets)[:, 0]
    return Forecast(
        mean=table["mean"].to_numpy().reshape(-1, num_buckets),
        median=table[POINT].to_numpy().reshape(-1, num_buckets),
        quantiles=None if np.isnan(quantiles).any() else quantiles,
        probability=None if np.isnan(probability).any() else probability,
    )


def rename_older(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table the names of today's columns."""
    table = table.rename(columns=OLDER_NAMES)
    return table.assign(**{POINT: table["median"]}).drop(columns="median") if "median" in table else table


def write_forecast(forecast: Forecast, path: Path, *, entities: np.ndarray, origin: date, bucket_days: int) -> None:
    """Write the rows of `lay_out` whole or not at all, as the file's ending says; an older file is replaced.

    Raises
    ------
    ConfigError
        The ending is none of `SUFFIXES`, or there is no room.
    """
    require_suffix(path)
    blocks = (slice(first, first + BLOCK_ENTITIES) for first in range(0, max(len(entities), 1), BLOCK_ENTITIES))
    tables = (
        lay_out(forecast.select(block), entities=entities[block], origin=origin, bucket_days=bucket_days)
        for block in blocks
    )
    with writing_whole(path) as stream:
        _write_csv(tables, stream) if path.suffix == ".csv" else _write_parquet(tables, stream)


def _write_csv(tables: Iterator[pd.DataFrame], stream: BinaryIO) -> None:
    for number, table in enumerate(tables):
        table.to_csv(stream, index=False, header=number == 0)


def _write_parquet(tables: Iterator[pd.DataFrame], stream: BinaryIO) -> None:
    first = pa.Table.from_pandas(next(tables), preserve_index=False)
    with pq.ParquetWriter(stream, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(pa.Table.from_pandas(table, schema=first.schema, preserve_index=False))


def require_suffix(path: Path) -> None:
    """Refuse a file that is neither CSV nor Parquet.

    Raises
    ------
    ConfigError
        With what to do.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--out {path} is neither .csv nor .parquet; choose one of them.")
