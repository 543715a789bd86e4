"""What is audited: copies of one merchant's files, its terms, and the very way from their bytes to a reply.

Everything here goes through the functions that training goes through; an audit with a pipeline of its own
would find its own faults. What the coordinator would send (parameters, round number) is made up.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from flwr.app import ArrayRecord, RecordDict
from jaxtyping import Float32, Int64
from torch import Tensor

from client.account.agreement import Offer, choose_mechanism
from client.account.policy import Policy
from client.account.scope import require_within
from client.audit.source import Source, read_source
from client.data import rows
from client.data.root import DataRoot
from client.round.answers import Answers, Merchant
from client.round.leg import Legs, read_legs
from common.errors import DataError, PrivacyError
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector
from common.model.features import Series
from common.model.warm.start import start_training, start_without_data
from common.plan.schema import DataPlan, Plan
from common.privacy.accounting import epsilon_of
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource

MOST_ENTITIES = 130  # three chunks: enough for a newcomer to move others from one chunk to the next
AWAKE = 0.1  # a fresh output layer is zero, and then so is nearly every other gradient


@dataclass(frozen=True)
class AuditSubject:
    """A merchant's data and terms.

    Attributes
    ----------
    source
        The files of this merchant alone. Copies: nothing is written back.
    mechanism
        What runs in every round.
    num_rounds
        The rounds that are paid for.
    epsilon, delta
        What all rounds together are claimed to cost.
    allowed
        The columns that a round may read, by file; None: all.

    Raises
    ------
    PrivacyError
        If the mechanism promises nothing.
    DataError
        If fewer than two entities are left.
    """

    plan: Plan
    source: Source
    mechanism: Mechanism
    num_rounds: int
    epsilon: float
    delta: float
    allowed: Mapping[str, Collection[str]] | None = None

    def __post_init__(self) -> None:
        if self.mechanism.clipping_norm is None or self.mechanism.noise_multiplier == 0:
            raise PrivacyError("Training without noise promises nothing, so there is nothing to audit.")
        if len(np.unique(self.source.names(self.plan.data.entity))) < 2:
            raise DataError("An audit takes entities away: it needs at least 2 of them; choose another merchant.")

    @property
    def clipping_norm(self) -> float:
        """The bound on one entity's contribution."""
        if self.mechanism.clipping_norm is None:
            raise PrivacyError("Training without clipping promises nothing.")
        return self.mechanism.clipping_norm

    @property
    def noise_share(self) -> int:
        """Honest merchants that add noise to every sum; 1 where each hides its own."""
        return self.plan.privacy.noise_share

    @property
    def origin(self) -> date:
        """First day that training may not see."""
        return self.plan.evaluation.origins[-1]

    def trusting_nobody(self) -> AuditSubject:
        """Give the same merchant and noise under a plan that trusts nobody, at the epsilon that this noise costs alone.

        For the ways that have no sum in them; a plan that trusts nobody stays as it is.
        """
        privacy = self.plan.privacy
        if privacy.trust == "nobody":
            return self
        alone = privacy.model_copy(update={"trust": "nobody", "sum": None})
        mu = math.sqrt(self.num_rounds) / self.mechanism.noise_multiplier
        epsilon = epsilon_of(mu, self.delta) * (1 + 1e-9)
        return replace(self, plan=self.plan.model_copy(update={"privacy": alone}), epsilon=epsilon)

    def own_series(self) -> Series:
        """Read the merchant's own files, up to the last origin."""
        return self.own_legs()[0]

    def own_legs(self) -> Legs:
        """Read the merchant's own files."""
        return self.legs(self.source.content)

    def legs(self, content: bytes, lookups: Mapping[str, bytes] | None = None) -> Legs:
        """Read what a round reads, from the bytes of a file: by the very function that a round calls.

        The copies get names of their own, for a plan's may lead anywhere: to the merchant's own files too.
        """
        files = {**self.source.lookups, **(lookups or {}), self.source.path: content}
        names = _names(*files)
        allowed = None if self.allowed is None else {names[path]: self.allowed.get(path, ()) for path in files}
        with tempfile.TemporaryDirectory() as folder:
            for path, copy in files.items():
                (Path(folder) / names[path]).write_bytes(copy)
            renamed = self.plan.model_copy(update={"data": _renamed(self.plan.data, names)})
            return read_legs(renamed, DataRoot(Path(folder), allowed))

    def relocated(self) -> AuditSubject:
        """Give the files names of their own, by which a plan finds them in any folder that `write` fills."""
        names = _names(self.source.path, *self.source.lookups)
        lookups = {names[path]: content for path, content in self.source.lookups.items()}
        return replace(
            self,
            plan=self.plan.model_copy(update={"data": _renamed(self.plan.data, names)}),
            source=replace(self.source, path=names[self.source.path], lookups=lookups),
            allowed=None if self.allowed is None else {names[path]: self.allowed.get(path, ()) for path in names},
        )

    def request(self, series: Series, round_number: int) -> RoundRequest:
        """Ask for one round as a coordinator would, at parameters at which every layer has a gradient."""
        start = get_vector(start_training(self.plan, series, seed=0, private=True))
        generator = torch.Generator().manual_seed(round_number)
        parameters = start + AWAKE * torch.randn(len(start), generator=generator)
        return RoundRequest(self.plan.run_hash(private=True), round_number, hash_vector(parameters), parameters)

    def merchant(
        self,
        series: Series,
        *,
        mechanism: Mechanism,
        noise: NoiseSource,
        num_rounds: int | None = None,
        rehearsal: Series | None = None,
    ) -> Merchant:
        """Give the merchant with `series` as its data, and `rehearsal` as that of the first leg."""
        rounds, device = num_rounds or self.num_rounds, torch.device("cpu")
        return Merchant(self.plan, rounds, series, mechanism, noise, device, rehearsal=rehearsal)


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
    return Reply(reply.total, without_values(content, num_bytes=8 * len(reply.total)))


def without_values(content: RecordDict, *, num_bytes: int) -> tuple[object, ...]:
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


def _names(*paths: str) -> dict[str, str]:
    return {path: f"{place}{Path(path).suffix}" for place, path in enumerate(dict.fromkeys(paths))}


def _renamed(data: DataPlan, names: Mapping[str, str]) -> DataPlan:
    lookups = tuple(lookup.model_copy(update={"path": names[lookup.path]}) for lookup in data.lookups)
    ahead = tuple(table.model_copy(update={"path": names[table.path]}) for table in data.ahead)
    school = data.school_holidays
    moved = school and school.model_copy(update={"path": names[school.path]})
    beside = {"lookups": lookups, "ahead": ahead, "school_holidays": moved}
    return data.model_copy(update={"path": names[data.path], **beside})


def few_entities(subject: AuditSubject, number: int) -> AuditSubject:
    """Leave all but some entities out, evenly spread over them; what is looked at there does not need many."""
    names = subject.source.names(subject.plan.data.entity)
    every = np.unique(names.astype(str))
    kept = every[np.unique(np.linspace(0, len(every) - 1, number).astype(int))]
    return replace(subject, source=subject.source.keep(np.isin(names.astype(str), kept)))


def sample_entities(source: Source, plan: Plan, entities: np.ndarray) -> Source:
    """Copy the rows of at most `MOST_ENTITIES` of these entities, evenly spread over them."""
    kept = entities[np.unique(np.linspace(0, len(entities) - 1, MOST_ENTITIES).astype(int))]
    return source.keep(np.isin(source.names(plan.data.entity), kept))


def make_subject(plan: Plan, data_root: Path, policy: Policy) -> AuditSubject:
    """Copy the merchant's files, and take the noise that its policy would choose for a round of this plan.

    Raises
    ------
    HansaError
        The policy lets no plan read this, the noise is not allowed, or a file cannot be read.
    """
    require_within(policy, plan)
    offer = Offer(plan, private=True, coordinator="", cohort_size=policy.plan.smallest_cohort)
    mechanism = choose_mechanism(
        policy,
        offer,
        policy.budget.delta,
        num_coordinates=len(get_vector(start_without_data(plan, private=True))),
    )
    root = DataRoot(data_root, policy.readable)
    panel = rows.read(plan.data, root).panel
    return AuditSubject(
        plan,
        sample_entities(read_source(plan.data, root), plan, panel.entities),
        mechanism,
        plan.privacy.training.num_rounds,
        policy.plan.epsilon,
        policy.budget.delta,
        allowed=policy.readable,
    )
