"""Members are asked on what terms they take part in a launch, and what they say is noted.

Whoever accepts is asked for rounds from then on. Whoever declines, says nothing or says what cannot be used is asked
again, ever more seldom (`server.coordinator.mailbox`), and the launch goes on without it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from common.errors import MessageError
from common.message.proposal import (
    PROPOSAL,
    ClientTerms,
    Proposal,
    decode_terms,
    encode_signed,
    parse_proposal,
    proposal_in,
)
from common.privacy.mechanism import Mechanism
from server.coordinator.journal import Journal
from server.coordinator.mailbox import FIRST_PAUSE_SECONDS, Letter, Mailbox, Reply, Subject
from server.coordinator.member import Members
from server.folder import CoordinatorFolder
from server.registry.registry import Launch, Member, MemberTerms, Registry
from server.round.aggregation import Terms
from server.round.collection import Cause

LOGGER = logging.getLogger(__name__)
INVITE_SECONDS = 60.0  # what a member may take to say on what terms it takes part


class Invitations:
    """Ask for terms, and keep them.

    Parameters
    ----------
    key
        Signs proposals again in the words of an older protocol.
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

    def invite(self, launch: Launch, members: Mapping[str, Member]) -> None:
        """Propose a launch to everyone who is connected and has not accepted."""
        said = {terms.member: terms for terms in self._registry.terms(launch.number)}
        letters, signed = list[Letter](), dict[int, RecordDict]()
        for name, member in members.items():
            terms = said.get(name)
            if terms is not None and not terms.is_lapsed and (not is_declined(terms) or _is_recent(terms)):
                continue
            if not self._members.is_online(member):
                self._mailbox.forget(name)
            elif member.node_id is not None and self._mailbox.may_ask(name, _subject(launch)):
                if member.protocol not in signed:
                    signed[member.protocol] = encode_signed(proposal_in(member.protocol, launch.signed, self._key))
                letters.append(Letter(name, member.node_id, _subject(launch), signed[member.protocol]))
        self._mailbox.post_all(letters, timeout_seconds=INVITE_SECONDS)

    def is_gathering(self, launch: Launch, members: Mapping[str, Member], *, began_at: float) -> bool:
        """Whether a launch is so young that the rounds wait for a member that was asked and has time yet to answer."""
        is_early = time.monotonic() - began_at < INVITE_SECONDS
        return is_early and any(self._mailbox.is_open(name, _subject(launch)) for name in members)

    def cohort(self, launch: Launch, proposal: Proposal, members: Mapping[str, Member]) -> dict[str, Terms]:
        """Give everyone who accepted since it was let in, and is still welcome."""
        return {
            said.member: make_terms(proposal, said.size_class, said.noise_multiplier)
            for said in self._registry.terms(launch.number)
            if said.member in members and not said.is_lapsed
            if said.size_class is not None and said.noise_multiplier is not None
        }

    def take(self, reply: Reply) -> None:
        """Note what a member said to a proposal."""
        launch = next(launch for launch in self._registry.launches() if launch.run_hash == reply.subject.what)
        member = self._registry.member(reply.member)
        journal = Journal(self._home.launch(launch.number) / "journal.jsonl")
        if reply.content is None:
            self._note_refusal(launch, reply, journal)
            return
        try:
            terms = _read_terms(reply.content, launch, member)
        except Exception as error:  # one member's bytes must not end everyone's coordinator
            reason = str(error) if isinstance(error, MessageError) else type(error).__name__
            LOGGER.warning("%s answered a proposal in a way that does not count: %s", member.name, reason)
            journal.write("no terms", member=member.name, reason=f"{Cause.UNREADABLE} ({reason})")
            return
        self._registry.note_terms(launch.number, member.name, terms.size_class, terms.noise_multiplier)
        journal.write(
            "accepted", member=member.name, size_class=terms.size_class, noise_multiplier=terms.noise_multiplier
        )

    def _note_refusal(self, launch: Launch, reply: Reply, journal: Journal) -> None:
        """Keep a refusal; silence, absence and failure are only told."""
        if reply.cause is Cause.DECLINED:
            self._registry.note_terms(launch.number, reply.member, None, None)
            journal.write("declined", member=reply.member)
        else:
            journal.write("no terms", member=reply.member, reason=str(reply.cause))


def make_terms(proposal: Proposal, size_class: int, noise_multiplier: float) -> Terms:
    """Put together what is public about a member in a launch."""
    clipping_norm = proposal.plan.privacy.clipping_norm if proposal.private else None
    return Terms(size_class, Mechanism(clipping_norm, noise_multiplier))


def is_declined(terms: MemberTerms) -> bool:
    """Whether a member said no, the last time that it was asked."""
    return terms.size_class is None


def _read_terms(content: RecordDict, launch: Launch, member: Member) -> ClientTerms:
    """Read terms that can be used in this launch, else raise whatever the reading raises, or a MessageError."""
    terms, proposal = decode_terms(content), _parse(launch.signed.content)
    if terms.plan_hash != launch.run_hash or terms.size_class != member.size_class:
        raise MessageError("its terms name another plan or size class than the enrolled one.")
    if (terms.noise_multiplier > 0) != proposal.private:
        raise MessageError("its terms have noise where the plan has none, or none where it has.")
    make_terms(proposal, terms.size_class, terms.noise_multiplier)
    return terms


@lru_cache(maxsize=8)
def _parse(content: bytes) -> Proposal:
    """Read a proposal, once for all who answer it."""
    return parse_proposal(content)


def _subject(launch: Launch) -> Subject:
    return Subject(PROPOSAL, launch.run_hash)


def _is_recent(terms: MemberTerms) -> bool:
    """Whether a member answered less than a pause ago; this outlives a restart, as the mailbox does not.

    An answer of a day that is yet to come, noted when the clock was wrong, is not recent.
    """
    since = datetime.now(UTC) - datetime.fromisoformat(terms.answered_at)
    return 0 <= since.total_seconds() < FIRST_PAUSE_SECONDS
