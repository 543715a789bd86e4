"""Run a method of the comparison (`common.forecast.method`): from one origin to one forecast.

What a merchant can do alone is `client.forecast.own`'s, the same code that serves a merchant; where it must not see
another merchant's entities, it is run once per merchant. What pools everyone's data, and the federations, are here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from client.forecast.method.alone import train_alone
from client.forecast.method.logistic import forecast_logistic
from client.forecast.own import NETWORKS, find_obstacle, forecast_own, start_network
from client.forecast.released import forecast_demand
from common.errors import ConfigError
from common.forecast.method import CONTROLS, NAMES, ROUTED, Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU, freeze, get_vector
from common.model.warm.start import start_training
from common.plan.schema import Plan, TrainingPlan
from common.privacy.accounting import delta_for, noise_multiplier_for
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER
from common.privacy.clipping_rule import clipping_rule
from common.privacy.mechanism import Mechanism
from server.round.optimizer import ServerState
from simulation.engine.batch import federate
from simulation.engine.cluster.engine import Cluster, federate_on_cluster
from simulation.engine.seeded_noise import SeededNoise
from simulation.method.control import shuffle_labels
from simulation.method.logistic import forecast_logistic_local
from simulation.method.routing import candidates_of, federation_of, fit_each
from simulation.method.summed import federate_summed
from simulation.method.trees import forecast_boosted_local, forecast_boosted_pooled
from simulation.origin.origin import Trial

BOOSTED = {"lightgbm_local": forecast_boosted_local, "lightgbm_pooled": forecast_boosted_pooled}


@dataclass(frozen=True)
class Progress:
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
    methods = [Method.parse(name) for name in names]
    for method in methods:
        if methods.count(method) > 1:
            raise ConfigError(f"The method {method.name} is named twice; name it once.")
        _check_method(method, plan)
        if method.is_routed:
            for candidate in candidates_of(method, plan):
                _check_candidate(candidate, plan, method)


def _check_candidate(candidate: Method, plan: Plan, router: Method) -> None:
    if candidate.control and not router.control:
        raise ConfigError(
            f"evaluation.candidates names {candidate.name}, which is there to be held against; name the real "
            f"federation there, and routed_{candidate.control} in evaluation.methods."
        )
    _check_method(candidate, plan)


def _check_method(method: Method, plan: Plan) -> None:
    if not method.is_known:
        raise ConfigError(
            f"There is no method {method.name!r}; there are {', '.join((*NAMES, *ROUTED))}, federated_eps<number>, "
            "the same with _sum behind it, and each federated one with _personalised behind it; and, to be held "
            f"against, federated and routed ones with {' or '.join(f'_{control}' for control in CONTROLS)}."
        )
    obstacle = find_obstacle(method, plan)
    if obstacle:
        raise ConfigError(f"{method.name} {obstacle}, or leave it out with --only.")
    mechanism_of(method, plan, min(plan.privacy.size_classes))


def epsilon_of_method(method: Method, plan: Plan) -> float | None:
    """Epsilon of the federation that a method rests on; None where that is not private, or none."""
    federation = federation_of(method, plan)
    return None if federation is None else federation.epsilon


def training_of(method: Method, plan: Plan) -> TrainingPlan:
    """Give rounds and learning rate of a federated method."""
    return plan_of(method, plan).training(private=method.is_private)


def plan_of(method: Method, plan: Plan) -> Plan:
    """Give the plan as a method reads it: with the training of the trust that its federation has."""
    federation = federation_of(method, plan)
    return plan.trusting_sum() if federation is not None and federation.trusts_sum else plan


def delta_of_plan(plan: Plan, largest_size_class: int) -> float:
    """Delta of the guarantee: the plan's, or by the largest size class of the cohort."""
    return plan.privacy.delta or delta_for(largest_size_class)


def mechanism_of(method: Method, plan: Plan, largest_size_class: int) -> Mechanism:
    """Make what runs, and is accounted, for a federated method."""
    epsilon = epsilon_of_method(method, plan)
    if epsilon is None:
        return Mechanism(None, 0.0)
    noise_multiplier = noise_multiplier_for(
        epsilon=epsilon,
        delta=delta_of_plan(plan, largest_size_class),
        num_rounds=plan_of(method, plan).privacy.training.num_rounds,
    )
    if noise_multiplier > LARGEST_NOISE_MULTIPLIER:
        raise ConfigError(
            f"{method.name} needs a noise multiplier of {noise_multiplier:.0f}, more than "
            f"{LARGEST_NOISE_MULTIPLIER:.0f}; take a larger epsilon or fewer rounds."
        )
    return Mechanism(plan.privacy.clipping_norm, noise_multiplier, rule=clipping_rule(plan.privacy.clipping_rule))


def run_method(
    method: Method,
    trial: Trial,
    *,
    seed: int,
    device: torch.device,
    progress: Progress,
    cluster: Cluster | None = None,
    leg: Leg = Leg(),
) -> Result:
    """Train where the method trains, and forecast the trial's horizon.

    A federation runs on `cluster` where one is given, and only its `leg`; the noise is that of all of its rounds.
    """
    if method.kind in NETWORKS:
        network = start_network(method, trial.view, seed=seed)
        if method.personalised:
            return Result(fit_each(network, trial, earlier=network))
        return Result(forecast_demand(network, trial.series, device=device), network)
    if not method.is_federated:
        return Result(_forecast_without_federation(method, trial, seed=seed, device=device, progress=progress))
    training = training_of(method, trial.plan)
    model = _start_federation(method, trial, seed) if leg.start is None else freeze(leg.start, training.trained)
    training = training.model_copy(update={"num_rounds": leg.num_rounds or training.num_rounds})
    if method.control != "null":
        _federate(method, model, _learned_from(method, trial, seed), training, seed, device, progress, cluster)
    return Result(forecast_demand(model, trial.series, device=device), model)


def _learned_from(method: Method, trial: Trial, seed: int) -> Trial:
    """Give the trial as a federation reads it in its rounds."""
    if method.control != "shuffled":
        return trial
    return replace(trial, series=shuffle_labels(trial.series, np.random.default_rng([seed, trial.day])))


def _forecast_without_federation(
    method: Method, trial: Trial, *, seed: int, device: torch.device, progress: Progress
) -> Forecast:
    """Run once per merchant what learns across entities; what looks at one entity at a time runs over all of them."""
    kind, plan = method.kind, trial.plan.model
    if kind in BOOSTED:
        return BOOSTED[kind](trial, seed=seed, on_step=_tell_share(progress))
    if kind == "logistic_pooled":
        return forecast_logistic(trial.panel, plan, trial.day)
    if kind == "logistic_local":
        return forecast_logistic_local(trial.panel, plan, trial.day)
    if kind == "gru_pooled":
        return _train_alone(trial, [np.arange(len(trial.panel.entities))], seed, device, progress.on_step)
    if kind == "gru_local":
        rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
        return _train_alone(trial, rows_of, seed, device, progress.on_step)
    return forecast_own(method, trial.view, seed=seed, device=device, on_step=_tell_share(progress))


def _tell_share(progress: Progress) -> Callable[[float], None]:
    """Tell of progress where there is no loss to tell of."""
    return lambda share: progress.on_step(share, float("nan"))


def count_parameters(method: Method, trial: Trial) -> int:
    """Parameters that a federated method trains."""
    return len(get_vector(_start_federation(method, trial, 0)))


def _start_federation(method: Method, trial: Trial, seed: int) -> DemandGRU:
    return start_training(plan_of(method, trial.plan), trial.series, seed=seed, private=method.is_private)


def _federate(
    method: Method,
    model: DemandGRU,
    trial: Trial,
    training: TrainingPlan,
    seed: int,
    device: torch.device,
    progress: Progress,
    cluster: Cluster | None,
) -> None:
    mechanism = mechanism_of(method, trial.plan, max(trial.cohort.size_classes))
    if cluster is not None and method.trusts_sum:
        noise = SeededNoise(np.random.default_rng([seed, trial.day]))
        federate_summed(
            model,
            trial,
            mechanism,
            training=training,
            noise=noise,
            device=device,
            state=progress.state,
            on_round=progress.on_round,
        )
        return
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
            state=progress.state,
            on_round=progress.on_round,
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
        trusts_sum=method.trusts_sum,
        noise_share=trial.plan.privacy.sum.noise_share if trial.plan.privacy.sum else None,
        state=progress.state,
        on_round=progress.on_round,
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
