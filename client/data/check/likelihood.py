"""The model: a likelihood that the target cannot come from, and more parameters than clipping is proven for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from client.data.check.report import Finding
from common.data.panel import Panel
from common.errors import HansaError, PrivacyError
from common.model.warm.start import start_without_data
from common.plan.schema import Plan

FRACTION = 1e-3  # of a unit, within which a number counts as whole: sums in single precision are off by less
FEW_FRACTIONS = 0.01  # share of days with demand up to which fractions may be slips
MANY_ZEROS = 0.1  # share of open days without demand, from which on a likelihood without zeros forecasts too much


def find_model_faults(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """Hold the target against the likelihood, and the model's size against the proof of clipping."""
    demand = panel.target[panel.open & _is_born(panel) & ~panel.censored].astype(np.float64)
    if demand.any():
        yield from _find_fractions(demand, plan) if plan.model.likelihood != "log_normal" else _find_zeros(demand)
    yield from find_size_faults(plan)


def _is_born(panel: Panel) -> np.ndarray:
    """Mark the days from each entity's first row on: before it there is no demand to speak of."""
    return np.arange(panel.num_days) >= panel.first_day[:, None]


def _find_fractions(demand: np.ndarray, plan: Plan) -> Iterator[Finding]:
    sold = demand[demand > 0]
    share = float((np.abs(sold - np.rint(sold)) > FRACTION * np.maximum(1.0, sold * 1e-3)).mean())
    if share > FEW_FRACTIONS:
        rare = (demand == 0).mean() >= MANY_ZEROS
        advice = "count in a smaller unit (grams for kilograms)"
        yield Finding(
            "warning",
            "fractions",
            f"The target has fractions on {share:.0%} of the days with demand (mean {sold.mean():.3g}), but "
            f'model.likelihood = "{plan.model.likelihood}" counts: every quantile would be a whole number; '
            + (advice if rare else f'take "log_normal", or {advice}')
            + ".",
        )


def _find_zeros(demand: np.ndarray) -> Iterator[Finding]:
    share = float((demand == 0).mean())
    if share >= MANY_ZEROS:
        yield Finding(
            "warning",
            "zeros",
            f'The target is 0 on {share:.0%} of the open days, which model.likelihood = "log_normal" never forecasts: '
            "forecasts are of days with demand only, and come with a probability of 1; take "
            '"hurdle_negative_binomial", or longer buckets, or declare closed days.',
        )


def find_size_faults(plan: Plan) -> Iterator[Finding]:
    """Make the models that a launch of the plan would start with, which takes no data, and see if one is too large."""
    for private in (True, False):
        try:
            start_without_data(plan, private=private)
        except PrivacyError as error:
            yield Finding("fault", "model_size", str(error))
            return
        except HansaError:
            continue  # there is no such start; whoever asks for it is told so
