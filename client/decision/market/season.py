"""What every year brings again, as a factor for each week: two waves a year, known only after two years.

A shorter history cannot tell a season from a change, and nothing is taken out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from jaxtyping import Float

from client.decision.market.change import Steps, find_steps, pull_in

FEWEST_WEEKS = 104
WAVES = 2
YEAR_DAYS = 365.25
PASSES = 2


def waves_of(mondays: Sequence[date]) -> Float[np.ndarray, "week wave"]:
    """Give sines and cosines of the day of the year."""
    turn = 2 * np.pi * np.array([monday.timetuple().tm_yday + 3 for monday in mondays]) / YEAR_DAYS
    return np.stack([part(turn * wave) for wave in range(1, WAVES + 1) for part in (np.sin, np.cos)], axis=1)


def describe(
    values: Float[np.ndarray, " week"], mondays: Sequence[date], *, alpha: float
) -> tuple[Steps, Float[np.ndarray, " week"]]:
    """Find steps or a line, and the season in turns: each is looked for in what the other leaves.

    Returns
    -------
    tuple
        The description of what the season leaves, and the season, in logarithms.
    """
    season = np.zeros(len(values))
    if len(values) < FEWEST_WEEKS:
        return find_steps(values, alpha=alpha), season
    waves, calm = waves_of(mondays), pull_in(values)
    line = np.arange(len(values)) - len(values) / 2
    season = _fit(calm, np.stack([np.ones(len(values)), line], axis=1), waves)
    for _ in range(PASSES):
        steps = find_steps(values - season, alpha=alpha)
        season = _fit(calm, _columns(steps, len(values)), waves)
    return find_steps(values - season, alpha=alpha), season


def _columns(steps: Steps, number: int) -> Float[np.ndarray, "week column"]:
    level = np.searchsorted(steps.places, np.arange(number), side="right")
    columns = (level[:, None] == np.arange(len(steps.places) + 1)).astype(float)
    return columns if steps.slope == 0 else np.hstack([columns, (np.arange(number) - number / 2)[:, None]])


def _fit(values: np.ndarray, levels: np.ndarray, waves: np.ndarray) -> Float[np.ndarray, " week"]:
    found, *_ = np.linalg.lstsq(np.hstack([levels, waves]), values, rcond=None)
    season = waves @ found[levels.shape[1] :]
    return np.asarray(season - season.mean())
