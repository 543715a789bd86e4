"""What a merchant's rounds are computed from, leg by leg (`common.plan.leg`)."""

from __future__ import annotations

from client.data.root import Root
from client.data.rows import read_present
from common.data.rehearsal import step_back
from common.model.features import Series, build_series
from common.plan.schema import Plan

Legs = tuple[Series, Series | None]  # up to the last origin, and where the plan rehearses up to one horizon before it


def read_legs(plan: Plan, root: Root) -> Legs:
    """Read the series up to the plan's last origin, and where the plan rehearses those up to one horizon before it.

    Guarantee: an entity's series, in either, depends on its own raw rows alone.
    """
    present, day = read_present(plan, root)
    series = build_series(present, plan.model, day)
    if not plan.federation.rehearsal:
        return series, None
    earlier, earlier_day = step_back(present, plan, day)
    return series, build_series(earlier, plan.model, earlier_day)
