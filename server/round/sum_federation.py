"""A round of secure sums, for whoever drives it: one sum of each cohort → their mean → step.

The sibling of `server.round.federation`, which holds rounds whose sums the coordinator sees. What is different:

- Up to 300 merchants are one cohort. Of more, or where the plan says so, each cohort has a sum of its own
  (`common.secure_sum.cohort`, `server.round.sum_attempt`), and the coordinator sees one sum of each.
- A round is over once it is over in every cohort. One without a sum is left out; where none has one, the state stays
  as it was and the next round follows.
- The mean is the sum over all survivors, divided by the sum of their size classes; there are no weights.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from flwr.serverapp import Grid
from jaxtyping import Float64, Int64
from torch import Tensor

from common.message.round import RoundRequest
from common.plan.leg import leg_of
from common.privacy.lattice import to_real
from common.privacy.mechanism import Mechanism
from server.round.checkpoint import save_checkpoint
from server.round.collection import Refusal
from server.round.federation import Federation, make_request, take_step
from server.round.optimizer import ServerState, restart
from server.round.sum_attempt import hold_cohort
from server.round.sum_cohort import Asking, CohortRound, SumCohort
from server.secure_sum.blame import Blame


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
        From the first question to the sums, and of each trip by its name, in the cohort where it took longest.
    state
        After the step, or after a round that is spent; None where the round is asked for again in the same words.
    failure
        Why a cohort has no sum, or several; empty where all have.
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
    grid: Grid, cohorts: Sequence[SumCohort], state: ServerState, asking: Asking | None = None
) -> HeldSum:
    """Hold the round after `state`, in all cohorts side by side: each has a session and a book of its own.

    Guarantee: of one round at most one set of each cohort is ever put to its members, also over restarts. Once this
    returns a new state, its checkpoint is on the disk.
    """
    began, federation = time.monotonic(), cohorts[0].federation
    request = make_request(state, plan_hash=federation.run_hash)
    held = asyncio.run(_hold_cohorts(grid, cohorts, request, asking or Asking()))
    after = _go_on(state, cohorts, held)
    if after is not None:
        if federation.checkpoint is not None:
            save_checkpoint(after, federation.checkpoint, plan_hash=federation.run_hash)
        for sums in cohorts:
            sums.open, sums.held, sums.openings = None, None, 0
            sums.book.forget(before=request.round_number + 1)
    return _report(held, after, seconds=time.monotonic() - began)


async def _hold_cohorts(
    grid: Grid, cohorts: Sequence[SumCohort], request: RoundRequest, asking: Asking
) -> list[CohortRound]:
    async def hold(sums: SumCohort) -> CohortRound:
        if sums.held is not None and sums.held.round_number == request.round_number and sums.held.is_over:
            sums.held = sums.held.said_before()
        else:
            others = any(other.has_enough for other in cohorts if other is not sums)
            sums.held = await hold_cohort(grid, sums, request, asking, others=others)
        return sums.held

    ended = await asyncio.gather(*map(hold, cohorts), return_exceptions=True)  # no cohort's fault cuts another short
    for end in ended:
        if isinstance(end, BaseException):
            raise end
    return [end for end in ended if not isinstance(end, BaseException)]


def _go_on(state: ServerState, cohorts: Sequence[SumCohort], held: Sequence[CohortRound]) -> ServerState | None:
    """Step with the sums that there are, once the round is over in every cohort."""
    if not all(one.is_over for one in held):
        return None
    federation = cohorts[0].federation
    totals = [one.total for one in held if one.total is not None]
    if not totals:
        return skip(state, federation)
    size_class = sum(one.size_class for one in held)
    parts = [mean_of(total, cohorts[0].mechanism, size_class=size_class) for total in totals]
    gradient = torch.stack(parts).sum(0)
    return take_step(state, gradient, federation)


def _report(held: Sequence[CohortRound], after: ServerState | None, *, seconds: float) -> HeldSum:
    trips = dict[str, float]()
    for one in held:
        trips |= {name: max(seconds, trips.get(name, 0.0)) for name, seconds in one.trips.items()}
    return HeldSum(
        held[0].round_number,
        tuple(sorted(name for one in held for name in one.survivors)),
        {name: refusal for one in held for name, refusal in one.refused.items()},
        seconds,
        trips,
        sum(one.sent_bytes for one in held),
        sum(one.received_bytes for one in held),
        after,
        "; ".join(one.failure for one in held if one.failure),
        Blame(
            {name: said for one in held for name, said in one.blame.owners.items()},
            {name: said for one in held for name, said in one.blame.holders.items()},
        ),
    )


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
