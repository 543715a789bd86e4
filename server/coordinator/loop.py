"""The process that holds the rounds: it invites members, asks them, steps, and hands finished models out.

Crash-only: everything that matters is on the disk before anything follows from it, and where something below fails the
process ends and is started again. One round is: ask → note who answered → step → checkpoint → journal. Killed anywhere
in between, the round is asked again in the same words, and every merchant sends the same sealed bytes again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict
from flwr.serverapp import Grid
from safetensors.torch import load_file, save

from certs.key import read_or_make_signing_key
from common.errors import DataError, HansaError, MessageError
from common.file import write_whole
from common.message import proposal as proposals
from common.message import release as releases
from common.message.proposal import Proposal, decode_terms, encode_signed, parse_proposal
from common.message.record import hash_vector
from common.message.release import Release, ReleaseMember, ReleaseNote, decode_receipt, encode_release
from common.message.signature import sign
from common.model.demand_gru import get_vector
from common.model.warm.start import start_without_data
from common.plan.leg import Leg, legs_of
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from server.coordinator.journal import Journal
from server.coordinator.mailbox import Mailbox, Reply
from server.folder import CoordinatorFolder
from server.process.superlink import SuperLink, open_superlink
from server.registry.registry import Launch, Member, Model, Registry, State
from server.round.aggregation import Terms
from server.round.checkpoint import load_checkpoint, save_checkpoint
from server.round.collection import Cause, RoundOutcome
from server.round.optimizer import ServerState, start_state
from server.round.round import Federation, gather_plausible, step

LOGGER = logging.getLogger(__name__)
BUSY_SECONDS, IDLE_SECONDS = 0.05, 1.0
INVITE_SECONDS = 60.0  # what a member may take to read its data and say on what terms it takes part
DELIVERY_SECONDS = 60.0
AGAIN_SECONDS = 60.0  # after a refusal or silence, before a member is asked the same again
MISSED_SECONDS = 2.0  # after a round without a quorum
ONLINE_SECONDS = 2.0  # for how long the list of who is online is taken as true


@dataclass
class Session:
    """A launch that runs: what was proposed, and the state after its last round."""

    launch: Launch
    proposal: Proposal
    state: ServerState
    journal: Journal
    began_at: float = field(default_factory=time.monotonic)

    @property
    def plan(self) -> Plan:
        """The plan that runs."""
        return self.proposal.plan

    @property
    def legs(self) -> tuple[Leg, ...]:
        """One leg of all rounds, or a rehearsal and what serves."""
        return legs_of(self.plan, private=self.proposal.private)

    @property
    def is_over(self) -> bool:
        """Whether every round was held."""
        return self.state.round_number >= self.launch.num_rounds


class Coordinator:
    """Hold rounds over one Grid, one `turn` after another.

    Parameters
    ----------
    key
        Signs released models.
    """

    def __init__(
        self, home: CoordinatorFolder, *, registry: Registry, superlink: SuperLink, grid: Grid, key: Ed25519PrivateKey
    ) -> None:
        self._home, self._registry, self._superlink, self._grid, self._key = home, registry, superlink, grid, key
        self._mailbox = Mailbox(grid)
        self._session: Session | None = None
        self._asked_at: dict[tuple[str, str], float] = {}
        self._strikes: dict[str, int] = {}  # rounds in a row in which a member was waited for in vain
        self._excused_until: dict[str, int] = {}  # the round from which a member that was late is waited for again
        self._online: tuple[float, frozenset[int]] = (-ONLINE_SECONDS, frozenset())
        for member in registry.members():
            registry.note_node(member.name, None)  # the SuperLink may have lost its database, so all are looked up

    def turn(self) -> float:
        """Do what can be done now; return how many seconds nothing else will be."""
        members = self._admit()
        for reply in self._mailbox.collect():
            self._take(reply)
        self._deliver(members)
        launch = next((launch for launch in self._registry.launches() if launch.state == State.RUNNING), None)
        if launch is None:
            self._session = None
            return IDLE_SECONDS
        if self._session is None or self._session.launch.number != launch.number:
            self._session = self._begin(launch)
        self._invite(self._session, members)
        return self._hold_round(self._session, members)

    # members

    def _admit(self) -> dict[str, Member]:
        """Make the SuperLink know who is enrolled and forget who was revoked; return who is welcome."""
        for member in self._registry.members():
            if member.is_welcome and member.node_id is None:
                self._registry.note_node(member.name, self._superlink.register(member.node_key))
            elif not member.is_welcome and member.node_id is not None:
                self._superlink.unregister(member.node_id)
                self._registry.note_node(member.name, None)
        return {member.name: member for member in self._registry.members() if member.is_welcome}

    def _is_online(self, member: Member) -> bool:
        looked_at, online = self._online
        if time.monotonic() - looked_at > ONLINE_SECONDS:
            online = frozenset(self._grid.get_node_ids())
            self._online = (time.monotonic(), online)
        return member.node_id in online

    # invitations

    def _invite(self, session: Session, members: Mapping[str, Member]) -> None:
        """Propose the plan to everyone who is online and has not answered yet."""
        answered = {terms.member for terms in self._registry.terms(session.launch.number)}
        for member in members.values():
            if member.name not in answered and self._may_ask(member, proposals.PROPOSAL, session.launch.run_hash):
                content = encode_signed(session.launch.signed)
                self._post(member, proposals.PROPOSAL, session.launch.run_hash, content, INVITE_SECONDS)

    def _may_ask(self, member: Member, message_type: str, what: str) -> bool:
        """Whether a member is there, and the same question is neither open nor was refused or left just now."""
        subject = f"{message_type} {what}"
        asked_at = self._asked_at.get((member.name, subject), -AGAIN_SECONDS)
        return (
            not self._mailbox.is_open(member.name, subject)
            and time.monotonic() - asked_at >= AGAIN_SECONDS
            and self._is_online(member)
        )

    def _post(self, member: Member, message_type: str, what: str, content: RecordDict, timeout_seconds: float) -> None:
        subject = f"{message_type} {what}"
        assert member.node_id is not None  # noqa: S101  for mypy: only registered nodes are online
        if self._mailbox.post(
            content,
            member=member.name,
            node_id=member.node_id,
            subject=subject,
            message_type=message_type,
            timeout_seconds=timeout_seconds,
        ):
            self._asked_at[member.name, subject] = time.monotonic()

    def _take(self, reply: Reply) -> None:
        """Note what a member said to a proposal or a model."""
        message_type, what = reply.subject.split()
        try:
            if message_type == proposals.PROPOSAL:
                self._take_terms(reply, run_hash=what)
            else:
                self._take_receipt(reply, model_hash=what)
        except MessageError as error:
            LOGGER.warning("%s answered %s in a way that does not count: %s", reply.member, message_type, error)

    def _take_terms(self, reply: Reply, *, run_hash: str) -> None:
        launch = next(launch for launch in self._registry.launches() if launch.run_hash == run_hash)
        journal = Journal(self._home.launch(launch.number) / "journal.jsonl")
        if reply.content is None:
            journal.write("declined", member=reply.member)
            return
        terms = decode_terms(reply.content)
        member = next(member for member in self._registry.members() if member.name == reply.member)
        private = parse_proposal(launch.signed.content).private
        if terms.plan_hash != run_hash or terms.size_class != member.size_class:
            raise MessageError("its terms name another plan or size class than the enrolled one.")
        if (terms.noise_multiplier > 0) != private:
            raise MessageError("its terms have noise where the plan has none, or none where it has.")
        self._registry.note_terms(launch.number, reply.member, terms.size_class, terms.noise_multiplier)
        journal.write(
            "accepted", member=reply.member, size_class=terms.size_class, noise_multiplier=terms.noise_multiplier
        )

    # rounds

    def _begin(self, launch: Launch) -> Session:
        folder = self._home.launch(launch.number)
        folder.mkdir(parents=True, exist_ok=True)
        proposal = parse_proposal(launch.signed.content)
        state = start_state(start_vector(proposal.plan, private=proposal.private))
        if (folder / "checkpoint.safetensors").exists():
            state = load_checkpoint(
                folder / "checkpoint.safetensors", plan_hash=launch.run_hash, size=len(state.parameters)
            )
        session = Session(launch, proposal, state, Journal(folder / "journal.jsonl"))
        session.journal.write("begun" if state.round_number == 0 else "resumed", round=state.round_number)
        return session

    def _hold_round(self, session: Session, members: Mapping[str, Member]) -> float:
        if session.is_over:
            self._finish(session)
            return BUSY_SECONDS
        if self._has_just_rehearsed(session):
            model_hash = self._release(session, f"{session.launch.run_hash}.rehearsal.safetensors")
            session.journal.write("rehearsed", round=session.state.round_number, model=model_hash)
        cohort = self._cohort(session, members)
        if len(cohort) < session.launch.quorum or self._still_gathers(session, members):
            return self._wait_for_members(session, len(cohort))
        names = {node_id: name for name, member in members.items() if (node_id := member.node_id) is not None}
        federation = self._federation(session, {node: cohort[name] for node, name in names.items() if name in cohort})
        unawaited = [
            node
            for node in federation.cohort
            if session.state.round_number + 1 < self._excused_until.get(names[node], 0)
            or not self._is_online(members[names[node]])
        ]
        started = time.monotonic()
        outcome = gather_plausible(self._grid, federation, session.state, unawaited=unawaited)
        seconds = time.monotonic() - started
        self._note_lateness(outcome, names, round_number=session.state.round_number + 1, unawaited=unawaited)
        return self._close_round(session, federation, outcome, names, seconds=seconds)

    def _note_lateness(
        self, outcome: RoundOutcome, names: Mapping[int, str], *, round_number: int, unawaited: Collection[int]
    ) -> None:
        """Excuse who was waited for in vain from the next round, three rounds, seven: it may be slow once, or gone."""
        for node in outcome.replies:
            self._strikes.pop(names[node], None)
        for node, refusal in outcome.refusals.items():
            if refusal.cause == Cause.LATE and node not in unawaited:
                strikes = self._strikes[names[node]] = self._strikes.get(names[node], 0) + 1
                self._excused_until[names[node]] = round_number + 2**strikes

    def _cohort(self, session: Session, members: Mapping[str, Member]) -> dict[str, Terms]:
        """Give everyone who accepted and is still welcome."""
        clipping_norm = session.plan.privacy.clipping_norm if session.proposal.private else None
        return {
            terms.member: Terms(terms.size_class, Mechanism(clipping_norm, terms.noise_multiplier))
            for terms in self._registry.terms(session.launch.number)
            if terms.member in members and terms.size_class is not None and terms.noise_multiplier is not None
        }

    def _still_gathers(self, session: Session, members: Mapping[str, Member]) -> bool:
        """Whether a member that is online may still accept before the first round of this session."""
        subject = f"{proposals.PROPOSAL} {session.launch.run_hash}"
        return time.monotonic() - session.began_at < INVITE_SECONDS and any(
            self._mailbox.is_open(name, subject) for name in members
        )

    def _wait_for_members(self, session: Session, accepted: int) -> float:
        reason = f"waits for members: {accepted} of the {session.launch.quorum} that its quorum asks for have accepted"
        if accepted < session.launch.quorum and self._registry.launch(session.launch.number).reason != reason:
            self._registry.note_launch(session.launch.number, reason=reason)
        return BUSY_SECONDS

    def _federation(self, session: Session, cohort: Mapping[int, Terms]) -> Federation:
        return Federation(
            plan=session.plan,
            training=session.plan.training(private=session.proposal.private),
            cohort=cohort,
            quorum=session.launch.quorum,
            timeout_seconds=session.launch.round_seconds,
            legs=session.legs,
        )

    def _close_round(
        self,
        session: Session,
        federation: Federation,
        outcome: RoundOutcome,
        names: Mapping[int, str],
        *,
        seconds: float,
    ) -> float:
        """Step where there is a quorum, and write down in any case what happened."""
        launch, round_number = session.launch, session.state.round_number + 1
        answered = sorted(names[node_id] for node_id in outcome.replies)
        refused = {names[node_id]: str(refusal) for node_id, refusal in outcome.refusals.items()}
        self._registry.note_answers(launch.number, round_number=round_number, members=answered)
        said = {"round": round_number, "answered": answered, "refused": refused, "seconds": round(seconds, 3)}
        if len(answered) < launch.quorum:
            session.journal.write("missed", **said)
            self._registry.note_launch(
                launch.number, reason=f"round {round_number} has {len(answered)} of {launch.quorum} answers"
            )
            return MISSED_SECONDS
        session.state = step(session.state, outcome, federation)
        path = self._home.launch(launch.number) / "checkpoint.safetensors"
        save_checkpoint(session.state, path, plan_hash=launch.run_hash)
        session.journal.write("round", **said)
        self._registry.note_launch(launch.number, round_number=round_number, reason="")
        return 0.0

    # models

    def _has_just_rehearsed(self, session: Session) -> bool:
        """Whether a rehearsal has ended whose model is not released yet; nothing is asked in between."""
        if session.state.round_number != session.legs[0].last_round:
            return False
        return all(model.launch != session.launch.number for model in self._registry.models())

    def _finish(self, session: Session) -> None:
        """Release the model and close the launch."""
        model_hash = self._release(session, f"{session.launch.run_hash}.safetensors")
        session.journal.write("finished", round=session.state.round_number, model=model_hash)
        self._registry.finish(session.launch.number, round_number=session.state.round_number)
        self._session = None

    def _release(self, session: Session, file: str) -> str:
        """Sign the averaged model and put it beside the registry; a second time it is the same one. Return its hash."""
        launch, parameters = session.launch, session.state.average.to(torch.float32)
        model_hash, released_at = hash_vector(parameters), datetime.now(UTC)
        note = ReleaseNote(
            plan=session.plan,
            private=session.proposal.private,
            round_number=session.state.round_number,
            model_hash=model_hash,
            num_parameters=len(parameters),
            released_at=released_at,
            members=tuple(
                ReleaseMember(
                    size_class=terms.size_class, noise_multiplier=terms.noise_multiplier, num_rounds=terms.num_rounds
                )
                for terms in self._registry.terms(launch.number)
                if terms.size_class is not None and terms.noise_multiplier is not None and terms.num_rounds
            ),
            software=f"hansa {version('hansa')}",
        )
        self._home.models.mkdir(exist_ok=True)
        write_whole(self._home.models / file, save({"parameters": parameters}))
        self._registry.add_model(
            sign(note.to_bytes(), self._key, purpose=releases.PURPOSE),
            model_hash=model_hash,
            launch=launch.number,
            round_number=session.state.round_number,
            file=file,
            released_at=released_at,
        )
        return model_hash

    def _deliver(self, members: Mapping[str, Member]) -> None:
        """Hand every model to every member that does not have it yet, also to one that took no part."""
        for model in self._registry.models():
            waiting = members.keys() - self._registry.receipts(model.model_hash).keys()
            asked = [
                members[name]
                for name in sorted(waiting)
                if self._may_ask(members[name], releases.RELEASE, model.model_hash)
            ]
            if asked:  # else the file is not even read: this is looked at in every turn
                content = encode_release(Release(model.signed, read_parameters(self._home, model)))
                for member in asked:
                    self._post(member, releases.RELEASE, model.model_hash, content, DELIVERY_SECONDS)

    def _take_receipt(self, reply: Reply, *, model_hash: str) -> None:
        if reply.content is None:
            LOGGER.warning("%s did not take the model %s.", reply.member, model_hash[:12])
        elif decode_receipt(reply.content) != model_hash:
            raise MessageError("its receipt names another model.")
        else:
            self._registry.note_receipt(model_hash, reply.member)


def start_vector(plan: Plan, *, private: bool) -> torch.Tensor:
    """Return the parameters that a plan starts from, which anybody can work out without data."""
    return get_vector(start_without_data(plan, private=private))


def read_parameters(home: CoordinatorFolder, model: Model) -> torch.Tensor:
    """Read a released model.

    Raises
    ------
    DataError
        The file is missing or is not the model that was released.
    """
    path = home.models / model.file
    try:
        parameters = load_file(path)["parameters"]
    except Exception as error:
        raise DataError(f"Cannot read the model {path}; put a copy in its home.") from error
    if hash_vector(parameters) != model.model_hash:
        raise DataError(f"{path} is not the model that was released; put a copy in its home.")
    return parameters


def conduct(home: CoordinatorFolder) -> None:
    """Hold rounds until the process is told to stop, or something below it fails.

    Raises
    ------
    HansaError
        The SuperLink or the disk failed; started again, it goes on where it was.
    """
    settings = home.read_settings()
    superlink = open_superlink(home, settings)
    key = read_or_make_signing_key(home.signing_key)
    registry = Registry(home.registry)
    torch.set_num_threads(1)
    with superlink.grid() as grid:
        conductor = Coordinator(home, registry=registry, superlink=superlink, grid=grid, key=key)
        LOGGER.info("The conductor is ready.")
        while True:
            try:
                time.sleep(conductor.turn())
            except OSError as error:
                raise HansaError(f"The conductor cannot go on: {error.strerror}; see {home.folder}.") from error
