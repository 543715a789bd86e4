"""What is seen on one day, before the horizon that begins with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from common.data.panel import Panel
from common.data.rehearsal import step_back
from common.model.features import Examples, look_ahead
from common.plan.schema import ModelPlan, Plan


@dataclass(frozen=True)
class Ahead:
    """What the demand model reads at an origin, worked out for some entities at a time.

    Attributes
    ----------
    day
        Index of the first day of the horizon.
    """

    panel: Panel
    plan: ModelPlan
    day: int

    @property
    def num_entities(self) -> int:
        """Count them."""
        return len(self.panel.entities)

    def blocks(self, size: int) -> Iterator[Examples]:
        """Cut the windows that end at the origin, of so many entities at a time: memory grows with `size` alone."""
        for first in range(0, max(self.num_entities, 1), size):
            yield look_ahead(self.panel.select(slice(first, first + size)), self.plan, self.day)


@dataclass(frozen=True)
class View:
    """The entities that take part on a day, as a method may see them.

    Attributes
    ----------
    panel
        It may reach beyond the day: a method looks there at what the plan declares as known ahead, and at nothing else.
    day
        Index of the first day of the horizon.
    """

    plan: Plan
    panel: Panel
    day: int

    @property
    def ahead(self) -> Ahead:
        """Give what the demand model reads of it."""
        return Ahead(self.panel, self.plan.model, self.day)

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
        return View(self.plan, present, day)
