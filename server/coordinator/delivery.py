"""Finished models are signed, and handed to every member until it has them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict
from safetensors.torch import load_file, save

from common.disk.file import write_whole
from common.disk.reading import require_file
from common.errors import DataError
from common.message.proposal import Proposal
from common.message.receipt import RELEASE, decode_receipt
from common.message.release import PURPOSE, Release, ReleaseMember, ReleaseNote, encode_release, note_in
from common.message.signature import sign
from common.message.vector import hash_vector
from common.schema import SCHEMA
from server.coordinator.mailbox import Letter, Mailbox, Reply, Subject
from server.coordinator.member import Members
from server.folder import CoordinatorFolder
from server.registry.registry import Launch, Member, Model, Registry
from server.round.optimizer import ServerState

LOGGER = logging.getLogger(__name__)
DELIVERY_SECONDS = 60.0


class Deliveries:
    """Release models, and see that they arrive.

    Parameters
    ----------
    key
        Signs released models.
    """

    def __init__(
        self,
        home: CoordinatorFolder,
        registry: Registry,
        mailbox: Mailbox,
        members: Members,
        *,
        key: Ed25519PrivateKey,
    ) -> None:
        self._home, self._registry, self._mailbox, self._members, self._key = home, registry, mailbox, members, key
        self._lost: set[str] = set()  # models whose file was not there; looked for again by the next process

    def release(self, launch: Launch, proposal: Proposal, state: ServerState, *, file: str) -> str:
        """Sign the averaged model and put it beside the registry, a second time the same one; return its hash."""
        parameters, released_at = state.average.to(torch.float32), datetime.now(UTC)
        note = ReleaseNote(
            plan=proposal.plan,
            private=proposal.private,
            round_number=state.round_number,
            model_hash=hash_vector(parameters),
            num_parameters=len(parameters),
            released_at=released_at,
            members=self._answering(launch),
            software=f"hansa {version('hansa')}",
            warm_hash=proposal.warm_hash,
        )
        self._home.models.mkdir(exist_ok=True)
        write_whole(self._home.models / file, save({"parameters": parameters}, {"schema": str(SCHEMA)}))
        self._registry.add_model(
            sign(note.to_bytes(), self._key, purpose=PURPOSE),
            model_hash=note.model_hash,
            launch=launch.number,
            round_number=state.round_number,
            file=file,
            released_at=released_at,
        )
        return note.model_hash

    def deliver(self, members: Mapping[str, Member]) -> None:
        """Hand every model to every member that does not have it yet, also to one that took no part."""
        for model in self._registry.models():
            if model.model_hash in self._lost:
                continue
            subject = Subject(RELEASE, model.model_hash)
            waiting = members.keys() - self._registry.receipts(model.model_hash).keys()
            asked = [members[name] for name in sorted(waiting) if self._may_send(members[name], subject)]
            if asked:  # else the file is not even read: this is looked at in every turn
                self._send(model, asked, subject)

    def take(self, reply: Reply) -> None:
        """Note that a model is on a member's disk, or that it is not."""
        model_hash = reply.subject.what
        if reply.content is None:
            LOGGER.warning("%s did not take the model %s: %s", reply.member, model_hash[:12], reply.cause)
        elif _is_receipt(reply.content, model_hash):
            self._registry.note_receipt(model_hash, reply.member)
        else:
            LOGGER.warning("%s answered the model %s with no receipt for it.", reply.member, model_hash[:12])

    def _answering(self, launch: Launch) -> tuple[ReleaseMember, ...]:
        """Give everyone whose sums may be in the model."""
        return tuple(
            ReleaseMember(
                size_class=terms.size_class, noise_multiplier=terms.noise_multiplier, num_rounds=terms.num_rounds
            )
            for terms in self._registry.terms(launch.number)
            if terms.size_class is not None and terms.noise_multiplier is not None and terms.num_rounds
        )

    def _may_send(self, member: Member, subject: Subject) -> bool:
        if not self._members.is_online(member):
            self._mailbox.forget(member.name)
            return False
        return self._mailbox.may_ask(member.name, subject)

    def _send(self, model: Model, members: list[Member], subject: Subject) -> None:
        try:
            parameters = read_parameters(self._home, model)
        except DataError as error:  # one lost file must not end the rounds of other launches
            LOGGER.warning("%s", error)
            self._lost.add(model.model_hash)
            return
        contents = {
            protocol: encode_release(Release(note_in(protocol, model.signed, self._key), parameters))
            for protocol in {member.protocol for member in members}
        }
        letters = [
            Letter(member.name, member.node_id, subject, contents[member.protocol])
            for member in members
            if member.node_id is not None  # only registered nodes are connected
        ]
        self._mailbox.post_all(letters, timeout_seconds=DELIVERY_SECONDS)


def _is_receipt(content: RecordDict, model_hash: str) -> bool:
    try:
        return decode_receipt(content) == model_hash
    except Exception:  # one member's bytes must not end everyone's coordinator
        return False


def read_parameters(home: CoordinatorFolder, model: Model) -> torch.Tensor:
    """Read a released model.

    Raises
    ------
    DataError
        The file is missing or is not the model that was released.
    """
    path = home.models / model.file
    try:
        require_file(path)
        parameters = load_file(path)["parameters"]
    except Exception as error:
        raise DataError(f"Cannot read the model {path}; put a copy in its home.") from error
    if hash_vector(parameters) != model.model_hash:
        raise DataError(f"{path} is not the model that was released; put a copy in its home.")
    return parameters
