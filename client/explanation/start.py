"""What a forecast begins from: a product's usual day, and what its weekdays and closed days make of it.

The usual level is that of the anchor (`common.model.anchor`), which every product has from its own past alone: the
mean of its levels of the weekdays on which the shop is usually open. On any day the anchor then is

    usual level + how this weekday differs - what is closed that is usually open = the anchor's forecast of the day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from client.explanation.part import Daily, Parts, no_parts, place
from client.shop.forecast.candidate import Batch
from common.model.features import Series

SEEN_DAYS, USUALLY = 56, 0.5  # of a weekday's last days so many must have been open


@dataclass(frozen=True)
class Start:
    """The usual day of every product, and every day of the horizon as the anchor has it.

    Attributes
    ----------
    usual
        Pieces of an open day.
    unseen
        The same if days out of stock are taken as days on which nothing more was wanted.
    anchor
        Of each day as if it were open.
    is_usual
        Whether the shop is usually open on such a weekday.
    is_open
        Whether each product can be sold on each day.
    weekday
        0 to 6, of each day.
    """

    usual: Float[np.ndarray, " product"]
    unseen: Float[np.ndarray, " product"]
    anchor: Daily
    is_usual: Bool[np.ndarray, " day"]
    is_open: Bool[np.ndarray, "product day"]
    weekday: Int[np.ndarray, " day"]

    def parts(self, days: slice) -> Parts:
        """Take the anchor of some days apart."""
        anchor, is_usual = self.anchor[:, days], self.is_usual[days]
        parts = no_parts(len(self.usual))
        parts[place("usual")] = self.unseen * is_usual.sum()
        parts[place("stock_out")] = (self.usual - self.unseen) * is_usual.sum()
        parts[place("weekday")] = ((anchor - self.usual[:, None]) * is_usual).sum(axis=1)
        parts[place("closed")] = (anchor * (self.is_open[:, days].astype(float) - is_usual)).sum(axis=1)
        return parts


def find_start(batch: Batch, series: Series, closed: Bool[np.ndarray, " day"]) -> Start:
    """Find it for every product of a batch, on the day that counts.

    Parameters
    ----------
    closed
        Of the shop, past and ahead.
    """
    origin, horizon, panel = batch.origins[-1], batch.horizon, batch.panel
    weekday = (np.arange(origin + horizon) + panel.start.weekday()) % 7
    usually = _usually_open(closed[:origin], weekday[:origin])
    anchor = _anchor_days(series, origin, horizon)
    of_day = weekday[origin:]
    level = _mean_of_weekdays(anchor, of_day, usually)
    return Start(
        usual=level,
        unseen=_without_stock_outs(batch, level, usually, of_day),
        anchor=anchor,
        is_usual=usually[of_day],
        is_open=batch.counted()[-1],
        weekday=of_day,
    )


def _usually_open(closed: Bool[np.ndarray, " day"], weekday: Int[np.ndarray, " day"]) -> Bool[np.ndarray, " 7"]:
    last = slice(max(len(closed) - SEEN_DAYS, 0), None)
    seen = np.bincount(weekday[last], minlength=7)
    is_open = np.bincount(weekday[last], weights=~closed[last], minlength=7)
    usually = is_open > USUALLY * seen
    return usually if usually.any() else np.ones(7, bool)


def _anchor_days(series: Series, origin: int, horizon: int) -> Daily:
    """Give the anchor's level of every day ahead, open or not."""
    cells = series.cell_of_day.numpy()[:, origin : origin + horizon]
    levels = np.take_along_axis(series.cell_level.numpy()[:, -1], cells, axis=1).astype(np.float64)
    return np.expm1(levels) if series.plan.likelihood == "log_normal" else levels


def _mean_of_weekdays(anchor: Daily, weekday: Int[np.ndarray, " day"], usually: Bool[np.ndarray, " 7"]) -> np.ndarray:
    """Average the levels of the weekdays, each once."""
    first = [int(np.flatnonzero(weekday == day)[0]) for day in np.flatnonzero(usually)]
    mean: np.ndarray = anchor[:, first].mean(axis=1)
    return mean


def _without_stock_outs(
    batch: Batch, level: np.ndarray, usually: Bool[np.ndarray, " 7"], of_day: Int[np.ndarray, " day"]
) -> Float[np.ndarray, " product"]:
    """Give the usual level of those that ran out of stock as if they had not; that of others stays."""
    origin = batch.origins[-1]
    rows = np.flatnonzero(batch.panel.censored[:, :origin].any(axis=1))
    if not len(rows):
        return level
    panel = batch.panel.select(rows)
    blind = replace(batch, panel=replace(panel, censored=np.zeros_like(panel.censored)))
    anchor = _anchor_days(blind.read(), origin, batch.horizon)
    unseen = level.copy()
    unseen[rows] = _mean_of_weekdays(anchor, of_day, usually)
    return unseen
