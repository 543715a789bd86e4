"""The driver of a launch's rounds over the network where trust is in the sum; the sibling of `session.Rounds`.

What a round is, is not said here: that is `server.round.sum_federation`. Killed anywhere before the set of a round was
put to its members, the round is asked for again in the same words; killed after, it is spent.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.serverapp import Grid

from common.errors import DataError, MessageError
from common.message.call import sign_call
from common.message.protocol import SUMS
from common.message.round import RoundRequest
from common.message.signature import Signed
from server.coordinator.session import (
    Session,
    federation_of,
    go_on,
    note_lateness,
    pause,
    who_is_there,
)
from server.registry.registry import Member, Registry
from server.round.aggregation import Terms
from server.round.federation import Federation
from server.round.sum_book import SumBook
from server.round.sum_cohort import Asking, SumCohort
from server.round.sum_federation import HeldSum, hold_sum_round

LOGGER = logging.getLogger(__name__)


def invited(session: Session, members: Mapping[str, Member]) -> dict[str, Member]:
    """Give whom a launch may be proposed to: where trust is in the sum, the roster, as far as it speaks of sums."""
    roster = session.proposal.roster
    if roster is None:
        return dict(members)
    named = {peer.name for peer in roster}
    return {name: member for name, member in members.items() if name in named and member.protocol >= SUMS}


def of_one_noise(session: Session, cohort: Mapping[str, Terms]) -> dict[str, Terms]:
    """Leave out whose terms are not those of the sum: its roster's size class, and the noise that most others have."""
    roster = session.proposal.roster
    if roster is None:
        return dict(cohort)
    sizes = {peer.name: peer.size_class for peer in roster}
    fitting = {name: terms for name, terms in cohort.items() if sizes.get(name) == terms.size_class}
    noises = Counter(terms.mechanism.noise_multiplier for terms in fitting.values())
    usual = max(noises, key=lambda noise: (noises[noise], noise), default=0.0)
    return {name: terms for name, terms in fitting.items() if terms.mechanism.noise_multiplier == usual}


def _open_books(session: Session, number: int) -> list[SumBook]:
    """Open a launch's books, one for each cohort; one that is damaged ends this launch, and no other."""
    names = ["sum.sqlite"] if number == 1 else [f"sum-{place}.sqlite" for place in range(1, number + 1)]
    try:
        return [SumBook(session.folder / name) for name in names]
    except DataError as error:
        raise MessageError(str(error)) from error


class SumRounds:
    """Hold rounds of secure sums over one Grid.

    Parameters
    ----------
    key
        Signs who is asked in a round.
    """

    def __init__(self, registry: Registry, grid: Grid, *, key: Ed25519PrivateKey) -> None:
        self._registry, self._grid, self._key = registry, grid, key
        self._open: dict[int, list[SumCohort]] = {}  # what a launch has of the round under way

    def hold(
        self,
        session: Session,
        cohort: Mapping[str, Terms],
        members: Mapping[str, Member],
        *,
        online: Collection[str],
        withdrawn: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Ask for the next round of a launch, and write down in any case what happened; see `session.Rounds.hold`.

        Raises
        ------
        MessageError
            The plan's model is not finite any more.
        """
        launch, present = session.launch, who_is_there(session, cohort, members, online)

        def note_answers(number: int, survivors: Collection[str]) -> None:
            self._registry.note_answers(launch.number, round_number=number, members=survivors)

        def gone() -> set[int]:
            return present.nodes_of(withdrawn())

        def sign(request: RoundRequest, asked: Collection[str]) -> Signed | None:
            node_keys = [members[name].node_key for name in asked if name in members]
            if len(node_keys) < launch.quorum:  # so many were revoked: nobody is told that it is in such company
                return None
            return sign_call(
                self._key,
                run_hash=request.plan_hash,
                round_number=request.round_number,
                model_hash=request.model_hash,
                quorum=launch.quorum,
                node_keys=node_keys,
            )

        cohorts = self._cohorts(session, federation_of(self._registry, session, cohort, present), present.names)
        asking = Asking(present.not_awaited, note_answers, gone, sign)
        held = hold_sum_round(self._grid, cohorts, session.state, asking)
        note_lateness(session, held.round_number, held.survivors, held.refused, present.awaited)
        self._close(session, held)

    def _cohorts(self, session: Session, federation: Federation, names: Mapping[int, str]) -> list[SumCohort]:
        """Give what is kept of each cohort of a launch, as it is before a round."""
        number = session.launch.number
        if number not in self._open:
            sessions = session.proposal.sessions
            books = _open_books(session, len(sessions))
            self._open[number] = [
                SumCohort(federation, one, book, names) for one, book in zip(sessions, books, strict=True)
            ]
        for sums in self._open[number]:
            own = set(sums.session.names)
            sums.federation, sums.names = federation, {node: name for node, name in names.items() if name in own}
        return self._open[number]

    def _close(self, session: Session, held: HeldSum) -> None:
        launch = session.launch
        for name, sentence in held.blame.sentences.items():
            LOGGER.warning("Launch %d, round %d, %s: %s", launch.number, held.round_number, name, sentence)
        refused = {name: str(refusal) for name, refusal in held.refused.items()} | held.blame.sentences
        said = {
            "round": held.round_number,
            "answered": sorted(held.survivors),
            "refused": dict(sorted(refused.items())),
            "seconds": round(held.seconds, 3),
            "trips": dict(held.trips),
            "sent_bytes": held.sent_bytes,
            "received_bytes": held.received_bytes,
        }
        if held.state is None:
            session.journal.write("missed", **said, reason=held.failure)
            pause(self._registry, session, held.failure)
            return
        reason = {"reason": held.failure} if held.failure else {}
        session.journal.write("round" if held.survivors else "skipped", **said, **reason)
        go_on(self._registry, session, held.state, held.failure)
