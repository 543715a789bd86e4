"""Every method of the comparison, by name: from one origin to one forecast.

seasonal_naive, moving_average, weekday_mean    points, from the entity's own past
anchor                                          the untrained model: what the network corrects
warm                                            the public model, trained on invented demand only
auto_ets, croston                               classic forecasts of single series (needs the extra `bench`)
lightgbm_local, lightgbm_pooled                 boosted trees; per merchant, or all data in one place (`bench`)
logistic_local, logistic_pooled                 purchases; per merchant, or all data in one place
gru_local, gru_pooled                           the demand model alone, or with all data in one place
federated                                       all merchants together, without noise
federated_eps<number>                           the same at that epsilon per entity
federated…_personalised                         that model, fitted to each merchant's own data; see `routing`
routed, routed_own                              each merchant by the average of what served its last horizon well
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from client.forecast.classic import forecast_auto_ets, forecast_croston
from client.forecast.logistic import forecast_logistic
from client.forecast.naive import forecast_moving_average, forecast_seasonal_naive, forecast_weekday_mean
from client.forecast.released import forecast_demand
from common.errors import ConfigError
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU, freeze, get_vector
from common.model.warm.start import start_model, start_training
from common.plan.schema import Plan, TrainingPlan
from common.privacy.accounting import delta_for, noise_multiplier_for
from common.privacy.clipping_rule import clipping_rule
from common.privacy.mechanism import LARGEST_NOISE_MULTIPLIER, Mechanism
from server.round.optimizer import ServerState
from simulation.engine.batch import federate
from simulation.engine.cluster.engine import Cluster, federate_on_cluster
from simulation.engine.seeded_noise import SeededNoise
from simulation.method.alone import train_alone
from simulation.method.logistic import forecast_logistic_local
from simulation.method.routing import PERSONALISED, ROUTED, candidates_of, federation_of
from simulation.method.trees import forecast_boosted_local, forecast_boosted_pooled
from simulation.origin.origin import Trial

POINT_METHODS = {
    "seasonal_naive": forecast_seasonal_naive,
    "moving_average": forecast_moving_average,
    "weekday_mean": forecast_weekday_mean,
}
LOGISTIC_METHODS = {"logistic_local": forecast_logistic_local, "logistic_pooled": forecast_logistic}
CLASSIC_METHODS = {"auto_ets": forecast_auto_ets, "croston": forecast_croston}
BOOSTED_METHODS = {"lightgbm_local": forecast_boosted_local, "lightgbm_pooled": forecast_boosted_pooled}
LIBRARY_OF = dict.fromkeys(CLASSIC_METHODS, "statsforecast") | dict.fromkeys(BOOSTED_METHODS, "lightgbm")
PRIVATE = re.compile(r"federated_eps(\d+(?:\.\d+)?)")
NAMES = (
    *POINT_METHODS,
    "anchor",
    "warm",
    *LOGISTIC_METHODS,
    *CLASSIC_METHODS,
    *BOOSTED_METHODS,
    "gru_local",
    "gru_pooled",
    "federated",
)


@dataclass(frozen=True)
class Watch:
    """Who is told of progress, and from where to go on.

    Attributes
    ----------
    on_round
        Called after every round with the state and the training loss.
    on_step
        Called with the share of the work that is done and the loss, where a method has no rounds.
    """

    on_round: Callable[[ServerState, float], None] = lambda state, loss: None
    on_step: Callable[[float, float], None] = lambda share, loss: None
    state: ServerState | None = None


@dataclass(frozen=True)
class Leg:
    """Some of a federation's rounds; all of them if nothing is given.

    Attributes
    ----------
    start
        The model that an earlier leg ended with.
    """

    num_rounds: int | None = None
    start: DemandGRU | None = None


@dataclass(frozen=True)
class Result:
    """A forecast, and the model that made it where there is one that may leave the merchants."""

    forecast: Forecast
    model: DemandGRU | None = field(default=None)


def check_methods(names: tuple[str, ...], plan: Plan) -> None:
    """Refuse what is no method, is no method of the plan's task, comes twice, or needs more noise than is legal.

    Raises
    ------
    ConfigError
        For the first such name.
    """
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"The method {name} is named twice; name it once.")
        _check_method(name, plan)
        if name in ROUTED:
            for candidate in candidates_of(name, plan):
                _check_method(candidate, plan)


def _check_method(name: str, plan: Plan) -> None:
    federation = federation_of(name, plan)
    known = federation == "federated" or name in {*NAMES, *ROUTED} or PRIVATE.fullmatch(federation or "")
    if not known:
        raise ConfigError(
            f"There is no method {name!r}; there are {', '.join((*NAMES, *ROUTED))}, federated_eps<number>, "
            f"and each federated one with {PERSONALISED} behind it."
        )
    if name in LOGISTIC_METHODS and plan.evaluation.task != "purchase":
        raise ConfigError(f'{name} forecasts purchases; set evaluation.task = "purchase" or leave it out.')
    if name in LIBRARY_OF and importlib.util.find_spec(LIBRARY_OF[name]) is None:
        raise ConfigError(
            f"{name} needs {LIBRARY_OF[name]}, which is not installed: "
            "pip install 'hansa[bench]', or leave it out with --only."
        )
    mechanism_of(name, plan, min(plan.privacy.size_classes))


def epsilon_in(name: str) -> float | None:
    """Epsilon of a private method; None for every other."""
    match = PRIVATE.fullmatch(name)
    return float(match.group(1)) if match else None


def epsilon_of_method(name: str, plan: Plan) -> float | None:
    """Epsilon of the federation that a method rests on; None where that is not private, or none."""
    return epsilon_in(federation_of(name, plan) or "")


def training_of(name: str, plan: Plan) -> TrainingPlan:
    """Give rounds and learning rate of a federated method."""
    return plan.federation.training if epsilon_in(name) is None else plan.privacy.training


def delta_of_plan(plan: Plan, largest_size_class: int) -> float:
    """Delta of the guarantee: the plan's, or by the largest size class of the cohort."""
    return plan.privacy.delta or delta_for(largest_size_class)


def mechanism_of(name: str, plan: Plan, largest_size_class: int) -> Mechanism:
    """Make what runs, and is accounted, for a federated method."""
    epsilon = epsilon_of_method(name, plan)
    if epsilon is None:
        return Mechanism(None, 0.0)
    noise_multiplier = noise_multiplier_for(
        epsilon=epsilon,
        delta=delta_of_plan(plan, largest_size_class),
        num_rounds=plan.privacy.training.num_rounds,
    )
    if noise_multiplier > LARGEST_NOISE_MULTIPLIER:
        raise ConfigError(
            f"{name} needs a noise multiplier of {noise_multiplier:.0f}, more than {LARGEST_NOISE_MULTIPLIER:.0f}; "
            "take a larger epsilon or fewer rounds."
        )
    return Mechanism(plan.privacy.clipping_norm, noise_multiplier, rule=clipping_rule(plan.privacy.clipping_rule))


def run_method(
    name: str,
    trial: Trial,
    *,
    seed: int,
    device: torch.device,
    watch: Watch,
    cluster: Cluster | None = None,
    leg: Leg = Leg(),
) -> Result:
    """Train where the method trains, and forecast the trial's horizon.

    A federation runs on `cluster` where one is given, and only its `leg`; the noise is that of all of its rounds.
    """
    plan = trial.plan
    if name in POINT_METHODS:
        return Result(POINT_METHODS[name](trial.panel, plan.model, trial.day))
    if name in LOGISTIC_METHODS:
        return Result(LOGISTIC_METHODS[name](trial.panel, plan.model, trial.day))
    if name in CLASSIC_METHODS:
        return Result(CLASSIC_METHODS[name](trial.panel, plan.model, trial.day, on_step=_tell_share(watch)))
    if name in BOOSTED_METHODS:
        return Result(BOOSTED_METHODS[name](trial, seed=seed, on_step=_tell_share(watch)))
    if name == "gru_pooled":
        return Result(_train_alone(trial, [np.arange(len(trial.panel.entities))], seed, device, watch.on_step))
    if name == "gru_local":
        rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
        return Result(_train_alone(trial, rows_of, seed, device, watch.on_step))
    if name in {"anchor", "warm"}:
        model = start_model(plan.model, trial.series, seed=seed, warm=name == "warm")
    else:
        training = training_of(name, plan)
        model = _start_federation(name, trial, seed) if leg.start is None else freeze(leg.start, training.trained)
        training = training.model_copy(update={"num_rounds": leg.num_rounds or training.num_rounds})
        _federate(name, model, trial, training, seed, device, watch, cluster)
    return Result(forecast_demand(model, trial.series, device=device), model)


def _tell_share(watch: Watch) -> Callable[[float], None]:
    """Tell of progress where there is no loss to tell of."""
    return lambda share: watch.on_step(share, float("nan"))


def count_parameters(name: str, trial: Trial) -> int:
    """Parameters that a federated method trains."""
    return len(get_vector(_start_federation(name, trial, 0)))


def _start_federation(name: str, trial: Trial, seed: int) -> DemandGRU:
    return start_training(trial.plan, trial.series, seed=seed, private=epsilon_in(name) is not None)


def _federate(
    name: str,
    model: DemandGRU,
    trial: Trial,
    training: TrainingPlan,
    seed: int,
    device: torch.device,
    watch: Watch,
    cluster: Cluster | None,
) -> None:
    mechanism = mechanism_of(name, trial.plan, max(trial.cohort.size_classes))
    if cluster is not None:
        federate_on_cluster(
            model,
            trial.series,
            trial.cohort,
            mechanism,
            plan=trial.plan,
            training=training,
            seed=(seed, trial.day),
            device=device,
            cluster=cluster,
            state=watch.state,
            on_round=watch.on_round,
        )
        return
    federate(
        model,
        trial.series,
        trial.cohort,
        mechanism,
        training=training,
        cap=trial.plan.federation.weight_cap,
        noise=SeededNoise(np.random.default_rng([seed, trial.day])),
        device=device,
        num_threads=os.cpu_count() or 1,
        state=watch.state,
        on_round=watch.on_round,
    )


def _train_alone(
    trial: Trial,
    rows_of: Sequence[np.ndarray],
    seed: int,
    device: torch.device,
    on_step: Callable[[float, float], None],
) -> Forecast:
    alone = trial.plan.evaluation.alone
    return train_alone(
        trial.panel,
        rows_of,
        trial.plan.model,
        alone,
        trial.day,
        seed=seed,
        device=device,
        on_step=lambda step, loss: on_step(min(1.0, step / alone.num_steps), loss),
    )
