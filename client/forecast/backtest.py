"""Was it worth joining? A merchant's own rows answer, from the days that the federation has not learned from.

What the released model forecast of them, as it is and fitted to the merchant, is held against what the merchant could
have said alone without training anything but a regression. The best of those is chosen with hindsight, which favours
staying alone. Nothing of this leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import torch

from client.daemon.store import Model
from client.forecast.logistic import forecast_logistic
from client.forecast.naive import forecast_moving_average, forecast_seasonal_naive, forecast_weekday_mean
from client.forecast.personalise import personalise
from client.forecast.prediction import ReleasedContext, set_up
from client.forecast.released import forecast_demand
from common.errors import ConfigError, DataError
from common.forecast.entity_loss import COMPARED, entity_losses, entity_weights
from common.forecast.gain import Gain, estimate_gain
from common.forecast.metric import Forecast, Outcome, observe, score_demand, score_purchases
from common.model.features import Series, build_series
from common.model.warm.start import start_model
from common.plan.schema import Plan

FEDERATED = "federated", "personalised"
LONGEST_IDLE_DAYS, HORIZONS_PER_IDLE = 7, 4  # nothing sold for longer at the end, and the rows are taken to end before


@dataclass(frozen=True)
class Proof:
    """How every method forecast one horizon.

    Attributes
    ----------
    last
        Last day of the horizon.
    metric
        What gains are measured in: wql (`common.forecast.metric`) for demand, log_loss for purchases.
    scores
        METHOD → METRIC → value; the federation's methods last.
    best_own
        The merchant's own method with the lowest loss, in hindsight.
    gains
        Of each of the federation's methods over that one; None where there was no demand.
    """

    origin: date
    last: date
    entities: int
    metric: str
    scores: dict[str, dict[str, float | None]]
    best_own: str
    gains: dict[str, Gain | None]


def prove(model: Model, data_root: Path, origin: date, *, device: torch.device) -> Proof:
    """Forecast the horizon from `origin` as if it were that day, and hold every method against what happened.

    Raises
    ------
    ConfigError
        The model has learned from days of that horizon.
    DataError
        The rows end before the horizon does, or as `client.forecast.prediction.set_up` says.
    """
    learned = model.note.plan.evaluation.origins[-1]
    if origin < learned:
        raise ConfigError(
            f"--origin {origin} lies before {learned}, up to which this model has learned: it would prove nothing; "
            f"choose {learned} or later."
        )
    scene = set_up(model, data_root, origin)
    last = origin + timedelta(days=scene.plan.model.horizon_days - 1)
    _require_rows(scene, last, later=origin > learned)
    outcome, task = observe(scene.panel, scene.plan.model, scene.day), scene.plan.evaluation.task
    series = build_series(scene.panel, scene.plan.model, scene.day)
    forecasts = {**_forecast_alone(scene, series, device), **_forecast_together(scene, series, device)}
    losses = {
        name: entity_losses(forecast, outcome.actual, outcome.counted, metric=COMPARED[task][0])
        for name, forecast in forecasts.items()
    }
    best_own = min((name for name in losses if name not in FEDERATED), key=lambda name: losses[name].sum())
    weights = entity_weights(outcome.actual, outcome.counted, task=task)
    gains = {name: estimate_gain(losses[name], losses[best_own], weights) for name in FEDERATED}
    return Proof(
        origin=origin,
        last=last,
        entities=len(scene.panel.entities),
        metric=COMPARED[task][0],
        scores={name: _score(forecast, outcome, scene.plan) for name, forecast in forecasts.items()},
        best_own=best_own,
        gains=gains,
    )


def _require_rows(scene: ReleasedContext, last: date, *, later: bool) -> None:
    """Refuse to take days that are not in the file yet for days without demand."""
    tolerated = min(LONGEST_IDLE_DAYS, scene.plan.model.horizon_days // HORIZONS_PER_IDLE)
    if scene.idle_days > tolerated:
        raise DataError(
            f"Nothing was sold on the last {scene.idle_days} open days up to {last}, the end of the horizon, so those "
            "rows seem to be missing: what came of the forecast is not known yet; come back when it is"
            f"{', or choose an earlier --origin' if later else ''}."
        )


def _forecast_alone(scene: ReleasedContext, series: Series, device: torch.device) -> dict[str, Forecast]:
    """Give what the merchant could have said without anybody."""
    panel, plan, day = scene.panel, scene.plan.model, scene.day
    simple = {
        "seasonal_naive": forecast_seasonal_naive(panel, plan, day),
        "moving_average": forecast_moving_average(panel, plan, day),
        "weekday_mean": forecast_weekday_mean(panel, plan, day),
    }
    if scene.plan.evaluation.task == "purchase":
        simple["logistic"] = forecast_logistic(panel, plan, day)
    untrained = start_model(plan, series, seed=0, warm=False)
    return {**simple, "anchor": forecast_demand(untrained, series, device=device)}


def _forecast_together(scene: ReleasedContext, series: Series, device: torch.device) -> dict[str, Forecast]:
    """Give what the federation's model says, as it is and fitted to the merchant."""
    own = personalise(scene.network, scene.panel, scene.plan.model, scene.day)
    return {
        name: forecast_demand(network, series, device=device)
        for name, network in zip(FEDERATED, (scene.network, own), strict=True)
    }


def _score(forecast: Forecast, outcome: Outcome, plan: Plan) -> dict[str, float | None]:
    if plan.evaluation.task == "demand":
        return score_demand(forecast, outcome)
    assert forecast.probability is not None  # noqa: S101  for mypy: every method here gives one
    return score_purchases(forecast.probability, outcome.actual.sum(axis=1) > 0)
