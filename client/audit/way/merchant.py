"""A merchant of an audit: a scratch folder with policy, ledger and copies of the data, and the real handlers.

Its coordinator never was: a key that is made here signs the proposal and the release, and is forgotten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from certs.request import Welcome
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.policy import LARGEST_EPSILON
from client.account.starter import columns_there, write_section
from client.audit.subject import AuditSubject
from client.daemon.handlers import Handlers
from client.daemon.membership import JoinedFederation
from client.data.root import DataRoot
from client.folder import MerchantFolder
from client.round import answers
from common.message import proposal, release
from common.message.proposal import Proposal, encode_signed
from common.message.release import Release, ReleaseMember, ReleaseNote, encode_release
from common.message.round import RoundRequest, encode_request
from common.message.signature import name_key, public_bytes, sign
from common.message.vector import hash_vector
from common.message.wire import from_wire, to_wire
from common.plan.reads import columns_in
from common.plan.schema import DataPlan, Plan
from common.privacy.accounting import delta_for

DATASET = "audit"
LEAST_ROUNDS = 130  # a plan of fewer is made longer, so that what begins late shows
COHORT = 3
POLICY = """
dataset = "{dataset}"
unit = "{unit}"
size_class = {size_class}

[budget]
epsilon = {most}
period_epsilon = {most}
period_days = 365
delta = {delta!r}

[plan]
epsilon = {epsilon!r}
smallest_noise_multiplier = 1e-6
largest_num_rounds = {num_rounds}
smallest_cohort = 1

[approval]
coordinators = ["{coordinator}"]

[approval.automatic]
largest_num_rounds = {num_rounds}
smallest_cohort = 1
"""


@dataclass(frozen=True)
class ScratchMerchant:
    """A folder in which a merchant of an audit lives, and what its coordinator would say.

    Attributes
    ----------
    subject
        With the names that its files have in the folder, and as many rounds as are walked.
    """

    folder: Path
    subject: AuditSubject
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def plan(self) -> Plan:
        """What is proposed."""
        return self.subject.plan

    @property
    def home(self) -> MerchantFolder:
        """Where policy and ledger are."""
        return MerchantFolder(self.folder)

    @contextmanager
    def opened(self) -> Iterator[OpenMerchant]:
        """Begin as a daemon begins: the ledger, the handlers, and the plans that were accepted before."""
        with closing(Ledger(self.home.ledger)) as ledger:
            handlers = Handlers(
                self.home, _federation(self.folder), ledger, data_root=self.folder, device=torch.device("cpu")
            )
            handlers.resume()
            yield OpenMerchant(handlers, ledger)

    def in_folder(self, folder: Path) -> ScratchMerchant:
        """Name the same merchant in a copy of its folder."""
        return replace(self, folder=folder)

    def proposal(self, plan: Plan | None = None) -> RecordDict:
        """Propose the plan, or another one."""
        offered = Proposal(plan=plan or self.plan, private=True, cohort_size=COHORT)
        return encode_signed(sign(offered.to_bytes(), self.key, purpose=proposal.PURPOSE))

    def release(self, parameters: torch.Tensor, *, plan: Plan | None = None) -> RecordDict:
        """Hand out a model."""
        note = ReleaseNote(
            plan=plan or self.plan,
            private=True,
            round_number=self.subject.num_rounds,
            model_hash=hash_vector(parameters),
            num_parameters=len(parameters),
            released_at=datetime.now(UTC),
            members=(ReleaseMember(size_class=1, noise_multiplier=1.0, num_rounds=1),),
            software="audit",
        )
        signed = sign(note.to_bytes(), self.key, purpose=release.PURPOSE)
        return encode_release(Release(signed, parameters))


@dataclass(frozen=True)
class OpenMerchant:
    """A merchant at work."""

    handlers: Handlers
    ledger: Ledger

    def round(self, request: RoundRequest) -> bytes:
        """Ask for a round; what returns are the bytes that leave."""
        return leave(self.handlers.answer, encode_request(request))

    def count_lines(self) -> int:
        """Count the lines of the ledger."""
        return len(self.ledger.entries)


def leave(answer: Callable[[RecordDict], RecordDict], content: RecordDict) -> bytes:
    """Ask something as the daemon asks it; give the bytes that leave.

    Raises
    ------
    MessageError
        It is declined; nothing else leaves then but that word.
    """
    with answers.declining():  # looked up anew: the one that the daemon's app uses
        return to_wire(answer(content))


def lay_out(
    subject: AuditSubject,
    folder: Path,
    *,
    key: Ed25519PrivateKey | None = None,
    content: bytes | None = None,
    lookups: Mapping[str, bytes] | None = None,
) -> ScratchMerchant:
    """Make a merchant's folder, with a neighbour's files where `content` gives them.

    Its policy gives the plan the epsilon and delta that are claimed.
    """
    key, walked = key or Ed25519PrivateKey.generate(), _lengthened(subject.relocated())
    names = dict(zip(subject.source.lookups, walked.source.lookups, strict=True))
    folder.mkdir()
    (folder / walked.source.path).write_bytes(walked.source.content if content is None else content)
    for path, own in {**subject.source.lookups, **(lookups or {})}.items():
        (folder / names[path]).write_bytes(own)
    merchant = ScratchMerchant(folder, walked, key)
    merchant.home.policy.write_text(_policy(walked, name_key(public_bytes(key))) + _data(walked.plan.data, folder))
    size_class = _size_class(walked)
    welcome = Welcome(
        federation="audit",
        name="audit",
        address="localhost:1",
        authority="",
        certificate="",
        coordinator=public_bytes(key).hex(),
    )
    federation = JoinedFederation(welcome=welcome, size_class=size_class)
    merchant.home.federation.write_text(json.dumps(federation.model_dump(mode="json")))
    create_ledger(merchant.home.ledger)
    with closing(Ledger(merchant.home.ledger)) as ledger:
        ledger.open_account(DATASET, walked.plan.privacy.unit, delta=_delta(walked), at=now_utc())
    return merchant


def answer_files(folder: Path, files: list[Path]) -> list[str]:
    """Answer the requests in some files in a process of its own; give the SHA-256 of the bytes that leave for each."""
    with closing(Ledger(MerchantFolder(folder).ledger)) as ledger:
        federation = _federation(folder)
        handlers = Handlers(MerchantFolder(folder), federation, ledger, data_root=folder, device=torch.device("cpu"))
        handlers.resume()
        return [
            hashlib.sha256(leave(handlers.answer, from_wire(path.read_bytes()))).hexdigest() for path in sorted(files)
        ]


def _federation(folder: Path) -> JoinedFederation:
    return JoinedFederation.model_validate_json(MerchantFolder(folder).federation.read_text())


def _lengthened(subject: AuditSubject) -> AuditSubject:
    """Walk as many rounds as the plan has, or as one has in which every late round can be seen."""
    num_rounds = max(subject.num_rounds, LEAST_ROUNDS)
    privacy = subject.plan.privacy
    training = privacy.training.model_copy(update={"num_rounds": num_rounds})
    plan = subject.plan.model_copy(update={"privacy": privacy.model_copy(update={"training": training})})
    return replace(subject, plan=plan, num_rounds=num_rounds, epsilon=min(subject.epsilon, LARGEST_EPSILON))


def _size_class(subject: AuditSubject) -> int:
    """Declare the largest class whose delta is as large as the one that is claimed."""
    classes = sorted(subject.plan.privacy.size_classes)
    return max((size for size in classes if delta_for(size) >= subject.delta), default=classes[0])


def _delta(subject: AuditSubject) -> float:
    return min(subject.delta, delta_for(_size_class(subject)))


def _data(data: DataPlan, folder: Path) -> str:
    there = {file: columns_there(file, DataRoot(folder)) for file in columns_in(data)}
    return "\n" + write_section(data, there)


def _policy(subject: AuditSubject, coordinator: str) -> str:
    return POLICY.format(
        dataset=DATASET,
        unit=subject.plan.privacy.unit,
        size_class=_size_class(subject),
        most=LARGEST_EPSILON,
        delta=_delta(subject),
        epsilon=float(subject.epsilon),
        num_rounds=subject.num_rounds,
        coordinator=coordinator,
    )
