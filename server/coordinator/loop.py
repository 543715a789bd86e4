"""The process that holds the rounds: it invites members, asks them, steps, and hands finished models out.

Crash-only: everything that matters is on the disk before anything follows from it, and where something below fails the
process ends and is started again. What one member says, or one plan is, ends nothing: a member's answer is left out
with its reason, and a plan that cannot run is marked as failed, and the other launches go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.serverapp import Grid

from certs.key import read_or_make_signing_key
from common.errors import HansaError, MessageError
from common.message.peer import PEER
from common.message.proposal import PROPOSAL
from common.message.welcome import WELCOME
from server.coordinator.delivery import Deliveries
from server.coordinator.invitation import Invitations, is_declined
from server.coordinator.mailbox import Mailbox, Reply
from server.coordinator.member import Members
from server.coordinator.peering import Peering
from server.coordinator.session import Rounds, Session, begin
from server.coordinator.sum_session import SumRounds, invited, of_one_noise
from server.coordinator.welcoming import Welcomes
from server.folder import CoordinatorFolder
from server.process.superlink import SuperLink, open_superlink
from server.registry.registry import Launch, Member, Registry, State
from server.round.aggregation import Terms
from server.round.news import wait_for_news

LOGGER = logging.getLogger(__name__)
BUSY_SECONDS, IDLE_SECONDS, IDLE_FACTOR = 0.05, 1.0, 1.5


class Coordinator:
    """Hold rounds over one Grid, one `turn` after another.

    Parameters
    ----------
    key
        Signs rounds and released models.
    """

    def __init__(
        self, home: CoordinatorFolder, *, registry: Registry, superlink: SuperLink, grid: Grid, key: Ed25519PrivateKey
    ) -> None:
        self._home, self._registry = home, registry
        self._mailbox, self._members = Mailbox(grid), Members(registry, superlink, grid)
        self._invitations = Invitations(home, registry, self._mailbox, self._members, key=key)
        self._rounds, self._sums = Rounds(registry, grid, key=key), SumRounds(registry, grid, key=key)
        self._peering = Peering(registry, self._mailbox, self._members)
        self._deliveries = Deliveries(home, registry, self._mailbox, self._members, key=key)
        self._welcomes = Welcomes(home, registry, self._mailbox, self._members, key=key)
        self._sessions: dict[int, Session] = {}
        self._pause_seconds = BUSY_SECONDS

    def turn(self) -> float:
        """Do what can be done now; return for how many seconds to do nothing, ever longer while nothing happens."""
        members = self._admit()
        replies = self._mailbox.collect()
        for reply in replies:
            self._take(reply, members)
        self._welcomes.welcome(members)
        self._peering.ask(members)
        self._deliveries.deliver(members)
        if self._work(members):
            self._pause_seconds = BUSY_SECONDS
            return 0.0
        self._pause_seconds = BUSY_SECONDS if replies else min(IDLE_FACTOR * self._pause_seconds, IDLE_SECONDS)
        return self._pause_seconds

    def _admit(self) -> Mapping[str, Member]:
        """Give who is welcome now; what was asked of somebody who has left is not looked for any more."""
        members = self._members.admit()
        for name in self._members.take_left():
            self._mailbox.drop(name)
        return members

    def _take(self, reply: Reply, members: Mapping[str, Member]) -> None:
        """Pass a reply on to whoever asked."""
        if reply.subject.message_type == PROPOSAL:
            self._invitations.take(reply)
        elif reply.subject.message_type == WELCOME:
            self._welcomes.take(reply)
        elif reply.subject.message_type == PEER:
            self._peering.take(reply, members)
        else:
            self._deliveries.take(reply)

    def _work(self, members: Mapping[str, Member]) -> bool:
        """Go on with the first launch that can; whether anything was done.

        A launch that waits for members, or pauses after a round without a quorum, lets the ones after it go on; one
        whose members are just being asked does not.
        """
        running = [launch for launch in self._registry.launches() if launch.state == State.RUNNING]
        begun = self._sessions
        self._sessions = {launch.number: begun[launch.number] for launch in running if launch.number in begun}
        for launch in running:
            session = self._sessions.get(launch.number) or self._begin(launch)
            if session is None:
                continue
            self._invitations.invite(launch, invited(session, members))
            if session.is_over:
                self._finish(session)
                return True
            if self._has_just_rehearsed(session):
                self._release_rehearsal(session)
                return True
            cohort = of_one_noise(session, self._invitations.cohort(launch, session.proposal, members))
            if self._invitations.is_gathering(launch, members, began_at=session.began_at):
                return False
            if len(cohort) < launch.quorum:
                self._note_waiting(launch, cohort)
            elif time.monotonic() >= session.again_at:
                self._hold(session, cohort, members)
                return True
        return False

    def _begin(self, launch: Launch) -> Session | None:
        """Start a launch; one that cannot be is marked as failed, and stands in nobody's way."""
        try:
            session = begin(self._home, launch)
        except HansaError as error:
            self._fail(launch, str(error))
            return None
        self._sessions[launch.number] = session
        return session

    def _fail(self, launch: Launch, reason: str) -> None:
        LOGGER.error("Launch %d failed: %s", launch.number, reason)
        self._registry.note_launch(launch.number, state=State.FAILED, reason=reason)

    def _hold(self, session: Session, cohort: Mapping[str, Terms], members: Mapping[str, Member]) -> None:
        """Hold a round; a plan whose model has run away is marked as failed.

        Who may take part is looked after in the middle of it too: an answer of somebody who is revoked does not count.
        """
        online = [name for name in cohort if self._members.is_online(members[name])]

        def withdrawn() -> set[str]:
            now = self._admit()
            return {name for name in cohort if name not in now or now[name].node_id != members[name].node_id}

        try:
            rounds = self._rounds if session.proposal.roster is None else self._sums
            rounds.hold(session, cohort, members, online=online, withdrawn=withdrawn)
        except MessageError as error:
            self._fail(session.launch, str(error))

    def _note_waiting(self, launch: Launch, cohort: Mapping[str, Terms]) -> None:
        declined = [
            terms.member for terms in self._registry.terms(launch.number) if is_declined(terms) and not terms.is_lapsed
        ]
        reason = f"waits for members: {len(cohort)} of the {launch.quorum} that its quorum asks for have accepted" + (
            f"; declined: {', '.join(declined)}" if declined else ""
        )
        if launch.reason != reason:
            self._registry.note_launch(launch.number, reason=reason)

    def _has_just_rehearsed(self, session: Session) -> bool:
        """Whether a rehearsal has ended whose model is not released yet; nothing is asked in between."""
        if session.state.round_number != session.legs[0].last_round:
            return False
        return all(model.launch != session.launch.number for model in self._registry.models())

    def _release_rehearsal(self, session: Session) -> None:
        file = f"{session.launch.run_hash}.rehearsal.safetensors"
        model_hash = self._deliveries.release(session.launch, session.proposal, session.state, file=file)
        session.journal.write("rehearsed", round=session.state.round_number, model=model_hash)

    def _finish(self, session: Session) -> None:
        file = f"{session.launch.run_hash}.safetensors"
        model_hash = self._deliveries.release(session.launch, session.proposal, session.state, file=file)
        session.journal.write("finished", round=session.state.round_number, model=model_hash)
        self._registry.finish(session.launch.number, round_number=session.state.round_number)


def coordinate(home: CoordinatorFolder) -> None:
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
        coordinator = Coordinator(home, registry=registry, superlink=superlink, grid=grid, key=key)
        LOGGER.info("The coordinator is ready.")
        while True:
            try:
                if pause_seconds := coordinator.turn():
                    wait_for_news(grid, shortest=pause_seconds, longest=pause_seconds)
            except OSError as error:
                raise cannot_go_on(home, error) from error


def cannot_go_on(home: CoordinatorFolder, error: OSError) -> HansaError:
    """Say that a file could not be written: nothing follows from what is not on the disk."""
    return HansaError(
        f"The coordinator cannot go on in {home.folder.resolve()}: {error.strerror}; make room, or make the folder "
        "writable: it is tried again, and no round is lost."
    )
