"""The anchor: a causal forecast per entity that costs no privacy.

Every entity keeps exponentially weighted levels of its own past demand, one per cell (weekday × regime,
where a regime is the on and off days of one known covariate such as a promotion). The forecast of a day
is the level of that day's cell. It is a function of the entity's own past and of public constants, so the
network may learn a correction to it at no cost: at round 0 the forecast already is the anchor.

A level of money is a geometric mean, a level of counts an arithmetic one. Of money the anchor also says how far it
errs on one day: every entity's own past errors, each against the level of half a horizon before. So an untrained
forecast of days has intervals of about the right width, and training under noise need not find them. (A bucket of
several days errs by less, which is left to the network.)

A day out of stock enters as what was probably wanted; see `common.model.sold_out`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special

from common.data.panel import Panel
from common.model.sold_out import CELL_PRIOR_DAYS, Completed, complete_demand, find_cells
from common.plan.schema import AnchorPlan

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
    completed
        The demand that the levels are means of, days out of stock filled in.
    """

    level: Float[np.ndarray, "entity step"]
    cell_level: Float[np.ndarray, "entity step cell"]
    cell_of_day: Int[np.ndarray, "entity day"]
    spread: Float[np.ndarray, "entity step"]
    logarithmic: bool
    completed: Completed

    def last(self, num_steps: int) -> Anchor:
        """Keep the levels of the last cut-offs."""
        parts = {name: getattr(self, name)[:, -num_steps:] for name in ("level", "cell_level", "spread")}
        return replace(self, **parts)


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
    cell_of_day, num_cells = find_cells(panel, plan)
    until = int(cutoffs[-1])
    completed = complete_demand(panel, plan, cell_of_day, num_cells, until=until, logarithmic=logarithmic)
    target = completed.level_demand
    decay = 0.5 ** (1.0 / plan.half_life_days)
    entities = np.arange(len(target))
    total, weight = (np.zeros((len(target), num_cells)) for _ in range(2))
    level = np.zeros((len(target), len(cutoffs)), np.float32)
    cell_level = np.zeros((len(target), len(cutoffs), num_cells), np.float32)
    step = 0
    for day in range(until):
        total *= decay
        weight *= decay
        open_today = completed.seen[:, day]
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
        out = panel.censored[:, :until]
        spread = _spread(errors, known, cutoffs, decay, *([out] if out.any() else []))
    return Anchor(level, cell_level, cell_of_day, spread, logarithmic, completed)


def _errors(
    panel: Panel,
    cutoffs: Int[np.ndarray, " step"],
    cell_level: Float[np.ndarray, "entity step cell"],
    cell_of_day: Int[np.ndarray, "entity day"],
    lead_days: int,
) -> tuple[Float[np.ndarray, "entity past"], Bool[np.ndarray, "entity past"]]:
    """Give how far each day lay above the last level known `lead_days` before it, and where there was one."""
    days = np.arange(int(cutoffs[-1]))
    step = np.searchsorted(cutoffs, days - lead_days + 1, side="right") - 1
    target, cell = panel.target[:, days], cell_of_day[:, days]
    seen = np.take_along_axis(cell_level[:, np.maximum(step, 0)], cell[:, :, None], axis=2)[:, :, 0]
    born = cutoffs[np.maximum(step, 0)][None, :] > panel.first_day[:, None]
    return np.log1p(target) - seen, born & (step >= 0) & panel.open[:, days] & (target > 0)


def _spread(
    errors: Float[np.ndarray, "entity past"],
    known: Bool[np.ndarray, "entity past"],
    cutoffs: Int[np.ndarray, " step"],
    decay: float,
    censored: Bool[np.ndarray, "entity past"] | None = None,
) -> Float[np.ndarray, "entity step"]:
    """Follow the weighted mean of the absolute errors, which starts at what is assumed of nobody in particular.

    It fades with every error and not with every day: whoever is born late, or closed for long, keeps what was known.
    On a day out of stock the error was at least what is seen of it: what is expected of a Gaussian as wide as is known
    by then takes its place.
    """
    errors, above = np.abs(errors), errors
    total = np.full(len(errors), SPREAD_PRIOR_DAYS * UNKNOWN_SPREAD)
    weight = np.full(len(errors), SPREAD_PRIOR_DAYS)
    spread = np.zeros((len(errors), len(cutoffs)), np.float32)
    step = 0
    for day in range(errors.shape[1]):
        if censored is not None and (out := censored[:, day] & known[:, day]).any():
            errors[out, day] = _expected_error(above[out, day], (total / weight)[out])
        fading = np.where(known[:, day], decay, 1.0)
        total = total * fading + DEVIATIONS_PER_ERROR * errors[:, day] * known[:, day]
        weight = weight * fading + known[:, day]
        if day + 1 == cutoffs[step]:
            spread[:, step] = np.clip(total / weight, *SPREADS)
            step += 1
    return spread


def _expected_error(above: Float[np.ndarray, " entity"], spread: Float[np.ndarray, " entity"]) -> np.ndarray:
    """Give E|Z| of a Gaussian around 0, given that Z is at least `above`."""
    start = above / spread
    density = np.exp(-0.5 * start**2) / math.sqrt(2 * math.pi)
    whole = np.where(start < 0, math.sqrt(2 / math.pi) - density, 0.0)
    log_tail = special.log_ndtr(-start)
    far = np.exp(-0.5 * start**2 - 0.5 * math.log(2 * math.pi) - log_tail)
    tail = np.where(start < 0, np.exp(log_tail), 1.0)  # far above, there is none that a double holds
    error: np.ndarray = spread * np.where(start < 0, whole / tail, far)
    return error
