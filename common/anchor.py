"""The anchor: a causal forecast per entity that costs no privacy.

Every entity keeps exponentially weighted levels of its own past demand, one per cell (weekday × regime,
where a regime is the on and off days of one known covariate such as a promotion). The forecast of a day
is the level of that day's cell. It is a function of the entity's own past and of public constants, so the
network may learn a correction to it at no cost: at round 0 the forecast already is the anchor.

A level of money is a geometric mean, a level of counts an arithmetic one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from common.panel import Panel
from common.plan import AnchorPlan

CELL_PRIOR_DAYS = 1.0  # a cell without a past takes the overall level; one day outweighs it


@dataclass(frozen=True)
class Anchor:
    """Levels of every entity at every cut-off, on the scale of `transform`.

    Attributes
    ----------
    level
        The overall level.
    cell_level
        The level of each cell.
    cell_of_day
        The cell to which each day of each entity belongs.
    logarithmic
        Whether levels are means of log(1 + demand).
    """

    level: Float[np.ndarray, "entity step"]
    cell_level: Float[np.ndarray, "entity step cell"]
    cell_of_day: Int[np.ndarray, "entity day"]
    logarithmic: bool


def fit_anchor(panel: Panel, plan: AnchorPlan, cutoffs: Int[np.ndarray, " step"], *, logarithmic: bool) -> Anchor:
    """Follow every entity's levels through time and note them at each cut-off.

    Parameters
    ----------
    cutoffs
        First day that the forecast at each step may not see, ascending.
    """
    cell_of_day, num_cells = _cells(panel, plan)
    target = np.log1p(panel.target) if logarithmic else panel.target
    decay = 0.5 ** (1.0 / plan.half_life_days)
    entities = np.arange(len(target))
    total, weight = (np.zeros((len(target), num_cells)) for _ in range(2))
    level = np.zeros((len(target), len(cutoffs)), np.float32)
    cell_level = np.zeros((len(target), len(cutoffs), num_cells), np.float32)
    step = 0
    for day in range(int(cutoffs[-1])):
        total *= decay
        weight *= decay
        open_today = panel.open[:, day]
        total[entities, cell_of_day[:, day]] += target[:, day] * open_today
        weight[entities, cell_of_day[:, day]] += open_today
        if day + 1 == cutoffs[step]:
            mean = total.sum(1) / np.maximum(weight.sum(1) + plan.prior_days, 1e-9)
            level[:, step] = mean
            cell_weight = weight + plan.prior_days / num_cells + CELL_PRIOR_DAYS
            cell_level[:, step] = (total + CELL_PRIOR_DAYS * mean[:, None]) / cell_weight
            step += 1
    return Anchor(level, cell_level, cell_of_day, logarithmic)


def _cells(panel: Panel, plan: AnchorPlan) -> tuple[Int[np.ndarray, "entity day"], int]:
    cell, num_cells = np.zeros(panel.target.shape, np.int64), 1
    if plan.by_weekday:
        cell += (np.arange(panel.num_days) + panel.start.weekday()) % 7
        num_cells = 7
    if plan.regime:
        regime = panel.known[:, :, panel.covariates.index(plan.regime)] > 0.5
        cell, num_cells = 2 * cell + regime, 2 * num_cells
    return cell, num_cells
