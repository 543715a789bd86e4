"""The anchor: a causal forecast per entity that costs no privacy.

Every entity keeps exponentially weighted levels of its own past demand, one per cell (weekday × regime,
where a regime is the on and off days of one known covariate such as a promotion). The forecast of a day
is the level of that day's cell. It is a function of the entity's own past and of public constants, so the
network may learn a correction to it at no cost: at round 0 the forecast already is the anchor.

A level of money is a geometric mean, a level of counts an arithmetic one. Of money the anchor also says how far it
errs on one day: every entity's own past errors, each against the level of half a horizon before. So an untrained
forecast of days has intervals of about the right width, and training under noise need not find them. (A bucket of
several days errs by less, which is left to the network.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from common.data.panel import Panel
from common.plan.schema import AnchorPlan

CELL_PRIOR_DAYS = 1.0  # a cell without a past takes the overall level; one day outweighs it
UNKNOWN_SPREAD = 0.25  # standard deviation of log(1 + demand) where there is no past to see it in
SPREAD_PRIOR_DAYS = 7.0  # and as many days of errors outweigh that guess
SPREADS = 0.02, 1.0  # whatever the past says
DEVIATIONS_PER_ERROR = math.sqrt(math.pi / 2)  # of a Gaussian; absolute errors bear a wild day better than squares


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
    spread
        Standard deviation of the errors on that scale; `UNKNOWN_SPREAD` where levels are not logarithmic.
    logarithmic
        Whether levels are means of log(1 + demand).
    """

    level: Float[np.ndarray, "entity step"]
    cell_level: Float[np.ndarray, "entity step cell"]
    cell_of_day: Int[np.ndarray, "entity day"]
    spread: Float[np.ndarray, "entity step"]
    logarithmic: bool


def fit_anchor(
    panel: Panel, plan: AnchorPlan, cutoffs: Int[np.ndarray, " step"], *, logarithmic: bool, lead_days: int = 1
) -> Anchor:
    """Follow every entity's levels through time and note them at each cut-off.

    Parameters
    ----------
    cutoffs
        First day that the forecast at each step may not see, ascending.
    lead_days
        How many days before the day that is forecast the levels were known whose errors make the spread.
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
    spread = np.full(level.shape, UNKNOWN_SPREAD, np.float32)
    if logarithmic:
        errors, known = _errors(panel, cutoffs, cell_level, cell_of_day, lead_days)
        spread = _spread(errors, known, cutoffs, decay)
    return Anchor(level, cell_level, cell_of_day, spread, logarithmic)


def _errors(
    panel: Panel,
    cutoffs: Int[np.ndarray, " step"],
    cell_level: Float[np.ndarray, "entity step cell"],
    cell_of_day: Int[np.ndarray, "entity day"],
    lead_days: int,
) -> tuple[Float[np.ndarray, "entity past"], Bool[np.ndarray, "entity past"]]:
    """Give by how much the last level that was known `lead_days` before each day missed it, and where there was one."""
    days = np.arange(int(cutoffs[-1]))
    step = np.searchsorted(cutoffs, days - lead_days + 1, side="right") - 1
    target, cell = panel.target[:, days], cell_of_day[:, days]
    seen = np.take_along_axis(cell_level[:, np.maximum(step, 0)], cell[:, :, None], axis=2)[:, :, 0]
    born = cutoffs[np.maximum(step, 0)][None, :] > panel.first_day[:, None]
    return np.abs(np.log1p(target) - seen), born & (step >= 0) & panel.open[:, days] & (target > 0)


def _spread(
    errors: Float[np.ndarray, "entity past"],
    known: Bool[np.ndarray, "entity past"],
    cutoffs: Int[np.ndarray, " step"],
    decay: float,
) -> Float[np.ndarray, "entity step"]:
    """Follow the weighted mean of the absolute errors, which starts at what is assumed of nobody in particular.

    It fades with every error and not with every day: whoever is born late, or closed for long, keeps what was known.
    """
    total = np.full(len(errors), SPREAD_PRIOR_DAYS * UNKNOWN_SPREAD)
    weight = np.full(len(errors), SPREAD_PRIOR_DAYS)
    spread = np.zeros((len(errors), len(cutoffs)), np.float32)
    step = 0
    for day in range(errors.shape[1]):
        fading = np.where(known[:, day], decay, 1.0)
        total = total * fading + DEVIATIONS_PER_ERROR * errors[:, day] * known[:, day]
        weight = weight * fading + known[:, day]
        if day + 1 == cutoffs[step]:
            spread[:, step] = np.clip(total / weight, *SPREADS)
            step += 1
    return spread


def _cells(panel: Panel, plan: AnchorPlan) -> tuple[Int[np.ndarray, "entity day"], int]:
    cell, num_cells = np.zeros(panel.target.shape, np.int64), 1
    if plan.by_weekday:
        cell += (np.arange(panel.num_days) + panel.start.weekday()) % 7
        num_cells = 7
    if plan.regime:
        regime = panel.known[:, :, panel.covariates.index(plan.regime)] > 0.5
        cell, num_cells = 2 * cell + regime, 2 * num_cells
    return cell, num_cells
