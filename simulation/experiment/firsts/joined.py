"""What a federation forecasts for merchants who were not in it: its model as it is, and fitted to their short history.

Guarantee: nothing of a merchant that is left out has a part in a model. So its own last horizon is new to the model,
and how far the model may move is chosen there; other merchants' same days the model of all rounds has seen. That of a
federation's first leg has not (`simulation.experiment.firsts.served`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from client.forecast.released import forecast_demand
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU
from simulation.experiment.folder import Part, Stage
from simulation.method.method import Leg, Progress, run_method, training_of
from simulation.method.routing import fit_each, rounds_of
from simulation.origin.origin import Trial, rehearse

CPU = torch.device("cpu")

OnShare = Callable[[str, float], None]


def train_without(
    method: Method,
    others: Trial,
    *,
    seed: int,
    on_share: OnShare,
    stage: Stage = "whole",
    start: DemandGRU | None = None,
) -> DemandGRU:
    """Train a federation on the merchants that are not left out.

    Parameters
    ----------
    stage
        `whole` runs all rounds on the days up to the origin. `rehearsal` runs the rounds of the first leg on the days
        before the last horizon; `served` goes on from that model, `start`, up to the origin.

    Raises
    ------
    DataError
        No entity takes part a horizon earlier, so there is no rehearsal.
    """
    _, rounds = rounds_of(Part(method, others.origin, seed, stage), training_of(method, others.plan))
    progress = Progress(on_round=lambda state, loss: on_share(method.name, state.round_number / rounds))
    trial = rehearse(others) if stage == "rehearsal" else others
    leg = Leg(rounds, copy.deepcopy(start))  # a training moves what it starts from
    model = run_method(method, trial, seed=seed, device=CPU, progress=progress, leg=leg).model
    assert model is not None  # noqa: S101  for mypy: a federation releases one
    return model


def forecast_joined(
    model: DemandGRU, method: Method, young: Trial, *, earlier: DemandGRU | None = None
) -> dict[str, Forecast]:
    """Forecast by the model as it is, and by what every merchant makes of it on its own short history.

    Parameters
    ----------
    earlier
        The model by which each chooses how far to move; the model itself if left out.
    """
    return {
        method.name: forecast_demand(model, young.series, device=CPU),
        f"{method.name}_personalised": fit_each(model, young, earlier=earlier or model),
    }
