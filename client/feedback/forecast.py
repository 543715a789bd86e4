"""Forecasts as they are kept, and as they are read again: a row for each product and period.

What a forecast is about is kept beside its rows: the question, the shares of its methods, the version of hansa, and
whether its days had come already when it was made (`rehearsed`): such a one is no forecast of anything, though what it
was made from ended before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from client.feedback.kept import FORECAST, Kept, keep_body, read_kept
from client.shop.forecast.outlook import Outlook
from client.shop.forecast.question import Question
from common import __version__
from common.errors import DataError
from common.forecast.table import QUANTILES

DIGITS = 4  # of a mean that are kept


@dataclass(frozen=True)
class Served:
    """A forecast that was served.

    Attributes
    ----------
    origin
        Its first day.
    table
        product, period, first, last, partial, open_days, mean, q10 … q90, state.
    rehearsed
        Whether its days had come already.
    of_all
        Whether all products were asked for.
    """

    made: datetime
    origin: date
    by: str
    rehearsed: bool
    of_all: bool
    methods: Mapping[str, float]
    version: str
    table: pa.Table


def keep_forecast(folder: Path, outlook: Outlook, question: Question, *, last_sale: date, made: datetime) -> bool:
    """Keep a forecast that is served, and say whether it is new.

    Raises
    ------
    DataError
        The file cannot be used.
    """
    asked = {
        "by": question.by,
        "horizon": question.horizon,
        "products": list(question.products),
        "method": question.method,
    }
    about = {
        "question": asked,
        "methods": {name: round(share, DIGITS) for name, share in outlook.weighed.weights.items()},
        "version": __version__,
        "rehearsed": outlook.origin <= last_sale,
    }
    body = _pack(outlook)
    days = outlook.origin, outlook.last
    return keep_body(folder, FORECAST, made, days=days, about=about, body=body, said=body)


def read_forecasts(folder: Path, *, since: date = date.min, rehearsed: bool = False) -> Iterator[Served]:
    """Read what was served, one after the other, the earliest origin first.

    Parameters
    ----------
    rehearsed
        Those whose days had come already, instead of those whose days had not.
    """
    for kept in read_kept(folder, FORECAST, since=since):
        if kept.about.get("rehearsed", False) == rehearsed:
            yield _unpack(kept)


def _pack(outlook: Outlook) -> bytes:
    """Write what is kept, small: periods as numbers, means of four digits, quantiles as 32 bits."""
    table = outlook.table
    names = pa.array([period.name for period in outlook.periods], pa.string())
    columns: dict[str, Any] = {
        "product": pc.dictionary_encode(table["product"]),
        "period": pc.index_in(table["period"], names).cast(pa.int16()),
        "open_days": table["open_days"].cast(pa.int16()),
        "mean": _round(table["mean"].to_numpy()),
        "state": pc.dictionary_encode(table["state"]),
        **{name: table[name].to_numpy().astype(np.float32) for name in QUANTILES},
    }
    periods = [f"{each.name} {each.first} {each.last} {int(each.is_partial)}" for each in outlook.periods]
    schema = pa.table(columns).schema.with_metadata({"by": outlook.by, "periods": "\n".join(periods)})
    stream = BytesIO()
    kept = pa.table(columns).cast(schema)
    pyarrow.parquet.write_table(kept, stream, compression="zstd", compression_level=9, write_statistics=False)
    return stream.getvalue()


def _round(values: np.ndarray) -> np.ndarray:
    """Keep so many digits of each."""
    safe = np.maximum(np.abs(values), 1e-9)
    unit = 10.0 ** (np.floor(np.log10(safe)) - DIGITS + 1)
    return (np.rint(values / unit) * unit).astype(np.float32)


def _unpack(kept: Kept) -> Served:
    try:
        table = pyarrow.parquet.read_table(BytesIO(kept.body))
        told = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        periods = [line.split(" ") for line in told["periods"].split("\n")]
    except (pa.ArrowException, KeyError) as error:
        raise DataError(
            f"The kept forecast of {kept.made:%Y-%m-%d %H:%M} is damaged; move feedback.sqlite away, and go on without."
        ) from error
    place = table["period"].to_numpy()
    columns = {
        "product": table["product"].cast(pa.string()),
        "period": pc.take(pa.array([period[0] for period in periods]), table["period"]),
        "first": pa.array(np.array([period[1] for period in periods], "datetime64[D]")[place]),
        "last": pa.array(np.array([period[2] for period in periods], "datetime64[D]")[place]),
        "partial": pa.array(np.array([period[3] == "1" for period in periods])[place]),
        **{name: table[name] for name in ("open_days", "mean", *QUANTILES)},
        "state": table["state"].cast(pa.string()),
    }
    about = kept.about
    return Served(
        made=kept.made,
        origin=kept.first,
        by=told["by"],
        rehearsed=about["rehearsed"],
        of_all=not about["question"]["products"],
        methods=about["methods"],
        version=about["version"],
        table=pa.table(columns),
    )
