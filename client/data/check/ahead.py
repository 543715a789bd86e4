"""What lies ahead: covariates that are not told on days that are forecast, or on days that are learned from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from client.data.check.report import Finding
from common.calendar.public_holiday import fault_of_place, holidays_between
from common.data.gap import Gap, find_gaps
from common.data.panel import Panel, find_active
from common.plan.schema import Plan


def find_missing_ahead(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """Look at the horizon of every origin, and at the days before the last one; one sentence for each covariate."""
    worst: dict[str, Gap] = {}
    for origin in plan.evaluation.origins:
        day = panel.day_of(origin)
        present = panel.select(find_active(panel, plan.data, day))
        for gap in find_gaps(present, plan.data, day, plan.model.horizon_days):
            if gap.covariate not in worst or gap.share > worst[gap.covariate].share:
                worst[gap.covariate] = gap
    for gap in worst.values():
        yield Finding("fault" if gap.refuses else "warning", "missing_ahead", gap.sentence)
    yield from _find_untold_history(panel, plan)
    yield from _find_doubtful_holidays(plan)


def _find_untold_history(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """Say what the tables beside the rows do not tell of the days before the last origin; a round goes on."""
    day = panel.day_of(plan.evaluation.origins[-1])
    of_rows = {name for attribute in plan.data.known for name in attribute.names}
    for gap in find_gaps(panel.select(find_active(panel, plan.data, day)), plan.data, 0, day):
        if gap.covariate in of_rows:
            continue
        told = gap.sentence.split(", which the plan refuses")[0]
        suffix = "; a round reads these days as 0, and learns from them" if gap.refuses else ""
        yield Finding("warning", "missing_before", f"{told.removesuffix('.')}{suffix}.")


def _find_doubtful_holidays(plan: Plan) -> Iterator[Finding]:
    """Say what of the public holidays is not known, or doubtful, over the plan's own days."""
    holidays = plan.data.holidays
    if holidays is None:
        return
    fault = fault_of_place(holidays.country, holidays.subdivision)
    if fault:
        yield Finding("fault", "holidays", f"data.holidays: {fault}.")
        return
    last = plan.evaluation.origins[-1] + timedelta(days=plan.model.horizon_days - 1)
    calendar = holidays_between(holidays.country, holidays.subdivision, plan.data.start, last)
    for sentence in calendar.doubts:
        yield Finding("note", "holidays", sentence)
    if calendar.unannounced_years:
        years = ", ".join(map(str, calendar.unannounced_years))
        yield Finding(
            "warning",
            "holidays",
            f"Which weekends {holidays.country} works for days off in {years} is not announced, or not known to the "
            "package `holidays` yet, so its holidays there are those by law alone; bring it up to date when it is.",
        )
