"""What a merchant with a short history can forecast alone, by one own candidate of the plan or another."""

from __future__ import annotations

from collections.abc import Callable

import torch

from common.errors import DataError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.plan.schema import Plan
from simulation.method.method import Progress, run_method
from simulation.method.routing import candidates_of
from simulation.origin.origin import Trial

ROUTED_OWN = Method("routed_own")
CPU = torch.device("cpu")

OnShare = Callable[[str, float], None]


def forecast_alone(name: str, trial: Trial, *, seed: int, on_share: OnShare) -> dict[str, Forecast]:
    """Forecast by a method that needs no federation; empty where there is too little history to fit it."""
    progress = Progress(on_step=lambda share, loss: on_share(name, share))
    try:
        forecast = run_method(Method.parse(name), trial, seed=seed, device=CPU, progress=progress).forecast
    except DataError:
        return {}
    return {name: forecast} if forecast.is_finite() else {}


def own_candidates(plan: Plan) -> tuple[str, ...]:
    """Name what `routed_own` averages."""
    return tuple(method.name for method in candidates_of(ROUTED_OWN, plan))
