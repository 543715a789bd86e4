"""One cohort's part of a round of secure sums: keys → shares → masked sums → one set → its sum.

A round with fewer masked sums than the threshold is asked for again in the same words, of the same participants. Once a
set of survivors was put to the members, the round is spent for this cohort, whatever becomes of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from flwr.serverapp import Grid
from jaxtyping import Int64
from torch import Tensor

from common.errors import MessageError
from common.message.round import RoundRequest
from common.message.sum_place import Place
from common.privacy.lattice import to_real
from common.privacy.mechanism import UNCLIPPED_NORM, Mechanism
from common.secure_sum.keys import SignedKeys
from server.round.aggregation import NORM_SLACK
from server.round.sum_book import Step
from server.round.sum_cohort import Asking, CohortRound, OpenRound, SignCall, SumCohort
from server.round.sum_trips import SumTrips
from server.secure_sum.round import SumRound

MOST_ATTEMPTS = (
    5  # to get enough masked sums of the same participants, while enough members are there for another round
)
SPENT = (
    "the round is spent: no other set of its merchants is ever summed, and the next round goes on from the same model"
)


class Missed(Exception):
    """A round that is asked for again."""


class Spent(Exception):
    """A round that is never asked for again."""


async def hold_cohort(
    grid: Grid, sums: SumCohort, request: RoundRequest, asking: Asking, *, others: bool = False
) -> CohortRound:
    """Hold a round in one cohort; while it waits, others are held.

    Guarantee: of one round at most one set is ever put to the members, also over restarts.

    Parameters
    ----------
    others
        Whether the round can go on without this cohort, since another has enough for a sum.
    """
    number, threshold = request.round_number, sums.session.threshold
    if others and not sums.has_enough:
        return CohortRound(number, is_over=True, failure=f"{len(sums.names)} of the {threshold} of a sum have accepted")
    trips = SumTrips(
        grid,
        sums.session,
        Place(request.plan_hash, sums.session.hash, number),
        names=sums.names,
        timeout_seconds=sums.federation.timeout_seconds,
        not_awaited=asking.not_awaited,
        withdrawn=asking.withdrawn,
    )
    can_go_on = others or len(sums.names.keys() - set(asking.not_awaited)) >= threshold
    try:
        opened = await _open(trips, sums, request, can_go_on=can_go_on)
        await _gather_masked(trips, sums, opened, request, sign_call=asking.sign_call, can_go_on=can_go_on)
        held = await _sum_up(trips, sums, opened, asking)
    except Missed as missed:
        held = CohortRound(number, failure=str(missed))
    except Spent as spent:
        held = CohortRound(number, is_over=True, failure=str(spent))
    if sums.open is not None and sums.open.sums.round_number == number:
        held = replace(held, blame=sums.open.sums.blame())
        sums.broken.update(held.blame.owners)
    refused = {name: refusal for name, refusal in trips.refused.items() if name not in held.survivors}
    return replace(
        held,
        refused=refused,
        trips=trips.seconds,
        sent_bytes=trips.sent_bytes,
        received_bytes=trips.received_bytes,
    )


async def _sum_up(trips: SumTrips, sums: SumCohort, opened: OpenRound, asking: Asking) -> CohortRound:
    """Put the set of those whose masked sums have come to them, and take the masks off."""
    for name, vector in opened.masked.items():
        opened.sums.add_masked(name, vector)
    survivors, number = opened.sums.survivors(), opened.sums.round_number
    asking.note_answers(number, survivors)
    total = await _agree(trips, sums, opened, survivors)
    return CohortRound(number, survivors, _size_of(sums, survivors), total, is_over=True)


async def _open(trips: SumTrips, sums: SumCohort, request: RoundRequest, *, can_go_on: bool) -> OpenRound:
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
    await trips.gather_keys(book, num_rounds=sums.num_rounds)
    known = book.keys(number)
    keyed = book.fixed(number, Step.KEYS)
    if not keyed:
        if len(known) < threshold:
            raise Missed(f"round {number} has the keys of {len(known)} of the {threshold} members that it needs")
        keyed = book.fix(number, Step.KEYS, known)
    keys = {name: known[name] for name in keyed}
    if not book.fixed(number, Step.SHARES) and await trips.gather_shares(book, keys):
        await trips.gather_keys(book, num_rounds=sums.num_rounds)
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


async def _gather_masked(
    trips: SumTrips,
    sums: SumCohort,
    opened: OpenRound,
    request: RoundRequest,
    *,
    sign_call: SignCall,
    can_go_on: bool,
) -> None:
    book, following, threshold = sums.book, request.round_number + 1, sums.session.threshold
    opened.attempts += 1
    asked = replace(request, call=sign_call(request, opened.sums.participants()))
    await trips.gather_masked(opened.sums, asked, book, have=opened.masked, next_keys=_next_keys(sums, following))
    if len(opened.masked) >= threshold:
        return
    said = f"round {request.round_number} has {len(opened.masked)} of the {threshold} masked sums that it needs"
    if opened.attempts >= MOST_ATTEMPTS and can_go_on:
        book.choose(request.round_number)  # no set ever will be
        raise Spent(f"{said} after {opened.attempts} attempts, and others are there; {SPENT}")
    raise Missed(said)


def _next_keys(sums: SumCohort, number: int) -> Mapping[str, SignedKeys]:
    """Fix whose keys the next round has, where they are enough; they ride along with this one."""
    if number > sums.num_rounds:
        return {}
    known = sums.book.keys(number)
    if len(known) < sums.session.threshold and not sums.book.fixed(number, Step.KEYS):
        return {}
    return {name: known[name] for name in sums.book.fix(number, Step.KEYS, known)}


async def _agree(
    trips: SumTrips, sums: SumCohort, opened: OpenRound, survivors: Collection[str]
) -> Int64[Tensor, " parameter"]:
    """Put the set to its members, and take the masks off; from here on the round is spent."""
    number, threshold = opened.sums.round_number, sums.session.threshold
    sums.book.choose(number)
    if not await trips.agree(opened.sums, survivors):
        raise Spent(f"fewer than {threshold} members signed and revealed what fits in round {number}; {SPENT}")
    try:
        total = torch.from_numpy(await trips.total())
        check_sum_norm(total, sums.mechanism, size_class=_size_of(sums, survivors), num_members=len(survivors))
    except MessageError as error:
        raise Spent(f"round {number} gives no sum ({error}); {SPENT}") from error
    return total


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


def _size_of(sums: SumCohort, survivors: Collection[str]) -> int:
    return sum(sums.session.peer(name).size_class for name in survivors)
