"""The core of a round of a secure sum, for whoever drives it: keys → shares → masked sums → one set → its sum → step.

The sibling of `server.round.federation`, which holds rounds whose sums the coordinator sees. What is different:

- A round with fewer masked sums than the threshold is asked for again in the same words, of the same participants.
- Once a set of survivors was put to the members, the round is spent, whatever becomes of it: where it fails, the
  state stays as it was and the next round follows.
- The mean is the sum over all survivors, divided by the sum of their size classes; there are no weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from flwr.serverapp import Grid
from jaxtyping import Float64, Int64
from torch import Tensor

from common.errors import MessageError
from common.message.round import RoundRequest
from common.message.signature import Signed
from common.message.sum_place import Place
from common.plan.leg import leg_of
from common.privacy.lattice import to_real
from common.privacy.mechanism import UNCLIPPED_NORM, Mechanism
from common.secure_sum.keys import SignedKeys
from common.secure_sum.mask import Vector
from common.secure_sum.roster import Session
from server.round.aggregation import NORM_SLACK
from server.round.checkpoint import save_checkpoint
from server.round.collection import Refusal
from server.round.federation import Federation, make_request, take_step
from server.round.optimizer import ServerState, restart
from server.round.sum_book import Step, SumBook
from server.round.sum_trips import SumTrips
from server.secure_sum.blame import Blame
from server.secure_sum.round import SumRound

SignCall = Callable[[RoundRequest, Collection[str]], Signed | None]
MOST_ATTEMPTS = (
    5  # to get enough masked sums of the same participants, while enough members are there for another round
)
SPENT = (
    "the round is spent: no other set of its merchants is ever summed, and the next round goes on from the same model"
)


@dataclass
class OpenRound:
    """What came of a round so far, kept from one attempt to the next.

    Attributes
    ----------
    masked
        The masked sums that have come, by member.
    """

    sums: SumRound
    masked: dict[str, Vector] = field(default_factory=dict)
    attempts: int = 0


@dataclass
class SumFederation:
    """What the coordinator decided before a round, and what it keeps.

    Attributes
    ----------
    federation
        Its cohort is everyone in the roster who has accepted, and its quorum the threshold.
    names
        Of everyone in the cohort, by node id.
    open
        The round under way, if there is one.
    openings
        How often a round was tried to be begun in vain.
    broken
        Members who made wrong shares: no later round is begun with them, until the process is started again.
    """

    federation: Federation
    session: Session
    book: SumBook
    names: Mapping[int, str]
    open: OpenRound | None = None
    openings: int = 0
    broken: set[str] = field(default_factory=set)

    @property
    def num_rounds(self) -> int:
        """How many rounds the plan has."""
        return self.federation.training.num_rounds

    @property
    def mechanism(self) -> Mechanism:
        """What each merchant does; the same for all."""
        return next(iter(self.federation.cohort.values())).mechanism


@dataclass(frozen=True)
class HeldSum:
    """What a round came to.

    Attributes
    ----------
    survivors
        Whose sums are in the round's; nobody where there is none.
    refused
        Why the answer of a member does not count, by name.
    seconds, trips
        From the first question to the sum, and of each trip by its name.
    state
        After the step, or after a round that is spent; None where the round is asked for again in the same words.
    failure
        Why there is no sum; empty where there is one.
    blame
        Who told shares that do not fit, or made them, whether or not there is a sum.
    """

    round_number: int
    survivors: tuple[str, ...]
    refused: Mapping[str, Refusal]
    seconds: float
    trips: Mapping[str, float]
    sent_bytes: int
    received_bytes: int
    state: ServerState | None
    failure: str = ""
    blame: Blame = field(default_factory=Blame)


def hold_sum_round(
    grid: Grid,
    sums: SumFederation,
    state: ServerState,
    *,
    not_awaited: Collection[int] = (),
    note_answers: Callable[[int, Collection[str]], None] = lambda round_number, names: None,
    withdrawn: Callable[[], Collection[int]] = tuple,
    sign_call: SignCall = lambda request, names: None,
) -> HeldSum:
    """Hold the round after `state`.

    Guarantee: of one round at most one set is ever put to the members, also over restarts. Once this returns a new
    state, its checkpoint is on the disk.

    Parameters
    ----------
    not_awaited
        Nodes of the cohort that are asked too, but hold nobody up once there are enough.
    note_answers
        Called with the round's number and whose sums are in it, before anything follows from them.
    withdrawn
        Asked again and again: nodes that take no part any more.
    sign_call
        Signs who is asked, by name; in one process nobody does.
    """
    began = time.monotonic()
    request = make_request(state, plan_hash=sums.federation.run_hash)
    trips = SumTrips(
        grid,
        sums.session,
        Place(request.plan_hash, sums.session.hash, request.round_number),
        names=sums.names,
        timeout_seconds=sums.federation.timeout_seconds,
        not_awaited=not_awaited,
        withdrawn=withdrawn,
    )
    survivors, blame = tuple[str, ...](), Blame()
    can_go_on = len(sums.names.keys() - set(not_awaited)) >= sums.session.threshold
    try:
        opened = _open(trips, sums, request, can_go_on=can_go_on)
        _gather_masked(trips, sums, opened, request, sign_call=sign_call, can_go_on=can_go_on)
        for name, vector in opened.masked.items():
            opened.sums.add_masked(name, vector)
        survivors = opened.sums.survivors()
        note_answers(request.round_number, survivors)
        try:
            total = _agree(trips, sums, opened, survivors)
        finally:
            blame = opened.sums.blame()
            sums.broken.update(blame.owners)
        after = _step(sums, state, total, survivors)
        failure = ""
    except Missed as missed:
        after, failure = None, str(missed)
    except Spent as spent:
        after, survivors, failure = skip(state, sums.federation), (), str(spent)
    if after is not None:
        sums.open, sums.openings = None, 0
        if sums.federation.checkpoint is not None:
            save_checkpoint(after, sums.federation.checkpoint, plan_hash=sums.federation.run_hash)
        sums.book.forget(before=request.round_number + 1)
    return HeldSum(
        request.round_number,
        survivors,
        {name: refusal for name, refusal in trips.refused.items() if name not in survivors},
        time.monotonic() - began,
        trips.seconds,
        trips.sent_bytes,
        trips.received_bytes,
        after,
        failure,
        blame,
    )


class Missed(Exception):
    """A round that is asked for again."""


class Spent(Exception):
    """A round that is never asked for again."""


def _open(trips: SumTrips, sums: SumFederation, request: RoundRequest, *, can_go_on: bool) -> OpenRound:
    """Begin a round, or take it up: fix whose keys and whose shares are in it.

    Parameters
    ----------
    can_go_on
        Whether enough members are there for a round, be they in this one or not.
    """
    book, number, threshold = sums.book, request.round_number, sums.session.threshold
    if book.is_chosen(number):
        raise Spent(f"the coordinator was stopped after round {number}'s set of merchants was chosen; {SPENT}")
    if sums.open is not None and sums.open.sums.round_number == number:
        return sums.open
    trips.gather_keys(book, num_rounds=sums.num_rounds)
    known = book.keys(number)
    keyed = book.fixed(number, Step.KEYS)
    if not keyed:
        if len(known) < threshold:
            raise Missed(f"round {number} has the keys of {len(known)} of the {threshold} members that it needs")
        keyed = book.fix(number, Step.KEYS, known)
    keys = {name: known[name] for name in keyed}
    if not book.fixed(number, Step.SHARES) and trips.gather_shares(book, keys):
        trips.gather_keys(book, num_rounds=sums.num_rounds)
    opened = OpenRound(SumRound(sums.session, number, request.model_hash, size=len(request.parameters)))
    for name, signed in keys.items():
        opened.sums.add_keys(name, signed)
    opened.sums.keys()
    shares = {name: found for name, found in book.shares(number).items() if name in keys.keys() - sums.broken}
    if len(shares) < threshold:
        said = f"round {number} has the shares of {len(shares)} of the {threshold} members that it needs"
        sums.openings += 1
        if sums.openings >= MOST_ATTEMPTS and can_go_on:
            book.choose(number)  # no set ever will be
            raise Spent(f"{said} after {sums.openings} attempts, and others are there; {SPENT}")
        raise Missed(said)
    for name in book.fix(number, Step.SHARES, shares):
        opened.sums.add_shares(name, shares[name])
    opened.sums.participants()
    sums.open = opened
    return opened


def _gather_masked(
    trips: SumTrips,
    sums: SumFederation,
    opened: OpenRound,
    request: RoundRequest,
    *,
    sign_call: SignCall,
    can_go_on: bool,
) -> None:
    book, following, threshold = sums.book, request.round_number + 1, sums.session.threshold
    opened.attempts += 1
    asked = replace(request, call=sign_call(request, opened.sums.participants()))
    trips.gather_masked(opened.sums, asked, book, have=opened.masked, next_keys=_next_keys(sums, following))
    if len(opened.masked) >= threshold:
        return
    said = f"round {request.round_number} has {len(opened.masked)} of the {threshold} masked sums that it needs"
    if opened.attempts >= MOST_ATTEMPTS and can_go_on:
        book.choose(request.round_number)  # no set ever will be
        raise Spent(f"{said} after {opened.attempts} attempts, and others are there; {SPENT}")
    raise Missed(said)


def _next_keys(sums: SumFederation, number: int) -> Mapping[str, SignedKeys]:
    """Fix whose keys the next round has, where they are enough; they ride along with this one."""
    if number > sums.num_rounds:
        return {}
    known = sums.book.keys(number)
    if len(known) < sums.session.threshold and not sums.book.fixed(number, Step.KEYS):
        return {}
    return {name: known[name] for name in sums.book.fix(number, Step.KEYS, known)}


def _agree(
    trips: SumTrips, sums: SumFederation, opened: OpenRound, survivors: Collection[str]
) -> Int64[Tensor, " parameter"]:
    """Put the set to its members, and take the masks off; from here on the round is spent."""
    number, threshold = opened.sums.round_number, sums.session.threshold
    sums.book.choose(number)
    if not trips.agree(opened.sums, survivors):
        raise Spent(f"fewer than {threshold} members signed and revealed what fits in round {number}; {SPENT}")
    try:
        total = torch.from_numpy(opened.sums.total())
        check_sum_norm(total, sums.mechanism, size_class=_size_of(sums, survivors), num_members=len(survivors))
    except MessageError as error:
        raise Spent(f"round {number} gives no sum ({error}); {SPENT}") from error
    return total


def _step(
    sums: SumFederation, state: ServerState, total: Int64[Tensor, " parameter"], survivors: Collection[str]
) -> ServerState:
    gradient = mean_of(total, sums.mechanism, size_class=_size_of(sums, survivors))
    return take_step(state, gradient, sums.federation)


def skip(state: ServerState, federation: Federation) -> ServerState:
    """Go on to the round after a spent one with everything else as it was."""
    after = replace(state, round_number=state.round_number + 1)
    if not federation.legs:
        return after
    leg = leg_of(federation.legs, after.round_number)
    return restart(after) if after.round_number == leg.last_round != federation.legs[-1].last_round else after


def mean_of(
    total: Int64[Tensor, " parameter"], mechanism: Mechanism, *, size_class: int
) -> Float64[Tensor, " parameter"]:
    """Divide a sum by the size classes that are in it, all together: the mean gradient of one entity."""
    return to_real(total, mechanism.lattice_step) / size_class


def check_sum_norm(
    total: Int64[Tensor, " parameter"], mechanism: Mechanism, *, size_class: int, num_members: int
) -> None:
    """Refuse a sum that no honest merchants send together.

    Notes
    -----
    As `server.round.aggregation.norm_bound`, with the entities of all and with all their independent noises, whose sum
    has the standard deviation √num_members·σ·C. One merchant can spoil a sum within it; that it cannot be told whose
    sum was too long is what the secure sum gives away, see docs/privacy.md.

    Raises
    ------
    MessageError
        If its norm is above that.
    """
    entity_norm = UNCLIPPED_NORM if mechanism.clipping_norm is None else mechanism.clipping_norm
    noise_std = math.sqrt(num_members) * mechanism.noise_std
    bound = size_class * entity_norm + noise_std * (math.sqrt(len(total)) + NORM_SLACK)
    norm = float(torch.linalg.vector_norm(to_real(total, mechanism.lattice_step)))
    if not norm <= bound:
        raise MessageError(f"a sum has norm {norm:.6g}, its merchants' terms allow {bound:.6g}")


def _size_of(sums: SumFederation, survivors: Collection[str]) -> int:
    return sum(sums.session.peer(name).size_class for name in survivors)
