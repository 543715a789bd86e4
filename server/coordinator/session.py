"""A launch that runs, and the driver of its rounds over the network: whom to ask, whom to wait for, what to write down.

What a round is, is not said here: that is `server.round.federation`. Killed anywhere in a round, it is asked again in
the same words, and every merchant sends the same sealed bytes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.serverapp import Grid

from common.message.proposal import Proposal, parse_proposal
from common.model.warm.start import require_same_warm
from common.plan.leg import Leg, legs_of
from server.coordinator.calling import calling
from server.coordinator.journal import Journal
from server.folder import CoordinatorFolder
from server.registry.registry import Launch, Member, Registry
from server.round.aggregation import Terms
from server.round.collection import Cause, Refusal, RoundOutcome
from server.round.federation import Federation, HeldRound, hold_round, resume
from server.round.optimizer import ServerState, start_state
from server.round.start import start_vector

READING_SECONDS = 600.0  # what a merchant may take longer in its first round of a launch: it reads its data then
PARAMETER_BYTES = 4  # of a float32, as a request carries it
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 60.0  # after a round without a quorum, and after many in a row


@dataclass
class Session:
    """A launch that runs.

    Attributes
    ----------
    state
        After the last round.
    pause_seconds
        After the next round without a quorum.
    again_at
        When a round may be held again, by the monotonic clock.
    late_count
        Rounds in a row in which a member was waited for in vain.
    not_awaited_until
        The round from which a member that was late is awaited again.
    """

    launch: Launch
    proposal: Proposal
    state: ServerState
    folder: Path
    began_at: float = field(default_factory=time.monotonic)
    pause_seconds: float = FIRST_PAUSE_SECONDS
    again_at: float = 0.0
    late_count: dict[str, int] = field(default_factory=dict)
    not_awaited_until: dict[str, int] = field(default_factory=dict)

    @property
    def journal(self) -> Journal:
        """What happened."""
        return Journal(self.folder / "journal.jsonl")

    @property
    def legs(self) -> tuple[Leg, ...]:
        """One leg of all rounds, or a rehearsal and what serves."""
        return legs_of(self.proposal.plan, private=self.proposal.private)

    @property
    def is_over(self) -> bool:
        """Whether every round was held."""
        return self.state.round_number >= self.launch.num_rounds


def begin(home: CoordinatorFolder, launch: Launch) -> Session:
    """Start a launch, or take it up where it was.

    Raises
    ------
    HansaError
        No model can be made of the plan, or the checkpoint cannot be used.
    """
    folder = home.launch(launch.number)
    folder.mkdir(parents=True, exist_ok=True)
    proposal = parse_proposal(launch.signed.content)
    require_same_warm(proposal.plan, private=proposal.private, warm_hash=proposal.warm_hash)
    start = start_state(start_vector(proposal.plan, private=proposal.private))
    state = resume(start, folder / "checkpoint.safetensors", run_hash=launch.run_hash)
    session = Session(launch, proposal, state, folder)
    session.journal.write("begun" if state.round_number == 0 else "resumed", round=state.round_number)
    return session


class Rounds:
    """Hold rounds over one Grid.

    Parameters
    ----------
    key
        Signs who is asked in a round.
    """

    def __init__(self, registry: Registry, grid: Grid, *, key: Ed25519PrivateKey) -> None:
        self._registry, self._grid, self._key = registry, grid, key

    def hold(
        self,
        session: Session,
        cohort: Mapping[str, Terms],
        members: Mapping[str, Member],
        *,
        online: Collection[str],
        withdrawn: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Ask for the next round of a launch, step where there is a quorum, write down in any case what happened.

        Parameters
        ----------
        cohort
            Who accepted, by name.
        online
            Who of the cohort is connected.
        withdrawn
            Asked again and again while the round lasts: who of the cohort is no longer welcome.

        Raises
        ------
        MessageError
            The plan's model is not finite any more.
        """
        launch, present = session.launch, who_is_there(session, cohort, members, online)
        names = present.names

        def note_answers(number: int, outcome: RoundOutcome) -> None:
            answered = [names[node] for node in outcome.replies]
            self._registry.note_answers(launch.number, round_number=number, members=answered)

        held = hold_round(
            self._grid,
            federation_of(self._registry, session, cohort, present),
            session.state,
            not_awaited=present.not_awaited,
            note_answers=note_answers,
            withdrawn=lambda: present.nodes_of(withdrawn()),
            word=calling([members[name] for name in names.values()], quorum=launch.quorum, key=self._key),
        )
        answered = [names[node] for node in held.outcome.replies]
        refused = {names[node]: refusal for node, refusal in held.outcome.refusals.items()}
        note_lateness(session, held.round_number, answered, refused, present.awaited)
        self._close(session, held, names)

    def _close(self, session: Session, held: HeldRound, names: Mapping[int, str]) -> None:
        launch = session.launch
        answered = sorted(names[node] for node in held.outcome.replies)
        refused = {names[node]: str(refusal) for node, refusal in held.outcome.refusals.items()}
        said = {
            "round": held.round_number,
            "answered": answered,
            "refused": refused,
            "seconds": round(held.seconds, 3),
            **count_traffic(session.state.parameters.numel() * PARAMETER_BYTES, held.outcome),
        }
        if held.state is None:
            reason = f"round {held.round_number} has {len(answered)} of {launch.quorum} answers"
            session.journal.write("missed", **said)
            pause(self._registry, session, reason)
            return
        session.journal.write("round", **said)
        go_on(self._registry, session, held.state)


@dataclass(frozen=True)
class Present:
    """Who can be asked in a round.

    Attributes
    ----------
    names
        Of everyone who accepted and has a node, by node id.
    awaited
        Who of them is connected, and was not late lately.
    """

    names: Mapping[int, str]
    awaited: Collection[str]

    @property
    def not_awaited(self) -> list[int]:
        """Nodes that are asked too, but hold nobody up."""
        return [node for node, name in self.names.items() if name not in self.awaited]

    def nodes_of(self, members: Collection[str]) -> set[int]:
        """Give the nodes of some members."""
        return {node for node, name in self.names.items() if name in members}


def who_is_there(
    session: Session, cohort: Mapping[str, Terms], members: Mapping[str, Member], online: Collection[str]
) -> Present:
    """Give who can be asked in the next round of a launch."""
    round_number = session.state.round_number + 1
    names = {node: name for name in cohort if (node := members[name].node_id) is not None}
    return Present(names, {name for name in online if round_number >= session.not_awaited_until.get(name, 0)})


def federation_of(registry: Registry, session: Session, cohort: Mapping[str, Terms], present: Present) -> Federation:
    """Put together what is decided before a round of a launch."""
    launch, plan = session.launch, session.proposal.plan
    return Federation(
        plan=plan,
        training=plan.training(private=session.proposal.private),
        cohort={node: cohort[name] for node, name in present.names.items()},
        quorum=launch.quorum,
        timeout_seconds=wait_longer_for_readers(registry, session, present.awaited),
        checkpoint=session.folder / "checkpoint.safetensors",
        legs=session.legs,
    )


def pause(registry: Registry, session: Session, reason: str) -> None:
    """Let a round that missed its quorum be asked for again after a while, ever longer."""
    registry.note_launch(session.launch.number, reason=reason)
    session.again_at = time.monotonic() + session.pause_seconds
    session.pause_seconds = min(2 * session.pause_seconds, LONGEST_PAUSE_SECONDS)


def go_on(registry: Registry, session: Session, state: ServerState, reason: str = "") -> None:
    """Go on with the round after a state."""
    session.state, session.pause_seconds = state, FIRST_PAUSE_SECONDS
    registry.note_launch(session.launch.number, round_number=state.round_number, reason=reason)


def wait_longer_for_readers(registry: Registry, session: Session, awaited: Collection[str]) -> float:
    """Give the seconds that a round waits for answers: more where a member may be reading its data, which is said."""
    launch = session.launch
    answered = {terms.member for terms in registry.terms(launch.number) if terms.num_rounds}
    reading = sorted(name for name in awaited if name not in answered and name not in session.late_count)
    timeout_seconds = launch.round_seconds + (READING_SECONDS if reading else 0.0)
    if reading:
        who = f"{', '.join(reading)} may be reading the data"
        reason = f"round {session.state.round_number + 1} waits up to {timeout_seconds:.0f} seconds: {who}"
        registry.note_launch(launch.number, reason=reason)
    return timeout_seconds


def count_traffic(model_bytes: int, outcome: RoundOutcome) -> dict[str, int]:
    """Count the bytes of the model that went out and of the sums that counted, without what carries them."""
    unsent = sum(refusal.cause is Cause.UNSENT for refusal in outcome.refusals.values())
    asked = len(outcome.replies) + len(outcome.refusals) - unsent
    return {
        "sent_bytes": asked * model_bytes,
        "received_bytes": sum(reply.total.nbytes for reply in outcome.replies.values()),
    }


def note_lateness(
    session: Session,
    round_number: int,
    answered: Collection[str],
    refused: Mapping[str, Refusal],
    awaited: Collection[str],
) -> None:
    """Do not wait for who was late in the next round, three rounds, seven: it may be slow once, or gone."""
    for name in answered:
        session.late_count.pop(name, None)
    for name, refusal in refused.items():
        if refusal.cause is Cause.LATE and name in awaited:
            late_count = session.late_count[name] = session.late_count.get(name, 0) + 1
            session.not_awaited_until[name] = round_number + 2**late_count
