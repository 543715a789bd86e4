"""By messages a federation that trusts the sum comes to what the fast engine comes to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from common.forecast.method import Method
from common.plan.schema import TrainingPlan
from simulation.engine.cluster.engine import Cluster
from simulation.method.method import Progress, run_method
from simulation.method.summed import terms_of

NEARLY_WITHOUT_NOISE = Method("federated", 1e6, trusts_sum=True)
# Adam would make a step as long as any other of a coordinate that has noise alone.
TRAINING = TrainingPlan(num_rounds=3, optimizer="momentum", learning_rate=1.0)


def test_messages_and_the_fast_engine_train_the_same_model(make_small_trial, sales, tmp_path: Path):
    trial = make_small_trial(sales)
    privacy = trial.plan.privacy.model_copy(update={"sum_training": TRAINING})
    trial = replace(trial, plan=trial.plan.model_copy(update={"privacy": privacy}))
    losses: list[float] = []
    progress = Progress(on_round=lambda state, loss: losses.append(loss))
    forecasts = [
        run_method(method, trial, seed=0, device=torch.device("cpu"), progress=progress, cluster=cluster).forecast
        for method, cluster in (
            (NEARLY_WITHOUT_NOISE, Cluster("", tmp_path / "flower.log")),
            (NEARLY_WITHOUT_NOISE, None),
            (Method("anchor"), None),
        )
    ]
    slow, fast, untrained = (forecast.mean for forecast in forecasts)
    moved = np.abs(fast - untrained).max()
    assert moved > 0.01
    assert np.abs(slow - fast).max() < 0.05 * moved
    assert np.isnan(losses).tolist() == [True] * 3 + [False] * 3


def test_without_terms_in_the_plan_those_that_are_usual_are_taken(make_small_trial, sales):
    terms = terms_of(make_small_trial(sales))
    assert (terms.threshold, terms.colluders) == (3, 1)
