"""The slow engine: a whole federation through the very ClientApp and the very rounds that deployment runs.

What `simulation.engine.batch` computes in one batch passes here through messages, merchant by merchant. Where the
two differ by more than rounding, one of them is wrong.
"""

from __future__ import annotations

import torch

from client.round.answers import Answers, Merchant, make_client_app
from common.model.demand_gru import DemandGRU, get_vector, set_vector
from common.model.features import Series
from common.plan.schema import Plan, TrainingPlan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
from server.round.aggregation import Terms
from server.round.federation import Federation
from server.round.optimizer import ServerState, start_state
from simulation.engine.batch import Cohort
from simulation.engine.grid import SERVER_NODE_ID, InProcessGrid, make_context
from simulation.engine.rounds import RoundHook, run_rounds

FIRST_NODE_ID = SERVER_NODE_ID + 1


def federate_flower(
    model: DemandGRU,
    series: Series,
    cohort: Cohort,
    mechanism: Mechanism,
    *,
    plan: Plan,
    training: TrainingPlan,
    noise: NoiseSource,
    device: torch.device,
    state: ServerState | None = None,
    quorum: int | None = None,
    timeout_seconds: float = 600.0,
    on_round: RoundHook = lambda state, outcome: None,
) -> ServerState:
    """Run all rounds, from `state` where one is given, and leave the averaged model in `model`.

    Parameters
    ----------
    model
        Where the rounds start, unless `state` is given.
    series
        The entities of all merchants.
    cohort
        Whose entity is whose; merchant i has the node id `FIRST_NODE_ID` + i.
    mechanism
        The same at every merchant.
    plan
        Its hash is on every message, its weight cap holds.
    training
        Rounds and rates; every merchant agrees to as many rounds.
    noise
        Asked by every merchant in turn.
    device
        Where gradients are computed.
    quorum
        The fewest sound answers that make a round; all of them by default.
    timeout_seconds
        What each merchant may take for a round, by a clock of its own.
    on_round
        Called after each round with the new state and with who answered; no merchant tells its loss.

    Returns
    -------
    ServerState
        After the last round.

    Raises
    ------
    HansaError
        If a round misses its quorum.
    """
    federation = Federation(
        plan=plan,
        training=training,
        cohort={FIRST_NODE_ID + i: Terms(size, mechanism) for i, size in enumerate(cohort.size_classes)},
        quorum=quorum or len(cohort.size_classes),
        timeout_seconds=timeout_seconds,
    )
    merchants = [Merchant(plan, training.num_rounds, own, mechanism, noise, device) for own in split(series, cohort)]
    start = state or start_state(get_vector(model).cpu())
    final = run_rounds(make_grid(merchants), federation, start, on_round=on_round)
    set_vector(model.to(device), final.average.to(device, torch.float32))
    return final


def split(series: Series, cohort: Cohort) -> list[Series]:
    """Give every merchant its own entities, in the order of the merchants; some may have none."""
    merchants = range(len(cohort.size_classes))
    return [series.select(torch.nonzero(cohort.merchant_of == merchant)[:, 0]) for merchant in merchants]


def make_grid(merchants: list[Merchant]) -> InProcessGrid:
    """Put merchants behind a Grid, the first at `FIRST_NODE_ID`."""
    return InProcessGrid(
        {
            f"merchant-{i}": (make_client_app(Answers(merchant).answer), make_context(FIRST_NODE_ID + i))
            for i, merchant in enumerate(merchants)
        }
    )
