"""The model `demand` as the protocol sees it, and how requests share a batch.

Guarantee: the answer to a row is, bit for bit, the same in whatever company it is worked out. A batch always has
`ROWS` rows, filled up with rows that sold nothing, so that every product, sum and loop of it has one shape; and a row
is a function of its own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import torch
from jaxtyping import Float

from client.serving.inference.batching import Batcher
from client.serving.inference.demand.network import DemandNetwork
from client.serving.inference.exchange import Asked
from client.serving.inference.fault import invalid
from client.serving.inference.model import About, Place, take_inputs
from client.serving.inference.tensor import BYTES, Tensor
from common.forecast.metric import QUANTILE_LEVELS
from common.plan.schema import FIRST_YEAR, LAST_YEAR

NAME = "demand"
ROWS = 32  # of a batch
MOST_ROWS = 1024  # of a request
FEWEST_DAYS, MOST_DAYS = 7, 1113  # of a history; as the commands look back
LARGEST = 1e9  # of pieces on a day

Units = Float[np.ndarray, "_ day"]
Made = tuple[Float[np.ndarray, "_ bucket"], Float[np.ndarray, "_ bucket level"]]


@dataclass(frozen=True)
class Batch:
    """What may be worked out together: histories of one length that end on one day, by one network."""

    network: DemandNetwork
    days: int
    last_day: date

    @property
    def most_rows(self) -> int:
        """Rows that fit."""
        return ROWS

    def work_out(self, pieces: Sequence[Units]) -> Sequence[Made]:
        """Forecast some rows; a row of which nothing is known has no forecast."""
        torch.set_num_threads(1)
        rows = np.concatenate(pieces)
        whole = np.zeros((ROWS, self.days))
        whole[: len(rows)] = rows
        made = self.network.forecast(whole, self.last_day)
        assert made.quantiles is not None  # noqa: S101  for mypy
        mean, quantiles = made.mean[: len(rows)], made.quantiles[: len(rows)]
        unknown = np.isnan(rows).all(axis=1)
        mean[unknown], quantiles[unknown] = np.nan, np.nan
        cuts = np.cumsum([len(piece) for piece in pieces])[:-1]
        return list(zip(np.split(mean, cuts), np.split(quantiles, cuts), strict=True))


@dataclass(frozen=True, eq=False)
class DemandModel:
    """The network in its versions, the current one first.

    Attributes
    ----------
    time_zone
        Of the shop, where a history ends yesterday if nothing else is said.
    """

    networks: tuple[DemandNetwork, ...]
    batcher: Batcher
    time_zone: str = "UTC"

    @cached_property
    def about(self) -> About:
        """What is told of it."""
        buckets = self.networks[0].plan.horizon
        return About(
            NAME,
            tuple(network.version for network in self.networks),
            (Place("units", ("FP64", "FP32"), (-1, -1)), Place("last_day", (BYTES,), (1,), optional=True)),
            (
                Place("mean", ("FP64",), (-1, buckets)),
                Place("quantiles", ("FP64",), (-1, buckets, len(QUANTILE_LEVELS))),
            ),
        )

    async def answer(self, asked: Asked, version: str) -> tuple[Tensor, ...]:
        """Forecast the series of a request, `ROWS` at a time, so that a long one leaves room for others.

        Raises
        ------
        InferenceFault
            They are no histories, or too many wait.
        """
        inputs = take_inputs(self.about, asked.inputs)
        units = require_units(inputs["units"])
        last_day = _read_day(inputs["last_day"]) if "last_day" in inputs else self._yesterday()
        network = next(each for each in self.networks if each.version == version)
        batch = Batch(network, units.shape[1], last_day)
        pieces = [units[start : start + ROWS] for start in range(0, len(units), ROWS)]
        made = [await self.batcher.work_out(batch, piece, rows=len(piece)) for piece in pieces]
        means, quantiles = zip(*made, strict=True)
        return (
            Tensor("mean", "FP64", np.concatenate(means)),
            Tensor("quantiles", "FP64", np.concatenate(quantiles)),
        )

    def _yesterday(self) -> date:
        return datetime.now(ZoneInfo(self.time_zone)).date() - timedelta(days=1)


def require_units(tensor: Tensor) -> Units:
    """Refuse what are no histories of pieces sold.

    Raises
    ------
    InferenceFault
        They are too long, too short, too many, negative or infinite.
    """
    units = tensor.values.astype(np.float64)
    rows, days = units.shape
    if rows > MOST_ROWS:
        raise invalid(f"One request may bring {MOST_ROWS} series, not {rows}.")
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise invalid(f"A series has {FEWEST_DAYS} to {MOST_DAYS} days, not {days}.")
    if np.isinf(units).any() or (units < 0).any() or (units > LARGEST).any():
        raise invalid(f"Pieces sold on a day are 0 to {LARGEST:.0e}, or NaN where that is not known.")
    return units


def _read_day(tensor: Tensor) -> date:
    text = tensor.values.ravel()[0].decode(errors="replace")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise invalid(f"last_day is a date as 2026-12-01, not {text[:40]!r}.") from None
    if not FIRST_YEAR + 4 <= day.year < LAST_YEAR:
        raise invalid(f"last_day lies in the years {FIRST_YEAR + 4} to {LAST_YEAR - 1}, not in {day.year}.")
    return day
