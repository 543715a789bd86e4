"""One rolling origin of a plan: who takes part, what they may see, and what happened after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int

from client.data.rows import Reading, read, read_frame, read_rows, require_whole
from client.forecast.view import View
from common.data.gap import find_gaps, require_told
from common.data.panel import Panel, find_active
from common.errors import DataError
from common.forecast.metric import Outcome, observe
from common.model.features import Series, build_series
from common.plan.schema import Plan
from simulation.engine.batch import Cohort
from simulation.origin.partition import deal_merchants
from simulation.synthetic.federation import SyntheticSettings
from simulation.synthetic.panel import draw_panel

DEAL_SEED = 0  # merchants stay the same whatever the seed of the training


@dataclass(frozen=True)
class Trial:
    """Everything that the methods of one origin share.

    Attributes
    ----------
    panel
        The entities that take part at the origin, with their merchants.
    day
        Index of the origin's first forecast day.
    gaps
        What is not told of the horizon, in sentences.
    """

    plan: Plan
    origin: date
    day: int
    panel: Panel
    series: Series
    cohort: Cohort
    outcome: Outcome
    gaps: tuple[str, ...] = ()

    @property
    def view(self) -> View:
        """Give what everyone's entities together show before the horizon."""
        return View(self.plan, self.panel, self.day)

    @property
    def merchants(self) -> tuple[str, ...]:
        """Names of the merchants, in the order of the cohort."""
        return tuple(np.unique(self.panel.merchants.astype(str)))

    def rows_of(self, merchant: str) -> Int[np.ndarray, " entity"]:
        """Entities of one merchant."""
        return np.flatnonzero(self.panel.merchants.astype(str) == merchant)


def load_panel(plan: Plan, data_root: Path) -> Panel:
    """Read or draw the plan's rows and lay them out by day.

    Raises
    ------
    DataError
        Rows had to be left out that should not be: a study is made of whole data.
    """
    return require_whole(load_reading(plan, data_root)).panel


def load_reading(plan: Plan, data_root: Path) -> Reading:
    """Read or draw the plan's rows, as a merchant's round reads them."""
    ahead_from = plan.evaluation.origins[-1]
    if plan.data.source == "synthetic":
        return read_frame(draw_panel(SyntheticSettings()), plan.data, ahead_from=ahead_from)
    return read(plan.data, data_root, ahead_from=ahead_from)


def load_rows(plan: Plan, data_root: Path) -> pd.DataFrame:
    """Read or draw the cells of the plan's table, with its lookups."""
    if plan.data.source == "synthetic":
        return draw_panel(SyntheticSettings())
    return read_rows(plan.data, data_root, whole=True)[0].rows


def make_trial(plan: Plan, panel: Panel, origin: date) -> Trial:
    """Prepare one origin.

    Raises
    ------
    DataError
        No entity exists before the origin, or something is not known of its horizon and the plan refuses that.
    """
    day = panel.day_of(origin)
    present = choose_present(panel, plan, day)
    gaps = find_gaps(present, plan.data, day, plan.model.horizon_days)
    require_told(gaps)
    return Trial(
        plan=plan,
        origin=origin,
        day=day,
        panel=present,
        series=build_series(present, plan.model, day),
        cohort=declare_cohort(present, plan),
        outcome=observe(present, plan.model, day),
        gaps=tuple(gap.sentence for gap in gaps),
    )


def choose_present(panel: Panel, plan: Plan, day: int) -> Panel:
    """Keep the entities that take part at an origin, and give them their merchants.

    Raises
    ------
    DataError
        There is none.
    ConfigError
        The plan's deal does not fit their number.
    """
    present = panel.select(find_active(panel, plan.data, day))
    if len(present.entities) == 0:
        lacking = "is as active as data.active asks" if plan.data.active else "has a row"
        raise DataError(
            f"No {plan.data.entity} {lacking} before the origin {panel.start + timedelta(day)}; choose a later origin."
        )
    if plan.data.deal is not None:
        present = present.deal(deal_merchants(present, plan.data.deal, day, seed=DEAL_SEED))
    return present


def rehearse(trial: Trial) -> Trial:
    """Step back by one horizon: the same merchants, what they knew then, and what happened up to the origin.

    Raises
    ------
    DataError
        No entity takes part that early.
    """
    earlier = trial.view.rehearsal()
    if earlier is None:
        raise DataError(
            f"There is nothing to choose a method on: no {trial.plan.data.entity} takes part one horizon "
            f"before the origin {trial.origin}; choose a later origin, or leave out what is routed or personalised."
        )
    return Trial(
        plan=trial.plan,
        origin=earlier.origin,
        day=earlier.day,
        panel=earlier.panel,
        series=build_series(earlier.panel, trial.plan.model, earlier.day),
        cohort=declare_cohort(earlier.panel, trial.plan),
        outcome=observe(earlier.panel, trial.plan.model, earlier.day),
    )


def declare_cohort(panel: Panel, plan: Plan) -> Cohort:
    """Give each merchant the smallest size class that holds its entities.

    In a federation the merchant declares its class by hand and keeps it; the simulation stands in for that hand.
    """
    _, merchant_of, sizes = np.unique(panel.merchants.astype(str), return_inverse=True, return_counts=True)
    classes = sorted(plan.privacy.size_classes)
    if sizes.max() > classes[-1]:
        raise DataError(
            f"A merchant has {sizes.max()} entities, more than the largest of privacy.size_classes ({classes[-1]}); "
            "add a larger class."
        )
    return Cohort(
        merchant_of=torch.from_numpy(merchant_of.astype(np.int64)),
        size_classes=tuple(next(size for size in classes if size >= count) for count in sizes),
    )
