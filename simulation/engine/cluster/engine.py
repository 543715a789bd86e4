"""The engine that `--engine flower` names: a federation on Flower's simulation, in a process beside this one.

Neither Flower nor Ray listens to a signal while it waits for a cluster that does not answer. A process can be killed;
a cluster that it started goes with it, and one that was there before clears away what it left.
"""

from __future__ import annotations

import importlib.util
import math
import multiprocessing
import socket
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from common.errors import ConfigError, HansaError
from common.model.demand_gru import DemandGRU, get_vector, set_vector
from common.model.features import Series
from common.plan.schema import Plan, TrainingPlan
from common.privacy.mechanism import Mechanism
from server.round.optimizer import ServerState, start_state
from simulation.engine.batch import Cohort
from simulation.engine.in_process import split

if TYPE_CHECKING:
    from simulation.engine.cluster.job import Job

CONNECT_SECONDS, JOIN_SECONDS = 5.0, 15.0  # a dead or mute address is told within 30 seconds
GRACE_SECONDS = 3.0  # for an end in good order
START_SECONDS = 180.0  # for what starts on this machine, however busy it is


@dataclass(frozen=True)
class Cluster:
    """Where Flower's simulation runs.

    Attributes
    ----------
    address
        HOST:PORT or ray://HOST:PORT of a cluster; empty starts one on this machine for each federation.
    log
        File for what Flower and Ray say.
    """

    address: str
    log: Path


def check_cluster(cluster: Cluster) -> None:
    """Refuse to start where Ray is not installed or nobody listens at the address.

    Raises
    ------
    ConfigError
        In these cases, or if the address is none.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--engine flower needs Ray, which is not installed: pip install 'hansa[ray]'.")
    if cluster.address:
        _check_address(cluster.address)


def _check_address(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{address} is no address of a Ray cluster; write HOST:PORT or ray://HOST:PORT.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise _unanswered(address, error.strerror or str(error)) from error


def _unanswered(address: str, reason: str) -> ConfigError:
    return ConfigError(
        f"No Ray cluster answers at {address} ({reason}); start one there with `ray start --head`, "
        "or leave the address out to start one here."
    )


def federate_on_cluster(
    model: DemandGRU,
    series: Series,
    cohort: Cohort,
    mechanism: Mechanism,
    *,
    plan: Plan,
    training: TrainingPlan,
    seed: tuple[int, ...],
    device: torch.device,
    cluster: Cluster,
    state: ServerState | None = None,
    on_round: Callable[[ServerState, float], None] = lambda state, loss: None,
) -> ServerState:
    """Run all rounds, from `state` where one is given, and leave the averaged model in `model`.

    Parameters
    ----------
    seed
        Of the simulated noise.
    device
        Where workers compute gradients; each takes one GPU for itself if it is CUDA.
    on_round
        Called after each round with the new state and NaN: no merchant tells its loss.

    Raises
    ------
    HansaError
        The cluster does not answer, or a merchant's worker failed.
    """
    from simulation.engine.cluster.job import Job

    state = state or start_state(get_vector(model).cpu())
    parts = tuple(split(series, cohort))
    job = Job(plan, training, parts, cohort.size_classes, mechanism, seed, device, state, cluster.address)
    with closing(_run_beside(job, cluster)) as states:
        for state in states:
            on_round(state, math.nan)
    set_vector(model.to(device), state.average.to(device, torch.float32))
    return state


def _run_beside(job: Job, cluster: Cluster) -> Generator[ServerState]:
    """Give the state after every round, as a process of its own comes to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run_job, args=(job, cluster.log, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        _hear(ours, cluster)
        if not ours.poll(JOIN_SECONDS if job.address else START_SECONDS):
            raise _unanswered(job.address or "this machine", f"not in time; {cluster.log} says more")
        _hear(ours, cluster)
        while (state := _hear(ours, cluster)) is not None:
            yield state
    finally:
        process.terminate()  # so that a cluster of its own is taken down
        process.join(GRACE_SECONDS)
        process.kill()
        process.join()


def _run_job(job: Job, log: Path, pipe: Connection) -> None:
    from simulation.engine.cluster.job import run_job

    run_job(job, log, pipe)


def _hear(pipe: Connection, cluster: Cluster) -> Any:
    try:
        news = pipe.recv()
    except EOFError:
        raise HansaError(f"Flower's simulation died; {cluster.log} may say why. Go on with --resume.") from None
    if isinstance(news, HansaError):
        raise news
    return news
