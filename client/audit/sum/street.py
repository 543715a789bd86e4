"""A secure sum in one process for an audit: the merchant that is audited, and others without data, made up for it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict
from jaxtyping import Int64
from torch import Tensor

from client.audit.subject import AuditSubject
from client.round.answers import Answers
from client.round.sum_answers import SumAnswers
from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.errors import PrivacyError
from common.message.record import ABOUT
from common.message.round import RoundRequest
from common.message.signature import public_bytes
from common.message.sum_place import Place
from common.message.sum_round import SumRequest, decode_sum_reply, encode_sum_request
from common.model.features import Series
from common.plan.schema import SumPlan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
from common.secure_sum.keys import SignedKeys
from common.secure_sum.mask import Vector
from common.secure_sum.recovery import Reveal, recover_total
from common.secure_sum.roster import MOST_MEMBERS, Peer, Session

MOST_LOST = 2  # members that may drop out here, where the terms allow as many
ROUNDS = (1, 2)


@dataclass(frozen=True)
class Street:
    """Members whose keys and shares of two rounds are made.

    Attributes
    ----------
    folder
        Holds one file of sums for each member.
    keys
        Of each round, by member.
    bundles
        Of each round, by who made them and by whom they are for.
    """

    folder: Path
    session: Session
    identities: Mapping[str, Ed25519PrivateKey]
    keys: Mapping[int, Mapping[str, SignedKeys]]
    bundles: Mapping[int, Mapping[str, Mapping[str, bytes]]]

    @property
    def own(self) -> str:
        """The merchant that is audited."""
        return self.session.names[0]

    def copy(self, name: str) -> Street:
        """Copy everybody, with the same secrets: nothing that a copy says is known to the others."""
        return replace(self, folder=Path(shutil.copytree(self.folder, self.folder.parent / name)))

    @contextmanager
    def member(self, name: str) -> Iterator[SumMember]:
        """Open a member."""
        with closing(SumStore(self.folder / f"{name}.sqlite")) as store:
            yield SumMember(self.session, name, self.identities[name], store, agreements=MemoryAgreements())

    def request(self, name: str, asked: RoundRequest) -> RecordDict:
        """Ask a member for its masked sum of a round among all, and send the keys of the next round along."""
        shares = {other: sent[name] for other, sent in self.bundles[asked.round_number].items() if other != name}
        following = self.keys.get(asked.round_number + 1, {})
        place = Place(asked.plan_hash, self.session.hash, asked.round_number)
        return encode_sum_request(SumRequest(place, asked, shares, following))


def open_street(folder: Path, run_hash: str, terms: SumPlan) -> Street:
    """Make members, their keys of two rounds, and shares among all of them."""
    num_members = count_members(terms)
    identities = {f"merchant-{place:03}": Ed25519PrivateKey.generate() for place in range(num_members)}
    roster = tuple(Peer(name=name, key=public_bytes(key).hex(), size_class=1) for name, key in identities.items())
    session = Session(run_hash, roster, terms.threshold, terms.colluders)
    with ExitStack() as stack:
        empty = Street(folder, session, identities, {}, {})
        members = {name: stack.enter_context(empty.member(name)) for name in session.names}
        keys = {number: {name: member.keys(number, 1) for name, member in members.items()} for number in ROUNDS}
        bundles = {
            number: {name: member.shares(number, keys[number]) for name, member in members.items()} for number in ROUNDS
        }
    return Street(folder, session, identities, keys, bundles)


def count_members(terms: SumPlan) -> int:
    """Give as few members as the terms allow with somebody who may drop out."""
    most = min(2 * terms.threshold - terms.colluders - 1, MOST_MEMBERS)
    if most < terms.threshold:
        raise PrivacyError(
            f"privacy.sum: threshold {terms.threshold} and colluders {terms.colluders} are terms for nobody; no cohort "
            "has them."
        )
    return min(terms.threshold + MOST_LOST, most)


def ask_masked(
    street: Street,
    member: SumMember,
    subject: AuditSubject,
    asked: RoundRequest,
    *,
    series: Series,
    mechanism: Mechanism,
    noise: NoiseSource,
) -> RecordDict:
    """Ask a member with `series` for its data, by the message of a round; what returns is what leaves."""
    merchant = subject.merchant(series, mechanism=mechanism, noise=noise, num_rounds=ROUNDS[-1])
    sums = SumAnswers(member, run_hash=asked.plan_hash, num_rounds=ROUNDS[-1])
    return sums.answer(street.request(member.name, asked), Answers(merchant))


def read_vector(reply: RecordDict, asked: RoundRequest) -> Int64[Tensor, " word"]:
    """Take the masked vector out of what left; its last number counts members."""
    return decode_sum_reply(reply, size=len(asked.parameters)).total


def without_vector(reply: RecordDict) -> tuple[object, ...]:
    """Write down every field of what left except the numbers of the masked vector."""
    about = dict(reply.config_records[ABOUT])
    vector = about.pop("total", b"")
    return tuple(reply), type(vector), len(vector) if isinstance(vector, bytes) else None, repr(about)


def release(
    street: Street, asked: RoundRequest, masked: Mapping[str, Int64[Tensor, " word"]], *, lost: Collection[str]
) -> Int64[Tensor, " parameter"]:
    """Have who is left agree and reveal, and take the masks off, as a coordinator does; the members are copies."""
    number, model = asked.round_number, asked.model_hash
    survivors = [name for name in street.session.names if name not in lost]
    with ExitStack() as stack:
        copy = street.copy(f"{street.folder.name} release {number} {len(survivors)}")
        members = {name: stack.enter_context(copy.member(name)) for name in survivors}
        signatures = {name: member.agree(number, model, survivors) for name, member in members.items()}
        reveals: dict[str, Reveal] = {name: member.reveal(number, signatures) for name, member in members.items()}
    vectors: dict[str, Vector] = {name: masked[name].numpy().view(np.uint64) for name in survivors}
    keys = {name: signed.of(number) for name, signed in street.keys[number].items()}
    total = recover_total(street.session, vectors, round_number=number, model_hash=model, keys=keys, reveals=reveals)
    return torch.from_numpy(total)
