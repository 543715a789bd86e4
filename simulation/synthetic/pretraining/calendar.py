"""What the invented worlds share: open days, yearly waves, and the panel that they are laid out in."""

from __future__ import annotations

from datetime import date

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import Generator

from common.data.panel import Panel

YEAR_DAYS = 365.25
SHORTEST_HISTORY_DAYS = 21


def log_uniform(generator: Generator, lowest: float, highest: float) -> float:
    """Draw a positive number whose logarithm is uniform."""
    return float(np.exp(generator.uniform(np.log(lowest), np.log(highest))))


def yearly_wave(generator: Generator, days: int) -> Float[np.ndarray, " day"]:
    """Draw log demand over the year: a wave with a peak anywhere, and a rush before the end of the year."""
    day = np.arange(days)
    wave = generator.uniform(0, 0.5) * np.cos(2 * np.pi * (day - generator.uniform(0, YEAR_DAYS)) / YEAR_DAYS)
    rush = generator.uniform(0, 0.7) * np.exp(-0.5 * ((day % YEAR_DAYS - 325) / 25) ** 2)
    return np.asarray(wave + rush)


def open_calendar(generator: Generator, days: int) -> Bool[np.ndarray, " day"]:
    """Draw the open days: half of the merchants close on one weekday, and all on a few dates."""
    is_open = generator.random(days) >= generator.uniform(0, 0.03)
    if generator.random() < 0.5:
        is_open[np.arange(days) % 7 == generator.integers(7)] = False
    return is_open


def make_panel(
    target: Float[np.ndarray, "entity day"],
    is_open: Bool[np.ndarray, "entity day"],
    *,
    start: date,
    merchants: Int[np.ndarray, " entity"],
    regime: tuple[str, Float[np.ndarray, "entity day"]] | None = None,
) -> Panel:
    """Lay demand out as a panel, and leave out whoever begins too late to teach anything."""
    days = target.shape[1]
    first_day = np.where(target.any(axis=1), (target > 0).argmax(axis=1), days)
    shape = (len(target), days)
    known = np.zeros((*shape, 0), np.float32) if regime is None else regime[1][:, :, None].astype(np.float32)
    panel = Panel(
        start=start,
        channels=(),
        covariates=() if regime is None else (regime[0],),
        entities=np.arange(len(target)).astype(str).astype(object),
        merchants=merchants.astype(str).astype(object),
        target=target.astype(np.float32),
        observed=np.zeros((*shape, 0), np.float32),
        known=known,
        static=np.zeros((len(target), 0), np.float32),
        open=is_open & (np.arange(days) >= first_day[:, None]),
        first_day=first_day,
        censored=np.zeros(shape, bool),
    )
    return panel.select(np.flatnonzero(first_day < days - SHORTEST_HISTORY_DAYS))
