"""The driver of a federation's rounds where nobody is away for long: in one process, or on Ray.

What a round is, is not said here: that is `server.round.federation`, as over the network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flwr.serverapp import Grid

from common.errors import HansaError
from server.round.collection import RoundOutcome
from server.round.federation import Federation, HeldRound, hold_round, resume
from server.round.optimizer import ServerState

LOGGER = logging.getLogger(__name__)
RoundHook = Callable[[ServerState, RoundOutcome], None]


def run_rounds(
    grid: Grid,
    federation: Federation,
    start: ServerState,
    *,
    on_round: RoundHook = lambda state, outcome: None,
) -> ServerState:
    """Run the rounds that `start`, or the federation's checkpoint, has still before it.

    Parameters
    ----------
    on_round
        Called after each round, once its state is kept, with that state and with who answered.

    Returns
    -------
    ServerState
        After the last round.

    Raises
    ------
    HansaError
        A round missed its quorum; started again, it is asked for again.
    """
    state = resume(start, federation.checkpoint, run_hash=federation.run_hash)
    while state.round_number < federation.training.num_rounds:
        held = hold_round(grid, federation, state)
        for node_id, refusal in held.outcome.refusals.items():
            LOGGER.warning("Round %d goes on without node %d: %s", held.round_number, node_id, refusal)
        if held.state is None:
            raise _missed(held, quorum=federation.quorum)
        state = held.state
        on_round(state, held.outcome)
    return state


def _missed(held: HeldRound, *, quorum: int) -> HansaError:
    reasons = "; ".join(f"node {node_id}: {refusal}" for node_id, refusal in held.outcome.refusals.items())
    return HansaError(
        f"Round {held.round_number} has {len(held.outcome.replies)} of the {quorum} answers that its quorum asks"
        f" for ({reasons}); bring these merchants back or lower the quorum."
    )
