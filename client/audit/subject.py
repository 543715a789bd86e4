"""What is audited: copies of one merchant's raw rows, its terms, and the very way from rows to a reply.

Everything here goes through the functions that training goes through; an audit with a pipeline of its own
would find its own faults. What the coordinator would send (parameters, round number) is made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from flwr.app import ArrayRecord, RecordDict
from jaxtyping import Float32, Int64
from torch import Tensor

from client.account.policy import Policy
from client.data.rows import read_rows
from client.round.answers import Answers, Merchant
from common.data.panel import Panel, as_text, build_panel, find_active
from common.errors import DataError, PrivacyError
from common.message.record import hash_vector
from common.message.round import RoundRequest, decode_reply, encode_request
from common.model.demand_gru import get_vector
from common.model.features import Series, build_series
from common.model.warm.start import start_training
from common.plan.schema import Plan
from common.privacy.accounting import noise_multiplier_for
from common.privacy.clipping_rule import clipping_rule
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource

MOST_ENTITIES = 130  # three chunks: enough for a newcomer to move others from one chunk to the next
AWAKE = 0.1  # a fresh output layer is zero, and then so is nearly every other gradient


@dataclass(frozen=True)
class AuditSubject:
    """A merchant's data and terms.

    Attributes
    ----------
    rows
        Raw rows of this merchant alone, as they were read. Copies: nothing is written back.
    origin
        First day that training may not see.
    mechanism
        What runs in every round.
    num_rounds
        The rounds that are paid for.
    epsilon, delta
        What all rounds together are claimed to cost.

    Raises
    ------
    PrivacyError
        If the mechanism promises nothing.
    DataError
        If fewer than two entities are left.
    """

    plan: Plan
    rows: pd.DataFrame = field(repr=False)
    origin: date
    mechanism: Mechanism
    num_rounds: int
    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if self.mechanism.clipping_norm is None or self.mechanism.noise_multiplier == 0:
            raise PrivacyError("Training without noise promises nothing, so there is nothing to audit.")
        if len(self.panel(self.rows).entities) < 2:
            raise DataError("An audit takes entities away: it needs at least 2 of them; choose another merchant.")

    @property
    def clipping_norm(self) -> float:
        """The bound on one entity's contribution."""
        if self.mechanism.clipping_norm is None:
            raise PrivacyError("Training without clipping promises nothing.")
        return self.mechanism.clipping_norm

    def panel(self, rows: pd.DataFrame) -> Panel:
        """Lay raw rows out by day."""
        return build_panel(rows, self.plan.data)

    def series(self, rows: pd.DataFrame) -> Series:
        """Go from raw rows to what a round reads."""
        panel = self.panel(rows)
        day = panel.day_of(self.origin)
        return build_series(panel.select(find_active(panel, self.plan.data, day)), self.plan.model, day)

    def request(self, series: Series, round_number: int) -> RoundRequest:
        """Ask for one round as a coordinator would, at parameters at which every layer has a gradient."""
        start = get_vector(start_training(self.plan, series, seed=0, private=True))
        generator = torch.Generator().manual_seed(round_number)
        parameters = start + AWAKE * torch.randn(len(start), generator=generator)
        return RoundRequest(self.plan.run_hash(private=True), round_number, hash_vector(parameters), parameters)

    def merchant(
        self, series: Series, *, mechanism: Mechanism, noise: NoiseSource, num_rounds: int | None = None
    ) -> Merchant:
        """Give the merchant with `series` as its data."""
        return Merchant(self.plan, num_rounds or self.num_rounds, series, mechanism, noise, torch.device("cpu"))


@dataclass(frozen=True)
class Reply:
    """One reply as the coordinator sees it.

    Attributes
    ----------
    total
        The noised sum, in lattice steps.
    rest
        Everything else that crossed the wire.
    """

    total: Int64[Tensor, " parameter"]
    rest: tuple[object, ...]


def ask(answers: Answers, request: RoundRequest) -> Reply:
    """Ask for a round and take the reply apart.

    Raises
    ------
    MessageError
        The reply is not what the wire format allows, or the merchant refused.
    """
    content = answers.answer(encode_request(request))
    reply = decode_reply(content, size=len(request.parameters))
    return Reply(reply.total, _without_values(content, num_bytes=8 * len(reply.total)))


def _without_values(content: RecordDict, *, num_bytes: int) -> tuple[object, ...]:
    """Write down every field of a reply except the numbers of its one vector."""
    rest: list[object] = []
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            for key, array in record.items():
                rest += [name, key, array.dtype, tuple(array.shape), array.stype, array.data[:-num_bytes]]
        else:
            rest += [name, repr(dict(record))]
    return tuple(rest)


class Silence:
    """Noise frozen at zero that notes what was asked of it: how many coordinates, and of what deviation."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    def integers(self, size: int, std: float) -> Int64[Tensor, " parameter"]:
        """Return `size` zeros."""
        self.asked.append((size, std))
        return torch.zeros(size, dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class CanaryMechanism(Mechanism):
    """The mechanism, with records planted into every release that no entity stands behind.

    Attributes
    ----------
    canaries
        Gradients; each is clipped, truncated and added as an entity's is.
    """

    canaries: Float32[Tensor, "canary parameter"]

    def release(self, total: Int64[Tensor, " parameter"], noise: NoiseSource) -> Int64[Tensor, " parameter"]:
        """Release the sum over the entities and the canaries."""
        return super().release(total + self.contribution(self.canaries), noise)


def sample_entities(rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Copy the rows of at most `MOST_ENTITIES` entities, evenly spread over their names."""
    names = build_panel(rows, plan.data).entities
    kept = names[np.unique(np.linspace(0, len(names) - 1, MOST_ENTITIES).astype(int))]
    return rows[np.isin(as_text(rows[plan.data.entity]), kept)]


def make_subject(plan: Plan, data_root: Path, policy: Policy) -> AuditSubject:
    """Copy the merchant's rows, and take the noise that spends the policy's epsilon on the whole plan."""
    epsilon, delta = policy.plan.epsilon, policy.budget.delta
    num_rounds = plan.privacy.training.num_rounds
    sigma = noise_multiplier_for(epsilon=epsilon, delta=delta, num_rounds=num_rounds)
    return AuditSubject(
        plan,
        sample_entities(read_rows(plan.data, data_root), plan),
        plan.evaluation.origins[0],
        Mechanism(plan.privacy.clipping_norm, sigma, rule=clipping_rule(plan.privacy.clipping_rule)),
        num_rounds,
        epsilon,
        delta,
    )
