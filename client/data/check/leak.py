"""Leaks: covariates that know the answer, and covariates that are not known when a forecast needs them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from client.data.check.report import Finding
from common.data.panel import Panel
from common.plan.schema import DataPlan, Plan

DETERMINES = 0.98  # absolute correlation from which on a covariate nearly is the target
SAME_DAYS = 0.995  # share of open days on which a covariate and demand are both there or both absent
RARE = 0.02  # a covariate, or demand, that is this rarely on or off says nothing by coming together
EVER = 0.01  # share of days before the origin on which a covariate is on, from which on "never" is odd


def find_leaks(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """Hold every covariate that somebody told against the target, and its days ahead against its days before.

    Holidays and shopping days are told by no one: they are known ahead, however seldom they come.
    """
    for number, name in enumerate(told_covariates(plan.data)):
        yield from _find_answer(panel, panel.known[:, :, number], name)
        yield from _find_unknown_ahead(panel, panel.known[:, :, number], name, plan)
    for number, name in enumerate(panel.channels):
        values = panel.observed[:, :, number] * panel.open
        if np.array_equal(values, panel.target):
            yield Finding("note", "same_as_target", f"Channel {name!r} equals the target everywhere and adds nothing.")


def told_covariates(plan: DataPlan) -> tuple[str, ...]:
    """Name the covariates of the rows and of tables, which come first."""
    attributes = [*plan.known, *(attribute for table in plan.ahead for attribute in table.known)]
    return tuple(name for attribute in attributes for name in attribute.names)


def _find_answer(panel: Panel, covariate: np.ndarray, name: str) -> Iterator[Finding]:
    """Correlate with demand on open days, on both scales, and see whether both come and go together."""
    values, demand = covariate[panel.open].astype(np.float64), panel.target[panel.open].astype(np.float64)
    scales = ((values, demand), (np.log1p(np.maximum(values, 0)), np.log1p(demand)))
    correlation = max((_correlation(*scale) for scale in scales), default=0.0)
    if correlation > DETERMINES:
        yield Finding(
            "warning",
            "leak",
            f"Covariate {name!r} nearly determines the target (correlation {correlation:.3f}); if it is known only "
            "afterwards, declare it under data.observed.",
        )
        return
    on, sold = values != 0, demand > 0
    telling = min(on.mean(), 1 - on.mean(), sold.mean(), 1 - sold.mean()) > RARE if len(on) else False
    if telling and (on == sold).mean() > SAME_DAYS:
        yield Finding(
            "warning",
            "leak",
            f"Covariate {name!r} is there on just the days that have demand; if it is known only afterwards, declare "
            "it under data.observed.",
        )


def _find_unknown_ahead(panel: Panel, covariate: np.ndarray, name: str, plan: Plan) -> Iterator[Finding]:
    """See whether a covariate that used to be there is 0 throughout the horizon of an origin."""
    for origin in plan.evaluation.origins:
        day = panel.day_of(origin)
        before, ahead = (slice(0, day), slice(day, day + plan.model.horizon_days))
        was = (covariate[:, before] != 0)[panel.open[:, before]]
        will = (covariate[:, ahead] != 0)[panel.open[:, ahead]]
        if len(was) and len(will) and was.mean() > EVER and not will.any():
            yield Finding(
                "warning",
                "unknown_ahead",
                f"Covariate {name!r} is 0 throughout the {plan.model.horizon_days} days from {origin} on, but not on "
                f"{was.mean():.0%} of the days before; is it really known ahead?",
            )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(abs(np.corrcoef(one, other)[0, 1]))
