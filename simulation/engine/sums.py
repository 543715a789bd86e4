"""The slow engine where trust is in the sum: merchants mask, sign and reveal, by the very messages of a network.

The sibling of `simulation.engine.in_process`. Keys of the merchants are made for the run and forgotten with it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from client.round.answers import Answers, Merchant, make_client_app
from client.round.sum_answers import SumAnswers
from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.errors import HansaError
from common.message.signature import public_bytes
from common.model.demand_gru import DemandGRU, get_vector, set_vector
from common.model.features import Series
from common.plan.schema import Plan, SumPlan, TrainingPlan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
from common.secure_sum.cohort import form_sessions, session_of
from common.secure_sum.roster import Peer, Session
from server.round.aggregation import Terms
from server.round.federation import Federation, resume
from server.round.optimizer import ServerState, start_state
from server.round.sum_book import SumBook
from server.round.sum_cohort import SumCohort
from server.round.sum_federation import HeldSum, hold_sum_round
from simulation.engine.batch import Cohort
from simulation.engine.grid import SERVER_NODE_ID, InProcessGrid, make_context
from simulation.engine.in_process import split

LOGGER = logging.getLogger(__name__)
FIRST_NODE_ID = SERVER_NODE_ID + 1
SumHook = Callable[[ServerState, HeldSum], None]


def federate_sums(
    model: DemandGRU,
    series: Series,
    cohort: Cohort,
    mechanism: Mechanism,
    *,
    terms: SumPlan,
    plan: Plan,
    training: TrainingPlan,
    noise: NoiseSource,
    device: torch.device,
    state: ServerState | None = None,
    timeout_seconds: float = 600.0,
    on_round: SumHook = lambda state, held: None,
) -> ServerState:
    """Run all rounds, from `state` where one is given, and leave the averaged model in `model`.

    Parameters
    ----------
    mechanism
        The same at every merchant: its noise is the merchant's share of the whole.
    on_round
        Called after each round with the new state and with who was in it.

    Raises
    ------
    HansaError
        Fewer than the threshold answer a round.
    """
    run_hash = plan.run_hash(private=mechanism.noise_multiplier > 0)
    identities = [Ed25519PrivateKey.generate() for _ in cohort.size_classes]
    sessions = make_sessions(run_hash, identities, cohort.size_classes, terms)
    merchants = [Merchant(plan, training.num_rounds, own, mechanism, noise, device) for own in split(series, cohort)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        apps = {}
        for place, (identity, merchant) in enumerate(zip(identities, merchants, strict=True)):
            name = name_of(place, len(identities))
            store = stack.enter_context(closing(SumStore(folder / f"{name}.sqlite")))
            member = SumMember(session_of(name, sessions), name, identity, store, agreements=MemoryAgreements())
            apps[name] = make_sum_app(merchant, member)
        books = [stack.enter_context(closing(SumBook(None))) for _ in sessions]
        cohorts = make_cohorts(sessions, mechanism, plan=plan, training=training, books=books, seconds=timeout_seconds)
        start = state or start_state(get_vector(model).cpu())
        final = run_sum_rounds(make_grid(apps), cohorts, start, on_round=on_round)
    set_vector(model.to(device), final.average.to(device, torch.float32))
    return final


def name_of(place: int, num_merchants: int) -> str:
    """Name a merchant by its number, so that names sort as numbers do."""
    return f"merchant-{place:0{len(str(num_merchants))}}"


def make_sessions(
    run_hash: str, identities: list[Ed25519PrivateKey], size_classes: tuple[int, ...], terms: SumPlan
) -> tuple[Session, ...]:
    """Make the sessions of merchants who are named by their number: one, or one for each cohort."""
    roster = tuple(
        Peer(name=name_of(place, len(identities)), key=public_bytes(identity).hex(), size_class=size_class)
        for place, (identity, size_class) in enumerate(zip(identities, size_classes, strict=True))
    )
    return form_sessions(roster, run_hash, terms)


def make_cohorts(
    sessions: Sequence[Session],
    mechanism: Mechanism,
    *,
    plan: Plan,
    training: TrainingPlan,
    books: Sequence[SumBook],
    seconds: float,
) -> list[SumCohort]:
    """Put together what the coordinator of some sessions knows; the first merchant is at `FIRST_NODE_ID`."""
    session_by_name = {name: session for session in sessions for name in session.names}
    nodes = {FIRST_NODE_ID + place: name for place, name in enumerate(sorted(session_by_name))}
    cohort = {node: Terms(session_by_name[name].peer(name).size_class, mechanism) for node, name in nodes.items()}
    federation = Federation(plan, training, cohort, quorum=sessions[0].threshold, timeout_seconds=seconds)
    return [
        SumCohort(federation, session, book, {node: name for node, name in nodes.items() if name in session.names})
        for session, book in zip(sessions, books, strict=True)
    ]


def make_sum_app(merchant: Merchant, member: SumMember) -> ClientApp:
    """Make the ClientApp of one merchant of a sum."""
    answers = Answers(merchant)
    sums = SumAnswers(member, run_hash=merchant.run_hash, num_rounds=merchant.num_rounds)

    def agree(content: RecordDict) -> RecordDict:
        return sums.agree(content, charged=answers.model_of)

    queries = {"keys": sums.keys, "shares": sums.shares, "agree": agree, "reveal": sums.reveal}
    return make_client_app(lambda content: sums.answer(content, answers), queries=queries)


def make_grid(apps: Mapping[str, ClientApp]) -> InProcessGrid:
    """Put the members of a sum behind a Grid, in the order of their names."""
    return InProcessGrid(
        {name: (app, make_context(FIRST_NODE_ID + place)) for place, (name, app) in enumerate(sorted(apps.items()))}
    )


def run_sum_rounds(
    grid: Grid, cohorts: Sequence[SumCohort], start: ServerState, *, on_round: SumHook = lambda state, held: None
) -> ServerState:
    """Run the rounds that `start`, or the federation's checkpoint, has still before it.

    Raises
    ------
    HansaError
        Fewer than the threshold answer a round; started again, it is asked for again.
    """
    federation = cohorts[0].federation
    state = resume(start, federation.checkpoint, run_hash=federation.run_hash)
    while state.round_number < cohorts[0].num_rounds:
        held = hold_sum_round(grid, cohorts, state)
        for name, refusal in held.refused.items():
            LOGGER.warning("Round %d goes on without %s: %s", held.round_number, name, refusal)
        if held.state is None:
            raise HansaError(f"Nothing is summed: {held.failure}; bring the others back.")
        state = held.state
        on_round(state, held)
    return state
