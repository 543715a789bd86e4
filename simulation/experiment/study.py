"""Try something that no plan names, a network, an optimiser or a clipping rule, on one origin of a plan.

Everything else is as `hansa-sim run` has it: entities, merchants, features, rounds, weights, noise and scores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch

from client.forecast.released import forecast_demand
from common.model.features import Series
from common.model.network import Network
from common.model.warm.start import start_training
from common.plan.schema import Plan
from common.privacy.accounting import delta_for, noise_multiplier_for
from common.privacy.clipping_rule import ClippingRule, clipping_rule
from common.privacy.mechanism import Mechanism
from server.round.optimizer import Optimizer
from simulation.engine.batch import federate
from simulation.engine.seeded_noise import SeededNoise
from simulation.evaluation.summary import score_part
from simulation.origin.origin import load_panel, make_trial


def try_variant(
    plan: Plan,
    origin: date,
    *,
    epsilon: float | None,
    data_root: Path = Path("."),
    make_network: Callable[[Series], Network] | None = None,
    optimizer: Optimizer | None = None,
    rule: ClippingRule | None = None,
    seed: int = 0,
    device: torch.device | None = None,
) -> dict[str, float | None]:
    """Federate once, and score the forecasts over all entities.

    Parameters
    ----------
    origin
        Training reads the days before it, forecasts begin there; to choose by the scores take an early one.
    epsilon
        Per entity, at the plan's delta and rounds; None trains without noise.
    make_network
        Makes the network for the features of a series; the plan's if left out.
    optimizer, rule
        In place of the plan's.
    seed
        Of the network's weights and of the simulated noise.
    device
        Where gradients are computed; the CPU if left out.

    Returns
    -------
    dict
        The metrics of `hansa-sim run`, by name.

    Raises
    ------
    ConfigError
        The network's entities have no gradients of their own; see `simulation.engine.probe`.
    HansaError
        The plan's data cannot be read, or nobody takes part.
    """
    trial = make_trial(plan, load_panel(plan, data_root), origin)
    device = device or torch.device("cpu")
    network = _start(plan, trial.series, make_network, private=epsilon is not None, seed=seed)
    federate(
        network,
        trial.series,
        trial.cohort,
        _mechanism(plan, max(trial.cohort.size_classes), epsilon, rule),
        training=plan.training(private=epsilon is not None),
        cap=plan.federation.weight_cap,
        noise=SeededNoise(np.random.default_rng([seed, trial.day])),
        device=device,
        num_threads=os.cpu_count() or 1,
        optimizer=optimizer,
    )
    scores: dict[str, float | None] = score_part(forecast_demand(network, trial.series, device=device), trial)["all"]
    return scores


def _start(
    plan: Plan, series: Series, make_network: Callable[[Series], Network] | None, *, private: bool, seed: int
) -> Network:
    if make_network is None:
        return start_training(plan, series, seed=seed, private=private)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_network(series)


def _mechanism(plan: Plan, largest_size_class: int, epsilon: float | None, rule: ClippingRule | None) -> Mechanism:
    if epsilon is None:
        return Mechanism(None, 0.0)
    delta = plan.privacy.delta or delta_for(largest_size_class)
    sigma = noise_multiplier_for(epsilon=epsilon, delta=delta, num_rounds=plan.privacy.training.num_rounds)
    planned = Mechanism(plan.privacy.clipping_norm, sigma, rule=clipping_rule(plan.privacy.clipping_rule))
    return planned if rule is None else replace(planned, rule=rule)
