"""What runs beside: Flower's simulation of one federation, and what its workers do.

Notable here:

- The ClientApp and the rounds are those of a deployment. A worker that gets a message makes the
  merchant's ClientApp, and forgets it afterwards: the next message may go to another worker.
- Each merchant's entities lie in Ray's object store, and travel only to workers that answer for it.
- Flower's nodes have random ids, so the server first asks each which merchant it is.
- Noise is drawn from seed, merchant and round, whichever worker draws it: an interrupted run ends like any other.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from client.round.answers import Answers, Merchant, make_client_app
from common.errors import ConfigError, HansaError
from common.model.features import Series
from common.plan.schema import Plan, TrainingPlan
from common.privacy.mechanism import Mechanism
from server.round.aggregation import Terms
from server.round.federation import Federation
from server.round.optimizer import ServerState
from simulation.engine.rounds import run_rounds
from simulation.engine.seeded_noise import SeededNoise

PAUSE_SECONDS = 0.1  # between two looks for Flower's nodes
ASK_SECONDS = 600.0  # the first answer waits until the workers have started
ROUND_SECONDS = 24 * 3600.0  # nobody is late in a simulation
STARTED, JOINED = "started", "joined"  # the first news


@dataclass(frozen=True)
class Job:
    """One federation.

    Attributes
    ----------
    series
        Of each merchant; some may have no entities.
    seed
        Of the simulated noise.
    address
        Of the cluster; empty starts one here.
    """

    plan: Plan
    training: TrainingPlan
    series: tuple[Series, ...]
    size_classes: tuple[int, ...]
    mechanism: Mechanism
    seed: tuple[int, ...]
    device: torch.device
    state: ServerState
    address: str


def run_job(job: Job, log: Path, pipe: Connection) -> None:
    """Run a Job, and tell of it: `STARTED`, `JOINED`, every new state, at last None or a HansaError."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    _write_to(log)
    _tell(pipe, STARTED)
    news: HansaError | None = None
    try:
        _simulate(job, pipe)
    except HansaError as error:
        news = error
    except Exception as error:
        logging.getLogger("flwr").exception("The simulation failed.")
        news = HansaError(f"Flower's simulation failed ({type(error).__name__}); {log} says more.")
    _tell(pipe, news)


def _write_to(log: Path) -> None:
    """Send what Flower and Ray print, in Python or not, to a file."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def _tell(pipe: Connection, news: Any) -> None:
    pipe.send(news)


def _simulate(job: Job, pipe: Connection) -> None:
    _join(job.address)
    _tell(pipe, JOINED)
    shelf = ray.put([ray.put(series) for series in job.series])
    run_simulation(
        server_app=make_server(job, pipe),
        client_app=make_client(job, shelf),
        num_supernodes=len(job.series),
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": float(job.device.type == "cuda")}},
    )


def _join(address: str) -> None:
    settings: dict[str, Any] = {"log_to_driver": False}
    if not address:
        ray.init(address="local", include_dashboard=False, **settings)
        return
    try:
        ray.init(address=address, **settings)
    except Exception as error:  # of a dozen kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ConfigError(f"The Ray cluster at {address} cannot be used ({reason}); mend it or use another.") from error


def make_server(job: Job, pipe: Connection) -> ServerApp:
    """Make the app that finds out which node is which merchant, and runs the rounds of the federation."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        merchant_of = ask_merchants(grid, len(job.series))
        federation = Federation(
            plan=job.plan,
            training=job.training,
            cohort={
                node_id: Terms(job.size_classes[merchant], job.mechanism) for node_id, merchant in merchant_of.items()
            },
            quorum=len(merchant_of),
            timeout_seconds=ROUND_SECONDS,
        )
        run_rounds(grid, federation, job.state, on_round=lambda state, outcome: _tell(pipe, state))

    return app


def ask_merchants(grid: Grid, number: int) -> dict[int, int]:
    """Wait for all nodes and ask each which merchant it is; answers come in the merchants' order.

    Raises
    ------
    HansaError
        A worker failed.
    """
    while len(node_ids := list(grid.get_node_ids())) < number:
        time.sleep(PAUSE_SECONDS)
    questions = [Message(RecordDict(), node_id, MessageType.QUERY) for node_id in node_ids]
    replies = list(grid.send_and_receive(questions, timeout=ASK_SECONDS))
    if len(replies) < number or any(reply.has_error() for reply in replies):
        raise HansaError("Ray's workers do not start; the same Python and hansa must be on every machine.")
    found = [(_number_in(reply), reply.metadata.src_node_id) for reply in replies]
    return {node_id: number for number, node_id in sorted(found)}


def _number_in(reply: Message) -> int:
    return int(str(reply.content.config_records["merchant"]["number"]))


def make_client(job: Job, shelf: ray.ObjectRef[Any]) -> ClientApp:
    """Make the app that becomes, in a worker, the ClientApp of the merchant that a message is for."""
    app = ClientApp()
    plan, num_rounds, mechanism, device, seed = job.plan, job.training.num_rounds, job.mechanism, job.device, job.seed

    @app.query()
    def tell_merchant(message: Message, context: Context) -> Message:
        return Message(RecordDict({"merchant": ConfigRecord({"number": _number(context)})}), reply_to=message)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        torch.set_num_threads(1)
        number, round_number = _number(context), int(message.metadata.group_id)
        noise = SeededNoise(np.random.default_rng([*seed, number, round_number]))
        merchant = Merchant(plan, num_rounds, _series_of(shelf, number), mechanism, noise, device)
        return make_client_app(Answers(merchant).answer)(message, context)

    return app


def _number(context: Context) -> int:
    return int(context.node_config["partition-id"])


def _series_of(shelf: ray.ObjectRef[Any], number: int) -> Series:
    return ray.get(_read(shelf)[number])


@lru_cache(maxsize=1)
def _read(shelf: ray.ObjectRef[Any]) -> list[ray.ObjectRef[Any]]:
    return ray.get(shelf)
