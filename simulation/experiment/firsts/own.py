"""What a merchant with a short history can forecast alone: every own candidate of the plan, and their average."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from client.forecast.routing import Candidate, choose_usual, route
from common.errors import DataError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from simulation.method.method import Progress, run_method
from simulation.method.routing import candidates_of
from simulation.origin.origin import Trial, rehearse

ROUTED_OWN = Method("routed_own")
CPU = torch.device("cpu")

OnShare = Callable[[str, float], None]


def forecast_own_all(young: Trial, *, seed: int, on_share: OnShare) -> dict[str, Forecast]:
    """Forecast by every own candidate, and by `routed_own`.

    A method that has too little history to be fitted is not there; one that had too little of it a horizon earlier is
    there and has no part in the average.
    """
    names = [method.name for method in candidates_of(ROUTED_OWN, young.plan)]
    forecasts = _run(names, young, seed, on_share)
    try:
        earlier = rehearse(young)
    except DataError:  # nobody took part that early, so nothing can be compared
        earlier = None
    rehearsed = {} if earlier is None else _run(list(forecasts), earlier, seed, on_share)
    return {**forecasts, ROUTED_OWN.name: _average(forecasts, rehearsed, young, earlier)}


def _run(names: list[str], trial: Trial, seed: int, on_share: OnShare) -> dict[str, Forecast]:
    found: dict[str, Forecast] = {}
    for name in names:
        try:
            forecast = _run_one(name, trial, seed, on_share)
        except DataError:
            continue
        if forecast.is_finite():
            found[name] = forecast
    return found


def _run_one(name: str, trial: Trial, seed: int, on_share: OnShare) -> Forecast:
    progress = Progress(on_step=lambda share, loss: on_share(name, share))
    return run_method(Method.parse(name), trial, seed=seed, device=CPU, progress=progress).forecast


def _average(
    forecasts: Mapping[str, Forecast], rehearsed: Mapping[str, Forecast], young: Trial, earlier: Trial | None
) -> Forecast:
    """Serve every merchant as it would be served alone."""
    rows_of = [young.rows_of(merchant) for merchant in young.merchants]
    served = [_serve(forecasts, rehearsed, young, earlier, merchant) for merchant in young.merchants]
    return Forecast.concatenate(served).select(np.argsort(np.concatenate(rows_of)))


def _serve(
    forecasts: Mapping[str, Forecast],
    rehearsed: Mapping[str, Forecast],
    young: Trial,
    earlier: Trial | None,
    merchant: str,
) -> Forecast:
    rows = young.rows_of(merchant)
    if earlier is None or not rehearsed:
        history_days = young.day - int(young.panel.first_day[rows].min(initial=young.day))
        return forecasts[choose_usual(map(Method.parse, forecasts), history_days=history_days).name].select(rows)
    then = earlier.rows_of(merchant)
    history_days = earlier.day - int(earlier.panel.first_day[then].min(initial=earlier.day))
    candidates = {
        Method.parse(name): Candidate(earlier_one.select(then), forecasts[name].select(rows))
        for name, earlier_one in rehearsed.items()
    }
    return route(candidates, earlier.outcome.select(then), young.plan, history_days=history_days).forecast
