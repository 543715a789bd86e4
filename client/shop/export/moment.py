"""Days and moments of a column, by the shop's clock."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float

from client.shop.settings import Dialect
from client.shop.source.cells import read_days
from client.shop.source.zone import DAY_SECONDS, SECOND, to_wall


@dataclass(frozen=True)
class Times:
    """When rows say that something happened.

    Attributes
    ----------
    days
        `datetime64[D]` by the shop's clock; NaT where it cannot be read.
    seconds
        Of that day; NaN where only the day is known.
    moments
        `datetime64[us]` of UTC; NaT where only the day is known.
    """

    days: np.ndarray
    seconds: Float[np.ndarray, " row"]
    moments: np.ndarray

    @property
    def known(self) -> Bool[np.ndarray, " row"]:
        """Which rows have a day."""
        return ~np.isnat(self.days)

    def day_column(self) -> pa.Array:
        """Give the days, null where there is none."""
        return pa.array(self.days.astype("datetime64[D]"), pa.date32())

    def second_column(self) -> pa.Array:
        """Give whole seconds of the day, null where only the day is known."""
        unknown = np.isnan(self.seconds)
        return pa.array(np.where(unknown, 0, self.seconds).astype(np.int64), mask=unknown)

    def moment_column(self) -> pa.Array:
        """Give the moments; a day without a time is its beginning in the clock's own hours, and orders versions too."""
        moments = np.where(np.isnat(self.moments), self.days.astype("datetime64[us]"), self.moments)
        return pa.array(moments, pa.timestamp("us"))


def read_times(column: pa.ChunkedArray, dialect: Dialect, *, written_in: str, shop_zone: str) -> Times:
    """Read moments that stand in the clock of one zone, and give days by the shop's clock.

    Parameters
    ----------
    written_in
        Zone of times without an offset; "" is the shop's.
    """
    zone = ZoneInfo(written_in or shop_zone)
    days, seconds, moments = read_days(column, dialect, zone)
    if not written_in or written_in == shop_zone:
        return Times(days, seconds, moments)
    has_time = ~np.isnat(moments)
    wall = to_wall(np.where(has_time, moments, np.datetime64(0, "us")).astype(np.int64), ZoneInfo(shop_zone))
    local = wall.astype("datetime64[us]").astype("datetime64[D]")
    second = wall % (DAY_SECONDS * SECOND) / SECOND
    return Times(np.where(has_time, local, days), np.where(has_time, second, seconds), moments)
