"""What a merchant that was left out is served: the average of what it has, weighed on its own last horizon.

The federation's side is weighed by the model of the federation's first leg, which has learned nothing of that horizon,
and serves with that of its second (`common.plan.leg`). A merchant that joins later is given both. The served model
would be new to the merchant's own labels too, but not to what the horizon had in common for all: a Christmas, a strike,
a warm spring. It would be weighed on weeks whose like it has been told by others, and trusted for weeks ahead of which
nobody has told it anything. So the first leg is what stands for it, as it does for members.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from client.forecast.routing import Candidate, choose_usual, route
from common.forecast.method import Method
from common.forecast.metric import Forecast
from simulation.experiment.firsts.part import Told, Young
from simulation.method.routing import candidates_of
from simulation.origin.origin import Trial

ROUTED, ROUTED_NULL = Method("routed"), Method("routed", control="null")

Forecasts = Mapping[str, Forecast]


def serve(router: Method, young: Young, alone: Told, joined: Told | None = None) -> Forecast:
    """Serve every merchant by the average of a router's candidates.

    Parameters
    ----------
    joined
        What a federation tells in its two legs; None where there is nothing to weigh it by, so that it has no part.
    """
    told = Told({**alone.forecasts, **joined.forecasts}, {**alone.rehearsed, **joined.rehearsed}) if joined else alone
    names = [method.name for method in candidates_of(router, young.trial.plan)]  # in one order, read or made
    forecasts, rehearsed = (
        {name: side[name] for name in names if name in side} for side in (told.forecasts, told.rehearsed)
    )
    trial = young.trial
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
    served = [_serve(forecasts, rehearsed, trial, young.earlier, merchant) for merchant in trial.merchants]
    return Forecast.concatenate(served).select(np.argsort(np.concatenate(rows_of)))


def _serve(forecasts: Forecasts, rehearsed: Forecasts, young: Trial, earlier: Trial | None, merchant: str) -> Forecast:
    rows = young.rows_of(merchant)
    both = [name for name in forecasts if name in rehearsed]
    if earlier is None or not both:
        usual = choose_usual(map(Method.parse, forecasts), history_days=_history_days(young, rows))
        return forecasts[usual.name].select(rows)
    then = earlier.rows_of(merchant)
    candidates = {
        Method.parse(name): Candidate(rehearsed[name].select(then), forecasts[name].select(rows)) for name in both
    }
    history_days = _history_days(earlier, then)
    return route(candidates, earlier.outcome.select(then), young.plan, history_days=history_days).forecast


def _history_days(trial: Trial, rows: np.ndarray) -> int:
    return trial.day - int(trial.panel.first_day[rows].min(initial=trial.day))
