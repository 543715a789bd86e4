"""What is seen on one day, before the horizon that begins with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from common.data.panel import Panel
from common.data.rehearsal import step_back
from common.model.features import Series, build_series
from common.plan.schema import Plan


@dataclass(frozen=True)
class View:
    """The entities that take part on a day, as a method may see them.

    Attributes
    ----------
    panel
        It may reach beyond the day: a method looks there at what the plan declares as known ahead, and at nothing else.
    day
        Index of the first day of the horizon.
    series
        What the demand model reads of it.
    """

    plan: Plan
    panel: Panel
    day: int
    series: Series

    @property
    def history_days(self) -> int:
        """Count the days before the view's since its first entity began; 0 where there is none."""
        return self.day - int(self.panel.first_day.min(initial=self.day))

    @property
    def origin(self) -> date:
        """Name the first day of the horizon."""
        return self.panel.start + timedelta(days=self.day)

    def rehearsal(self) -> View | None:
        """Step back by one horizon; None where there is no step of history before it, or nobody takes part yet."""
        present, day = step_back(self.panel, self.plan, self.day)
        if day < self.plan.model.step_days or len(present.entities) == 0:
            return None
        return look(self.plan, present, day)


def look(plan: Plan, panel: Panel, day: int) -> View:
    """Look at the entities of `panel` on a day; those that take part are chosen already."""
    return View(plan, panel, day, build_series(panel, plan.model, day))
