"""A federation whose sums are secure, of separate processes over TLS, and what the same rounds give without masks."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64

from client.account.ledger.ledger import Ledger
from client.data.rows import read_series
from client.round.training import train_round
from client.transparency.sent_messages import departures_of
from common.message.sum_round import SumReply
from common.model.warm.start import start_without_data
from common.plan.reading import parse_plan
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from network.federation import READABLE, SIZE_CLASS, await_true, name_of, plan_text, report, write_sales
from server.registry.registry import Registry
from server.round.aggregation import Terms
from server.round.federation import Federation, take_step
from server.round.optimizer import ServerState, start_state
from server.round.start import start_vector
from server.round.sum_federation import mean_of, skip
from simulation.localhost.processes import Processes

WITHOUT_NOISE = Mechanism(None, 0.0)
LIMITS = """
[sum]
smallest_cohort = 2
verified_peers = 0
colluders = 1
epsilon_if_all_collude = 36.0
"""


def sum_plan_text(name: str, *, rounds: int, threshold: int, colluders: int) -> str:
    trust = f'trust = "sum"\nsum = {{ threshold = {threshold}, colluders = {colluders} }}\n'
    return plan_text(name, rounds=rounds).replace('unit = "product"\n', f'unit = "product"\n{trust}', 1)


def let_members_in(network: Processes, merchants: int, *, data: str = READABLE + LIMITS) -> list[str]:
    names = [name_of(merchant + 1) for merchant in range(merchants)]  # whose commands are no processes of their own
    for merchant, name in enumerate(names):
        write_sales(network.folder / name, merchant)
        network.let_in(name, unit="product", size_class=SIZE_CLASS, epsilon=8.0, data=data, without_noise=True)
    return names


def await_peers(network: Processes, names: list[str], *, seconds: float = 120) -> None:
    """Wait until the coordinator knows everybody's peer key."""
    registry = Registry(network.coordinator / "registry.sqlite")
    try:
        await_true(lambda: set(names) <= set(registry.peer_keys()), seconds=seconds, say=lambda: report(network))
    finally:
        registry.close()


def replay(folder: Path, text: str, rounds: list[dict[str, Any]]) -> ServerState:
    """Do the rounds that a journal tells of without any masks: the same merchants, one after the other."""
    plan: Plan = parse_plan(text)
    state = start_state(start_vector(plan, private=False))
    model = start_without_data(plan, private=False)
    names = sorted({name for line in rounds for name in line["answered"]})
    series = {name: read_series(plan, folder / name) for name in names}
    terms = {number: Terms(SIZE_CLASS, WITHOUT_NOISE) for number in range(1, max(2, len(names) + 1))}
    federation = Federation(plan, plan.federation.training, terms, quorum=1, timeout_seconds=1.0)
    for line in rounds:
        if line["event"] == "skipped":
            state = skip(state, federation)
            continue
        total = torch.zeros(len(state.parameters), dtype=torch.int64)
        for name in line["answered"]:
            total += train_round(
                model,
                series[name],
                state.parameters.to(torch.float32),
                round_number=line["round"],
                mechanism=WITHOUT_NOISE,
                noise=SecureNoise(),
                device=torch.device("cpu"),
            )
        gradient = mean_of(total, WITHOUT_NOISE, size_class=SIZE_CLASS * len(line["answered"]))
        state = take_step(state, gradient, federation)
    return state


def first_total(folder: Path, text: str) -> Int64[torch.Tensor, " parameter"]:
    """Compute what a merchant's sum of the first round is before its masks."""
    plan = parse_plan(text)
    return train_round(
        start_without_data(plan, private=False),
        read_series(plan, folder),
        start_vector(plan, private=False).to(torch.float32),
        round_number=1,
        mechanism=WITHOUT_NOISE,
        noise=SecureNoise(),
        device=torch.device("cpu"),
    )


def sealed_total(folder: Path) -> Int64[torch.Tensor, " parameter"]:
    """Read the first masked sum that a merchant's ledger has sealed."""
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        reply = departures_of(ledger)[0].reply
    assert isinstance(reply, SumReply)
    return reply.total
