"""What a merchant with a short history can forecast alone: every own candidate of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from common.errors import DataError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from simulation.method.method import Progress, run_method
from simulation.method.routing import candidates_of
from simulation.origin.origin import Trial

ROUTED_OWN = Method("routed_own")
CPU = torch.device("cpu")

OnShare = Callable[[str, float], None]


def forecast_alone(
    trial: Trial, *, seed: int, on_share: OnShare, names: Iterable[str] | None = None
) -> dict[str, Forecast]:
    """Forecast by every own candidate; one that has too little history to be fitted is not there.

    Parameters
    ----------
    names
        Some of the candidates; all of them if left out.
    """
    found: dict[str, Forecast] = {}
    for name in [method.name for method in candidates_of(ROUTED_OWN, trial.plan)] if names is None else names:
        try:
            forecast = _run(name, trial, seed, on_share)
        except DataError:
            continue
        if forecast.is_finite():
            found[name] = forecast
    return found


def _run(name: str, trial: Trial, seed: int, on_share: OnShare) -> Forecast:
    progress = Progress(on_step=lambda share, loss: on_share(name, share))
    return run_method(Method.parse(name), trial, seed=seed, device=CPU, progress=progress).forecast
