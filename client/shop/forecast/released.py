"""What a federation's released model says of the shop's products, at past origins and now.

The model is served as `hansa-client predict` serves it: the plan's own file is read through the plan's own columns, who
takes part on a day is the plan's to say, and the network forecasts each of them from its own series. Here its answers
stand beside those of the shop's own methods, so they are laid out by the shop's products and days.

Guarantee: of a horizon that a model has learned any day of, it says nothing: each origin is answered by the newest
model that had learned from no day of it or later, and where there is none the answer is missing (NaN). Missing, too,
are days beyond the plan's horizon and products that do not take part; the shop's own methods speak for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import torch
from jaxtyping import Float

from client.forecast.released import forecast_mean
from client.forecast.view import View
from common.data.panel import Panel, find_active
from common.model.demand_gru import DemandGRU
from common.plan.schema import Plan

FEDERATED = "federated"
CPU = torch.device("cpu")

Means = Float[np.ndarray, "origin product day"]


@dataclass(frozen=True, eq=False)
class Learner:
    """One model of a federation, verified, and the first day that it has not learned from."""

    until: date
    model_hash: str
    network: DemandGRU


@dataclass(frozen=True, eq=False)
class Released:
    """What a federation gave to this shop, before its rows.

    Attributes
    ----------
    federation
        Its name.
    panel
        Of the plan, to the end of the horizon.
    places
        Product of the shop → its place in that panel; a product that is not there takes no part.
    learners
        The newest model first, and the one after the rehearsal of its run where there was one.
    """

    federation: str
    plan: Plan
    panel: Panel
    places: Mapping[str, int]
    learners: tuple[Learner, ...]

    @property
    def served(self) -> Learner:
        """The newest model."""
        return self.learners[0]

    def learner_at(self, origin: date) -> Learner | None:
        """Choose the newest model that may forecast from a day on; None where all have learned from later days."""
        return next((each for each in self.learners if each.until <= origin), None)

    def weighed_from(self, horizon_days: int) -> date:
        """Give the first day on which there is a past horizon that some model has learned nothing of."""
        return min(each.until for each in self.learners) + timedelta(days=horizon_days)

    def view(self, products: Sequence[str], origin: date) -> tuple[np.ndarray, View] | None:
        """Look at those of some products that take part on a day; None where nobody does.

        Returns
        -------
        tuple
            The places of those products among the ones asked for, and the plan's view of them.
        """
        day = (origin - self.panel.start).days
        here = np.array([place for place, name in enumerate(products) if name in self.places], int)
        if day < self.plan.model.step_days or len(here) == 0:
            return None
        own = self.panel.select(np.array([self.places[products[place]] for place in here]))
        active = np.asarray(find_active(own, self.plan.data, day))
        return (here[active], View(self.plan, own.select(active), day)) if len(active) else None

    def forecast(self, products: Sequence[str], origins: Sequence[date], horizon_days: int) -> Means:
        """Forecast the mean of each day; NaN where nothing is said."""
        said = np.full((len(origins), len(products), horizon_days), np.nan)
        reach = min(horizon_days, self.plan.model.horizon_days)
        for number, origin in enumerate(origins):
            learner, seen = self.learner_at(origin), self.view(products, origin)
            if learner is not None and seen is not None:
                places, view = seen
                mean = forecast_mean(learner.network, view.ahead, device=CPU)
                said[number, places, :reach] = np.where(np.isfinite(mean), mean, np.nan)[:, :reach]
        return said
