"""The core of a round, for whoever drives it: ask → gather → judge → note → quorum → step → checkpoint.

`server.coordinator.session` drives it over the network, `simulation.engine.rounds` in one process and on Ray. One
round reads through six files: `server.round.federation` → `server.round.collection` → `common.message.round` →
`client.round.answers` → `client.round.training` → `server.round.aggregation`. No data is ever seen on this side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from flwr.serverapp import Grid
from jaxtyping import Float64
from torch import Tensor

from common.errors import ConfigError, MessageError
from common.message.round import RoundRequest
from common.message.vector import hash_vector
from common.plan.leg import Leg, leg_of
from common.plan.schema import Plan, TrainingPlan
from server.round.aggregation import Terms, check_norm, combine
from server.round.checkpoint import load_checkpoint, save_checkpoint
from server.round.collection import Cause, Refusal, RoundOutcome, Word, gather_answers, say_the_same
from server.round.optimizer import ServerState, advance, restart

NoteAnswers = Callable[[int, RoundOutcome], None]


@dataclass(frozen=True)
class Federation:
    """What the coordinator decided before a round.

    Attributes
    ----------
    plan
        Names the run on every message, and caps the merchants' weights.
    training
        The rounds and the optimiser's rates: `plan.privacy.training` where there is noise, else
        `plan.federation.training`.
    cohort
        The public terms of every merchant, by node id.
    quorum
        The fewest sound answers that make a round.
    timeout_seconds
        How long a round waits for answers.
    checkpoint
        Where the state is kept after every round, and taken up again; None keeps nothing.
    legs
        Of a plan that rehearses (`common.plan.leg`); none is one leg of all rounds.

    Raises
    ------
    ConfigError
        If nobody takes part, some merchants add noise and others do not, the quorum cannot be reached, or there is
        no time.
    """

    plan: Plan
    training: TrainingPlan
    cohort: Mapping[int, Terms]
    quorum: int
    timeout_seconds: float
    checkpoint: Path | None = None
    legs: tuple[Leg, ...] = ()

    def __post_init__(self) -> None:
        number = len(self.cohort)
        if not number:
            raise ConfigError("A federation has no merchant; enrol one first.")
        if len({terms.mechanism.noise_multiplier > 0 for terms in self.cohort.values()}) > 1:
            raise ConfigError("Some merchants of a federation add noise and others do not; make it two federations.")
        if not 1 <= self.quorum <= number:
            raise ConfigError(f"A quorum of {self.quorum} cannot be met by {number} nodes; choose 1 to {number}.")
        if not self.timeout_seconds > 0:
            raise ConfigError(
                f"A round cannot end within {self.timeout_seconds} seconds; choose a positive timeout_seconds."
            )

    @property
    def run_hash(self) -> str:
        """Names the plan, and whether it runs with noise, on every message and checkpoint."""
        private = next(iter(self.cohort.values())).mechanism.noise_multiplier > 0
        return self.plan.run_hash(private=private)


@dataclass(frozen=True)
class HeldRound:
    """What a round came to.

    Attributes
    ----------
    seconds
        From the sending of the requests to the last answer that was waited for.
    state
        After the step; None where fewer than the quorum answered. Then nothing has changed, and the round may be
        asked for again in the same words.
    """

    round_number: int
    outcome: RoundOutcome
    seconds: float
    state: ServerState | None


def hold_round(
    grid: Grid,
    federation: Federation,
    state: ServerState,
    *,
    not_awaited: Collection[int] = (),
    note_answers: NoteAnswers = lambda round_number, outcome: None,
    withdrawn: Callable[[], Collection[int]] = tuple,
    word: Word = say_the_same,
) -> HeldRound:
    """Hold the round after `state`.

    Guarantee: ends at most one pass over the open answers after the federation's timeout, whatever the merchants do.
    Once this returns a new state, its checkpoint is on the disk.

    Parameters
    ----------
    not_awaited
        Nodes of the cohort that are asked too, but hold nobody up once there is a quorum.
    note_answers
        Called with the round's number and who answered before anything follows from the answers, so that no crash
        makes a release count fewer answers than are in it.
    withdrawn
        As in `gather_answers`.
    word
        Says the request to each node: what a network adds to a round, which is its coordinator's signature, stands
        there alone.
    """
    request = make_request(state, plan_hash=federation.run_hash)
    started = time.monotonic()
    gathered = gather_answers(
        grid,
        request=request,
        node_ids=federation.cohort.keys(),
        timeout_seconds=federation.timeout_seconds,
        quorum=federation.quorum,
        not_awaited=not_awaited,
        withdrawn=withdrawn,
        word=word,
    )
    seconds = time.monotonic() - started
    outcome = _refuse_implausible(gathered, federation.cohort)
    note_answers(request.round_number, outcome)
    after = _close_round(federation, state, outcome) if len(outcome.replies) >= federation.quorum else None
    return HeldRound(request.round_number, outcome, seconds, after)


def step(state: ServerState, outcome: RoundOutcome, federation: Federation) -> ServerState:
    """Take one step of the optimiser from the answers of one round."""
    totals = {node_id: reply.total for node_id, reply in outcome.replies.items()}
    return take_step(state, combine(totals, federation.cohort, cap=federation.plan.federation.weight_cap), federation)


def take_step(state: ServerState, gradient: Float64[Tensor, " parameter"], federation: Federation) -> ServerState:
    """Take one step of the optimiser against a mean gradient, in the leg that the round belongs to."""
    if not federation.legs:
        return advance(state, gradient, federation.training)
    leg = leg_of(federation.legs, state.round_number + 1)
    training = federation.training.model_copy(update={"num_rounds": leg.num_rounds})
    stepped = advance(state, gradient, training, rounds_before=leg.first_round - 1)
    return restart(stepped) if stepped.round_number == leg.last_round != federation.legs[-1].last_round else stepped


def resume(start: ServerState, checkpoint: Path | None, *, run_hash: str) -> ServerState:
    """Take up the checkpoint where there is one, else begin at `start`.

    Raises
    ------
    DataError
        It is damaged.
    ConfigError
        It belongs to another plan.
    """
    if checkpoint is None or not checkpoint.exists():
        return start
    return load_checkpoint(checkpoint, plan_hash=run_hash, size=len(start.parameters))


def make_request(state: ServerState, *, plan_hash: str) -> RoundRequest:
    """Ask for the round after `state`, at its parameters in single precision."""
    parameters = state.parameters.to(torch.float32)
    return RoundRequest(plan_hash, state.round_number + 1, hash_vector(parameters), parameters)


def _close_round(federation: Federation, state: ServerState, outcome: RoundOutcome) -> ServerState:
    after = step(state, outcome, federation)
    if federation.checkpoint is not None:
        save_checkpoint(after, federation.checkpoint, plan_hash=federation.run_hash)
    return after


def _refuse_implausible(outcome: RoundOutcome, cohort: Mapping[int, Terms]) -> RoundOutcome:
    refusals = dict(outcome.refusals)
    for node_id, reply in outcome.replies.items():
        try:
            check_norm(reply.total, cohort[node_id])
        except MessageError as error:
            refusals[node_id] = Refusal(Cause.IMPLAUSIBLE, str(error))
    replies = {node_id: reply for node_id, reply in outcome.replies.items() if node_id not in refusals}
    return RoundOutcome(replies, refusals)
