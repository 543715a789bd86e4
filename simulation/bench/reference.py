"""The usual way: Flower's Ray simulation and Opacus' DPGRU, one client at a time, as Flower's own example has it.

Same model size, entities and number of steps as our rounds. Ray and the actors start before the first round; that
time stands apart.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from functools import lru_cache

import ray
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer

from common.errors import ConfigError
from common.model.demand_gru import DemandGRU, entity_losses
from common.model.features import Examples, cut_training
from simulation.bench.cpu import cpu_seconds
from simulation.bench.model import with_opacus_gru
from simulation.bench.shop import draw_series, new_model

LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Reference:
    """What the usual way took."""

    start_up_seconds: float
    seconds_per_round: float
    cpu_seconds_per_round: float  # of all its processes


def time_reference(merchants: int, *, rounds: int, cores: int) -> Reference:
    """Run some rounds, the first of which counts as start-up, on a cluster that this starts.

    Raises
    ------
    ConfigError
        The cluster does not start.
    """
    logging.getLogger("flwr").setLevel(logging.ERROR)
    ends, cpu = list[float](), list[float]()
    started = time.perf_counter()
    _start_ray(cores)
    run_simulation(
        server_app=make_server(1 + rounds, ends, cpu),
        client_app=make_client(),
        num_supernodes=merchants,
        backend_config={
            "client_resources": {"num_cpus": cores, "num_gpus": 0.0},
        },
    )
    return Reference(ends[0] - started, (ends[-1] - ends[0]) / rounds, (cpu[-1] - cpu[0]) / rounds)


def _start_ray(cores: int) -> None:
    """Start a cluster here: where Flower starts it and fails, a thread of its own waits for ever."""
    try:
        ray.init(address="local", num_cpus=cores, log_to_driver=False, include_dashboard=False)
    except Exception as error:  # of a dozen kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ConfigError(f"Ray does not start ({reason}); try again when the machine has less to do.") from error


def make_server(num_rounds: int, ends: list[float], cpu: list[float]) -> ServerApp:
    """Average the clients' models with equal weights; note when each round ended, and the CPU seconds until then."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        state = _new_model().state_dict()
        for number in range(num_rounds):
            replies = grid.send_and_receive(
                [
                    Message(
                        RecordDict({"model": ArrayRecord(state), "round": ConfigRecord({"number": number})}),
                        dst_node_id=node_id,
                        message_type="train",
                    )
                    for node_id in grid.get_node_ids()
                ]
            )
            models = [reply.content.array_records["model"].to_torch_state_dict() for reply in replies]
            state = {name: torch.stack([model[name] for model in models]).mean(0) for name in state}
            ends.append(time.perf_counter())
            cpu.append(cpu_seconds(os.getpid()))

    return app


def make_client() -> ClientApp:
    """One private step over all records of the client, by Opacus."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        torch.set_num_threads(1)
        model = _new_model()
        model.load_state_dict(message.content.array_records["model"].to_torch_state_dict())
        examples = _examples_of(int(context.node_config["partition-id"]))
        hooked = GradSampleModule(model, loss_reduction="sum")
        optimizer = DPOptimizer(
            torch.optim.Adam(hooked.parameters(), lr=LEARNING_RATE),
            noise_multiplier=1.0,
            max_grad_norm=1.0,
            expected_batch_size=len(examples.inputs),
            loss_reduction="mean",
        )
        losses = entity_losses(hooked, model.likelihood, examples)
        losses.sum().backward()
        optimizer.step()
        return Message(RecordDict({"model": ArrayRecord(model.state_dict())}), reply_to=message)

    return app


@lru_cache
def _examples_of(merchant: int) -> Examples:
    return cut_training(draw_series(1, seed=merchant), 1)


def _new_model() -> DemandGRU:
    return with_opacus_gru(new_model(draw_series(1)))
