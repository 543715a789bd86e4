"""The slow engine where trust is in the sum: merchants mask, sign and reveal, by the very messages of a network.

The sibling of `simulation.engine.in_process`. Keys of the merchants are made for the run and forgotten with it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
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
from common.plan.schema import Plan, TrainingPlan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
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


@dataclass(frozen=True)
class SumTerms:
    """Threshold and colluders, as a plan's `privacy.sum` says them."""

    threshold: int
    colluders: int


def federate_sums(
    model: DemandGRU,
    series: Series,
    cohort: Cohort,
    mechanism: Mechanism,
    *,
    terms: SumTerms,
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
    session = make_session(run_hash, identities, cohort.size_classes, terms)
    merchants = [Merchant(plan, training.num_rounds, own, mechanism, noise, device) for own in split(series, cohort)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        apps = {}
        for name, identity, merchant in zip(session.names, identities, merchants, strict=True):
            store = stack.enter_context(closing(SumStore(folder / f"{name}.sqlite")))
            member = SumMember(session, name, identity, store, agreements=MemoryAgreements())
            apps[name] = make_sum_app(merchant, member)
        book = stack.enter_context(closing(SumBook(None)))
        sums = make_federation(session, mechanism, plan=plan, training=training, book=book, seconds=timeout_seconds)
        start = state or start_state(get_vector(model).cpu())
        final = run_sum_rounds(make_grid(apps), sums, start, on_round=on_round)
    set_vector(model.to(device), final.average.to(device, torch.float32))
    return final


def make_session(
    run_hash: str, identities: list[Ed25519PrivateKey], size_classes: tuple[int, ...], terms: SumTerms
) -> Session:
    """Make the session of merchants who are named by their number."""
    width = len(str(len(identities)))
    roster = tuple(
        Peer(name=f"merchant-{number:0{width}}", key=public_bytes(identity).hex(), size_class=size_class)
        for number, (identity, size_class) in enumerate(zip(identities, size_classes, strict=True))
    )
    return Session(run_hash, roster, terms.threshold, terms.colluders)


def make_federation(
    session: Session, mechanism: Mechanism, *, plan: Plan, training: TrainingPlan, book: SumBook, seconds: float
) -> SumCohort:
    """Put together what the coordinator of a session knows; the first member is at `FIRST_NODE_ID`."""
    names = {FIRST_NODE_ID + place: name for place, name in enumerate(session.names)}
    cohort = {node: Terms(session.peer(name).size_class, mechanism) for node, name in names.items()}
    federation = Federation(plan, training, cohort, quorum=session.threshold, timeout_seconds=seconds)
    return SumCohort(federation, session, book, names)


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
    grid: Grid, sums: SumCohort, start: ServerState, *, on_round: SumHook = lambda state, held: None
) -> ServerState:
    """Run the rounds that `start`, or the federation's checkpoint, has still before it.

    Raises
    ------
    HansaError
        Fewer than the threshold answer a round; started again, it is asked for again.
    """
    state = resume(start, sums.federation.checkpoint, run_hash=sums.federation.run_hash)
    while state.round_number < sums.num_rounds:
        held = hold_sum_round(grid, [sums], state)
        for name, refusal in held.refused.items():
            LOGGER.warning("Round %d goes on without %s: %s", held.round_number, name, refusal)
        if held.state is None:
            raise HansaError(f"Nothing is summed: {held.failure}; bring the others back.")
        state = held.state
        on_round(state, held)
    return state
