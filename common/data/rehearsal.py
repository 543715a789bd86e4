"""One horizon back: the entities that took part then, of those that take part on a day."""

from __future__ import annotations

import numpy as np

from common.data.panel import Panel, find_active
from common.plan.schema import Plan


def step_back(panel: Panel, plan: Plan, day: int) -> tuple[Panel, int]:
    """Keep who took part one horizon before `day`, and give that day; it may lie before the panel, and nobody be left.

    Guarantee: whether an entity is kept depends on its own rows alone.
    """
    earlier = day - plan.model.horizon_days
    return panel.select(np.asarray(find_active(panel, plan.data, max(earlier, 0)))), earlier
