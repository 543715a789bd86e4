"""Flower's simulation on Ray finds what the fast engine finds; a cluster that is not there is told in a sentence."""

import importlib.util
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from common.errors import ConfigError
from common.model.demand_gru import DemandGRU, get_vector, make_model
from common.privacy.mechanism import Mechanism
from server.round.optimizer import BETA_1, ServerState, start_state
from simulation.engine.batch import federate, round_weights
from simulation.engine.cluster.engine import Cluster, check_cluster, federate_on_cluster
from simulation.engine.seeded_noise import SeededNoise
from simulation.origin.origin import Trial

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'hansa[ray]'")
CPU = torch.device("cpu")
SILENT = Mechanism(0.5, 0.0)


@pytest.fixture
def mute() -> Iterator[str]:
    """Give the address of somebody who listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def dead() -> str:
    """Give an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def on_cluster(trial: Trial, mechanism: Mechanism, cluster: Cluster, **terms: Any) -> list[ServerState]:
    """Run all rounds on Flower's simulation, and give the state after each."""
    heard: list[ServerState] = []
    federate_on_cluster(
        model_of(trial),
        trial.series,
        trial.cohort,
        mechanism,
        plan=trial.plan,
        training=trial.plan.privacy.training,
        seed=(1, trial.day),
        device=CPU,
        cluster=cluster,
        on_round=lambda state, loss: heard.append(state),
        **terms,
    )
    return heard


def one_round(trial: Trial, mechanism: Mechanism, before: ServerState) -> ServerState:
    """Run the round after a state on the fast engine."""
    heard: list[ServerState] = []
    federate(
        model_of(trial),
        trial.series,
        trial.cohort,
        mechanism,
        training=trial.plan.privacy.training,
        cap=trial.plan.federation.weight_cap,
        noise=SeededNoise(np.random.default_rng(1)),
        device=CPU,
        state=before,
        on_round=lambda state, loss: heard.append(state),
    )
    return heard[0]


def gradient(before: ServerState, after: ServerState) -> Tensor:
    """Read a round's aggregated gradient off Adam's running mean."""
    return (after.first_moment - BETA_1 * before.first_moment) / (1 - BETA_1)


def model_of(trial: Trial) -> DemandGRU:
    sizes = {"num_features": trial.series.num_features, "num_future": trial.series.num_future}
    return make_model(trial.plan.model, **sizes, seed=0)


@needs_ray
@pytest.mark.slow
def test_flowers_simulation_finds_what_the_fast_engine_finds(
    make_small_trial: Callable[..., Trial], sales: Any, tmp_path: Path
) -> None:
    trial, cluster = make_small_trial(sales), Cluster("", tmp_path / "flower.log")
    states = [start_state(get_vector(model_of(trial))), *on_cluster(trial, SILENT, cluster)]
    assert [state.round_number for state in states] == [0, 1, 2, 3]
    per_entity = round_weights(trial.cohort, SILENT, cap=trial.plan.federation.weight_cap)[trial.cohort.merchant_of]
    lost = SILENT.lattice_step * float(per_entity.sum())
    for before, after in pairwise(states):
        slow, fast = gradient(before, after), gradient(before, one_round(trial, SILENT, before))
        rounding = 1e-6 * torch.linalg.vector_norm(slow)  # of single precision, on either path
        assert bool(((fast - slow).abs() <= lost + rounding).all())
        assert torch.linalg.vector_norm(slow) > 0.01 * 0.5


@needs_ray
@pytest.mark.slow
def test_noise_on_a_cluster_is_the_same_for_an_interrupted_run(
    make_small_trial: Callable[..., Trial], sales: Any, tmp_path: Path
) -> None:
    trial, cluster = make_small_trial(sales), Cluster("", tmp_path / "flower.log")
    noisy = Mechanism(0.5, 2.0)
    whole = on_cluster(trial, noisy, cluster)
    rest = on_cluster(trial, noisy, cluster, state=whole[0])
    assert [state.round_number for state in rest] == [2, 3]
    assert torch.equal(rest[-1].parameters, whole[-1].parameters)
    start = start_state(get_vector(model_of(trial)))
    noise = gradient(start, whole[0]) - gradient(start, one_round(trial, SILENT, start))
    weights = round_weights(trial.cohort, noisy, cap=trial.plan.federation.weight_cap)
    assert float(noise.std()) == pytest.approx(noisy.noise_std * float(weights.square().sum().sqrt()), rel=0.25)


@needs_ray
@pytest.mark.slow
def test_the_command_runs_federations_on_a_cluster_that_it_starts(
    hansa_sim: Callable[..., Any], write_plan: Callable[..., Path], tables: Path, tmp_path: Path
) -> None:
    plan = write_plan()
    for engine in ("flower", "fast"):
        out = tmp_path / engine
        done = hansa_sim("run", plan, "--out", out, "--data-root", tables, "--only", "federated", "--engine", engine)
        assert done.code == 0, done.stderr
    flower, quick = (json.loads((tmp_path / engine / "summary.json").read_text()) for engine in ("flower", "fast"))
    for metric, value in quick["methods"]["federated"].items():
        assert flower["methods"]["federated"][metric] == pytest.approx(value, rel=1e-4)


@needs_ray
def test_a_dead_address_is_told_in_one_sentence_and_at_once(
    hansa_sim: Callable[..., Any], write_plan: Callable[..., Path], tables: Path, tmp_path: Path, dead: str
) -> None:
    flower = ("--engine", "flower", "--ray-address", dead)
    started = time.monotonic()
    done = hansa_sim("run", write_plan(), "--out", tmp_path / "out", "--data-root", tables, *flower)
    assert done.code == 2
    assert f"No Ray cluster answers at {dead}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - started < 10
    assert not (tmp_path / "out").exists()


@needs_ray
@pytest.mark.slow
def test_an_address_that_answers_nothing_is_given_up_within_30_seconds(
    make_small_trial: Callable[..., Trial], sales: Any, tmp_path: Path, mute: str
) -> None:
    trial, cluster = make_small_trial(sales), Cluster(mute, tmp_path / "flower.log")
    check_cluster(cluster)
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"No Ray cluster answers|cannot be used"):
        on_cluster(trial, SILENT, cluster)
    assert time.monotonic() - started < 30


@needs_ray
@pytest.mark.parametrize("address", ["here", "here:", ":6379", "here:port", "here:0", "here:70000"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no address of a Ray cluster; write HOST:PORT"):
        check_cluster(Cluster(address, tmp_path / "flower.log"))


def test_without_ray_the_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match=r"pip install 'hansa\[ray\]'"):
        check_cluster(Cluster("", tmp_path / "flower.log"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--engine", "slow"), "--engine slow is none of fast, flower."),
        (("--ray-address", "here:6379"), "--ray-address goes with --engine flower"),
    ],
)
def test_engines_that_are_none_are_refused(
    hansa_sim: Callable[..., Any],
    write_plan: Callable[..., Path],
    tmp_path: Path,
    options: tuple[str, str],
    sentence: str,
) -> None:
    done = hansa_sim("run", write_plan(), "--out", tmp_path / "out", *options)
    assert done.code == 2
    assert sentence in done.stderr
