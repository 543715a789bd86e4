"""A small federation of separate processes over TLS, and what the same rounds give in one process."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from client.data.rows import read_series
from client.round.answers import Answers, Merchant, make_client_app
from common.message.release import parse_note
from common.plan.reading import parse_plan
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from server.coordinator.journal import Journal
from server.registry.registry import Registry
from server.round.aggregation import Terms
from server.round.federation import Federation
from server.round.optimizer import start_state
from server.round.start import start_vector
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.rounds import run_rounds
from simulation.localhost.processes import Processes

PLAN = """
name = "{name}"

[data]
path = "sales.csv"
rows = "panel"
entity = "product"
time = "date"
target = {{ aggregate = "sum", column = "units" }}
start = 2024-01-01
end = 2024-04-30
known = [{{ column = "promotion" }}]

[model]
step = "day"
horizon_days = 7
likelihood = "negative_binomial"
hidden_size = 8
decoder_size = 8
window_steps = 30
positions = 4
season = false
anchor = {{ half_life_days = 28.0, by_weekday = true, regime = "promotion" }}

[privacy]
unit = "product"
training = {{ num_rounds = {rounds}, learning_rate = 0.01, ema = 0.5 }}

[federation]
training = {{ num_rounds = {rounds}, learning_rate = 0.02, ema = 0.5 }}

[evaluation]
origins = [2024-04-10]
methods = ["federated"]
"""
SIZE_CLASS = 32
READABLE = """
[data]
entity = "product"

[data.files]
"sales.csv" = ["product", "date", "units", "promotion"]
"""


def plan_text(name: str, *, rounds: int = 10) -> str:
    return PLAN.format(name=name, rounds=rounds)


def write_sales(folder: Path, merchant: int, *, products: int = 6) -> None:
    """Invent a merchant's rows; the product's names are canaries that no other place may hold."""
    generator = np.random.default_rng(merchant)
    days = pd.date_range("2024-01-01", "2024-04-30")
    rows = [
        {
            "product": canary(merchant, product),
            "date": day.date().isoformat(),
            "units": int(generator.poisson(1.0 + product)),
            "promotion": int(generator.random() < 0.2),
        }
        for product in range(products)
        for day in days
    ]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "sales.csv", index=False)


def canary(merchant: int, product: int) -> str:
    return f"CANARY{merchant}x{product}YRANAC"


def name_of(merchant: int) -> str:
    return f"merchant-{merchant}"


def let_everyone_in(network: Processes, merchants: int, *, epsilon: float = 8.0) -> list[str]:
    names = [name_of(merchant) for merchant in range(merchants)]
    for merchant, name in enumerate(names):
        write_sales(network.folder / name, merchant)
        network.let_in(name, unit="product", size_class=SIZE_CLASS, epsilon=epsilon, data=READABLE, without_noise=True)
    return names


def launch(network: Processes, text: str, *words: str) -> int:
    file = network.folder / "plan.toml"
    file.write_text(text)
    return int(network.server("launch", str(file), *words)["launch"])


def await_launch(network: Processes, number: int, *, received_by: list[str], seconds: float = 240) -> dict[str, Any]:
    """Wait until a launch is over and its model is on the disks of these merchants."""

    def is_done() -> bool:
        status = network.status()
        found = next(found for found in status["launches"] if found["number"] == number)
        models = [model for model in status["models"] if model["launch"] == number]
        return found["state"] == "finished" and bool(models) and set(received_by) <= set(models[0]["received_by"])

    await_true(is_done, seconds=seconds, say=lambda: report(network))
    return next(found for found in network.status()["launches"] if found["number"] == number)


def await_true(look: Callable[[], bool], *, seconds: float, say: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, say()
        time.sleep(0.4)


def report(network: Processes) -> str:
    """Put together what everybody said last, for a test that failed."""
    logs = sorted(network.folder.glob("*/process.log")) + sorted(network.coordinator.glob("logs/*.log"))
    last = "\n".join(f"== {log}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)
    return f"{json.dumps(network.status(), indent=1)[-3000:]}\n{last}"


def journal(network: Processes, number: int) -> list[dict[str, Any]]:
    """Read what the coordinator wrote down; a line that a crash or a full disk cut short is none."""
    return Journal(network.coordinator / "launches" / f"{number:04d}" / "journal.jsonl").read()


def released_model(network: Processes, number: int) -> torch.Tensor:
    """Return the model that the coordinator released, as every merchant has it on its disk."""
    from server.coordinator.delivery import read_parameters
    from server.folder import CoordinatorFolder

    home = CoordinatorFolder(network.coordinator)
    registry = Registry(home.registry)
    model = next(found for found in registry.models() if found.launch == number)
    assert parse_note(model.signed.content).round_number == model.round_number
    registry.close()
    return read_parameters(home, model)


def run_in_process(folder: Path, names: list[str], text: str) -> torch.Tensor:
    """Run the same rounds without noise in one process, on the same files; return the averaged model."""
    plan: Plan = parse_plan(text)
    mechanism = Mechanism(None, 0.0)
    merchants = [
        Merchant(
            plan,
            plan.federation.training.num_rounds,
            read_series(plan, folder / name),
            mechanism,
            SecureNoise(),
            torch.device("cpu"),
        )
        for name in names
    ]
    grid = InProcessGrid(
        {
            name: (make_client_app(Answers(merchant).answer), make_context(2 + i))
            for i, (name, merchant) in enumerate(zip(names, merchants, strict=True))
        }
    )
    federation = Federation(
        plan=plan,
        training=plan.federation.training,
        cohort={node_id: Terms(SIZE_CLASS, mechanism) for node_id in grid.get_node_ids()},
        quorum=len(names),
        timeout_seconds=600.0,
    )
    final = run_rounds(grid, federation, start_state(start_vector(plan, private=False)))
    return final.average.to(torch.float32)


def redirect(network: Processes, name: str, port: int) -> None:
    """Send a merchant to another door than the one it was welcomed at."""
    file = network.folder / name / "federation.json"
    file.write_text(file.read_text().replace(f"127.0.0.1:{network.port}", f"127.0.0.1:{port}"))


def kill(network: Processes, name: str) -> None:
    network.stop(name, signal.SIGKILL)
