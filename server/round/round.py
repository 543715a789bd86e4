"""The coordinator's end of the rounds: ask, check, weigh, take one step, keep it; it never sees data.

One round reads through six files: `server.round.round` → `server.round.collection` → `common.message.round` →
`client.round.answers` → `client.round.training` → `server.round.aggregation`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.errors import ConfigError, MessageError
from common.message.record import hash_vector
from common.message.round import RoundRequest
from common.plan.leg import Leg, leg_of
from common.plan.schema import Plan, TrainingPlan
from server.round.aggregation import Terms, check_norm, combine
from server.round.checkpoint import load_checkpoint, save_checkpoint
from server.round.collection import Cause, Refusal, RoundOutcome, check_terms, gather_answers, require_quorum
from server.round.optimizer import ServerState, advance, restart

LOGGER = logging.getLogger(__name__)

RoundHook = Callable[[ServerState, RoundOutcome], None]


@dataclass(frozen=True)
class Federation:
    """What the coordinator decided before the first round.

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
        If nobody takes part, or some merchants add noise and others do not.
    """

    plan: Plan
    training: TrainingPlan
    cohort: Mapping[int, Terms]
    quorum: int
    timeout_seconds: float
    checkpoint: Path | None = None
    legs: tuple[Leg, ...] = ()

    def __post_init__(self) -> None:
        if not self.cohort:
            raise ConfigError("A federation has no merchant; enrol one first.")
        if len({terms.mechanism.noise_multiplier > 0 for terms in self.cohort.values()}) > 1:
            raise ConfigError("Some merchants of a federation add noise and others do not; make it two federations.")

    @property
    def run_hash(self) -> str:
        """Names the plan, and whether it runs with noise, on every message and checkpoint."""
        private = next(iter(self.cohort.values())).mechanism.noise_multiplier > 0
        return self.plan.run_hash(private=private)


def make_server_app(
    federation: Federation, start: ServerState, *, on_round: RoundHook = lambda state, outcome: None
) -> ServerApp:
    """Make the app that runs all rounds.

    Parameters
    ----------
    federation
        Who takes part, and on what terms.
    start
        The state to begin with, unless the checkpoint is already there.
    on_round
        Called after each round, once its state is kept, with that state and with who answered.

    Returns
    -------
    ServerApp
        Ends with a HansaError where a round misses its quorum; started again, it asks for that round again.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        run_federation(grid, federation, _resume(federation, start), on_round=on_round)

    return app


def run_federation(grid: Grid, federation: Federation, state: ServerState, *, on_round: RoundHook) -> ServerState:
    """Run the rounds that `state` has still before it, and return the state after the last."""
    while state.round_number < federation.training.num_rounds:
        outcome = ask_cohort(grid, federation, state)
        state = step(state, outcome, federation)
        if federation.checkpoint is not None:
            save_checkpoint(state, federation.checkpoint, plan_hash=federation.run_hash)
        on_round(state, outcome)
    return state


def ask_cohort(grid: Grid, federation: Federation, state: ServerState) -> RoundOutcome:
    """Ask everyone for the round after `state`, and keep the answers that are sound and plausible.

    Raises
    ------
    HansaError
        If these are fewer than the quorum.
    """
    check_terms(federation.cohort, timeout_seconds=federation.timeout_seconds, quorum=federation.quorum)
    outcome = gather_plausible(grid, federation, state)
    for node_id, refusal in outcome.refusals.items():
        LOGGER.warning("Round %d goes on without node %d: %s", state.round_number + 1, node_id, refusal)
    require_quorum(outcome, round_number=state.round_number + 1, quorum=federation.quorum)
    return outcome


def gather_plausible(
    grid: Grid, federation: Federation, state: ServerState, *, unawaited: Collection[int] = ()
) -> RoundOutcome:
    """Ask everyone for the round after `state`; answers that are not sound or plausible are refused with a reason.

    Parameters
    ----------
    unawaited
        Nodes of the cohort that are asked too, but hold nobody up once there is a quorum.
    """
    outcome = gather_answers(
        grid,
        request=make_request(state, plan_hash=federation.run_hash),
        node_ids=federation.cohort.keys(),
        timeout_seconds=federation.timeout_seconds,
        quorum=federation.quorum,
        unawaited=unawaited,
    )
    return _refuse_implausible(outcome, federation.cohort)


def step(state: ServerState, outcome: RoundOutcome, federation: Federation) -> ServerState:
    """Take one step of the optimiser from the answers of one round."""
    totals = {node_id: reply.total for node_id, reply in outcome.replies.items()}
    gradient = combine(totals, federation.cohort, cap=federation.plan.federation.weight_cap)
    if not federation.legs:
        return advance(state, gradient, federation.training)
    leg = leg_of(federation.legs, state.round_number + 1)
    training = federation.training.model_copy(update={"num_rounds": leg.num_rounds})
    stepped = advance(state, gradient, training, rounds_before=leg.first_round - 1)
    return restart(stepped) if stepped.round_number == leg.last_round != federation.legs[-1].last_round else stepped


def make_request(state: ServerState, *, plan_hash: str) -> RoundRequest:
    """Ask for the round after `state`, at its parameters in single precision."""
    parameters = state.parameters.to(torch.float32)
    return RoundRequest(plan_hash, state.round_number + 1, hash_vector(parameters), parameters)


def _resume(federation: Federation, start: ServerState) -> ServerState:
    path = federation.checkpoint
    if path is None or not path.exists():
        return start
    return load_checkpoint(path, plan_hash=federation.run_hash, size=len(start.parameters))


def _refuse_implausible(outcome: RoundOutcome, cohort: Mapping[int, Terms]) -> RoundOutcome:
    refusals = dict(outcome.refusals)
    for node_id, reply in outcome.replies.items():
        try:
            check_norm(reply.total, cohort[node_id])
        except MessageError as error:
            refusals[node_id] = Refusal(Cause.IMPLAUSIBLE, str(error))
    replies = {node_id: reply for node_id, reply in outcome.replies.items() if node_id not in refusals}
    return RoundOutcome(replies, refusals)
