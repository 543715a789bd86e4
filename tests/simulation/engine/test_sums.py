"""The secure sum by real messages and the fast engine are one, whoever drops out where."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.round.answers import Merchant
from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.data.panel import Panel
from common.errors import HansaError, MessageError
from common.message.sum_agree import AGREE
from common.message.sum_reveal import REVEAL
from common.message.sum_shares import SHARES
from common.model.demand_gru import DemandGRU, get_vector, make_model
from common.model.features import Series, build_series
from common.plan.schema import Plan, SumPlan
from common.privacy.mechanism import Mechanism
from common.secure_sum.cohort import session_of, usual_cohort_terms
from common.secure_sum.roster import Session, usual_terms
from server.round.optimizer import ServerState, start_state
from server.round.sum_book import SumBook
from server.round.sum_federation import HeldSum
from simulation.engine.batch import Cohort, federate
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.in_process import split
from simulation.engine.seeded_noise import SeededNoise
from simulation.engine.sums import make_cohorts, make_grid, make_sessions, make_sum_app, name_of, run_sum_rounds
from sum_world import folder_in_memory

SIZE_CLASSES = (2, 4, 8, 16, 32)
ENTITIES = (2, 3, 5, 9, 21)
CPU = torch.device("cpu")
TERMS = SumPlan(threshold=4, colluders=1)
WITHOUT_NOISE = Mechanism(0.05, 0.0)


class Gone(MessageError):
    """A merchant that is not there."""


class DroppingApp(ClientApp):
    """A merchant that is gone when certain messages come."""

    def __init__(self, name: str, app: ClientApp, drops: dict[tuple[int, str], set[str]]) -> None:
        super().__init__()
        self._name, self._app, self._drops = name, app, drops

    def __call__(self, message: Message, context: Context) -> Message:
        if self._name in self._drops.get((int(message.metadata.group_id), message.metadata.message_type), set()):
            raise Gone(self._name)
        return self._app(message, context)


class SlowGrid(InProcessGrid):
    """Every reply takes a moment; what is asked is noted, by kind and name."""

    def __init__(self, apps: Mapping[str, ClientApp]) -> None:
        nodes = enumerate(sorted(apps.items()), start=2)
        super().__init__({name: (app, make_context(place)) for place, (name, app) in nodes})
        self.asked: list[tuple[str, str]] = []
        self._names = {node: name for name, node in self.node_ids.items()}
        self._due: dict[str, float] = {}

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        asked = list(messages)
        self.asked += [(one.metadata.message_type, self._names[one.metadata.dst_node_id]) for one in asked]
        ids = super().push_messages(asked)
        self._due |= dict.fromkeys(ids, time.monotonic() + 0.05)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return super().pull_messages([one for one in message_ids if time.monotonic() >= self._due[one]])


@dataclass
class Street:
    """Merchants of a sum, and where each of them drops out."""

    plan: Plan
    series: Series
    cohort: Cohort
    folder: Path
    size_classes: tuple[int, ...] = SIZE_CLASSES
    terms: SumPlan = TERMS
    drops: dict[tuple[int, str], set[str]] = field(default_factory=dict)
    held: list[HeldSum] = field(default_factory=list)
    states: list[ServerState] = field(default_factory=list)
    sessions: tuple[Session, ...] = ()
    absent: set[str] = field(default_factory=set)  # who never accepted
    grid: Callable[[Mapping[str, ClientApp]], InProcessGrid] = make_grid

    def model(self) -> DemandGRU:
        sizes = {"num_features": self.series.num_features, "num_future": self.series.num_future}
        return make_model(self.plan.model, **sizes, seed=0)

    def form(self, mechanism: Mechanism = WITHOUT_NOISE) -> list[Ed25519PrivateKey]:
        """Put the roster together, and see who sums with whom."""
        number = len(self.size_classes)
        identities = [
            Ed25519PrivateKey.from_private_bytes(bytes([place // 256, place % 256]) * 16) for place in range(number)
        ]
        run_hash = self.plan.run_hash(private=mechanism.noise_multiplier > 0)
        self.sessions = make_sessions(run_hash, identities, self.size_classes, self.terms)
        return identities

    def run(self, mechanism: Mechanism = WITHOUT_NOISE) -> ServerState:
        training, identities = self.plan.privacy.training, self.form(mechanism)
        with ExitStack() as stack:
            apps = {}
            noise = SeededNoise(np.random.default_rng(1))
            for place, (key, own) in enumerate(zip(identities, split(self.series, self.cohort), strict=True)):
                name = name_of(place, len(identities))
                store = stack.enter_context(closing(SumStore(self.folder / f"{name}.sqlite")))
                member = SumMember(session_of(name, self.sessions), name, key, store, agreements=MemoryAgreements())
                merchant = Merchant(self.plan, training.num_rounds, own, mechanism, noise, CPU)
                apps[name] = DroppingApp(name, make_sum_app(merchant, member), self.drops)
            books = [stack.enter_context(closing(SumBook(None))) for _ in self.sessions]
            terms = {"plan": self.plan, "training": training, "books": books, "seconds": 60.0}
            cohorts = make_cohorts(self.sessions, mechanism, **terms)
            for sums in cohorts:
                sums.names = {node: name for node, name in sums.names.items() if name not in self.absent}
            return run_sum_rounds(self.grid(apps), cohorts, start_state(get_vector(self.model())), on_round=self._note)

    def _note(self, state: ServerState, held: HeldSum) -> None:
        self.held.append(held)
        self.states.append(state)

    def fast(self, mechanism: Mechanism = WITHOUT_NOISE) -> ServerState:
        """Run the fast engine, in each round with those who were in the sum."""
        state = start_state(get_vector(self.model()))
        for held in self.held:
            state = self._fast_round(state, [int(name.removeprefix("merchant-")) for name in held.survivors], mechanism)
        return state

    def _fast_round(self, state: ServerState, survivors: list[int], mechanism: Mechanism) -> ServerState:
        rows = torch.nonzero(torch.isin(self.cohort.merchant_of, torch.tensor(survivors)))[:, 0]
        place = {merchant: number for number, merchant in enumerate(survivors)}
        owner = torch.tensor([place[int(merchant)] for merchant in self.cohort.merchant_of[rows]])
        cohort = Cohort(owner, tuple(self.size_classes[merchant] for merchant in survivors))
        heard: list[ServerState] = []
        federate(
            self.model(),
            self.series.select(rows),
            cohort,
            mechanism,
            training=self.plan.privacy.training,
            cap=1.0,
            noise=SeededNoise(np.random.default_rng(1)),
            device=CPU,
            state=state,
            on_round=lambda state, loss: heard.append(state),
        )
        return heard[0]


@pytest.fixture
def memory() -> Iterator[Path]:
    """Give a folder in which no member waits for a disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def street(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel], memory: Path) -> Street:
    # Adam divides by what it has seen of a coordinate, and makes of the last bit of a small one a step of 1e-5.
    plan = make_plan(privacy={"training": {"num_rounds": 5, "optimizer": "momentum", "learning_rate": 1.0}})
    owner = np.random.default_rng(2).permutation(np.repeat(np.arange(len(ENTITIES)), ENTITIES))
    merchants = np.array([f"shop-{number}" for number in owner], dtype=object)
    panel = make_panel(num_entities=len(owner), merchants=merchants)
    return Street(plan, build_series(panel, plan.model, 60), Cohort(torch.from_numpy(owner), SIZE_CLASSES), memory)


def test_without_noise_the_sum_is_the_fast_engines_whoever_drops_out_where(street: Street) -> None:
    names = [f"merchant-{number}" for number in range(5)]
    street.drops = {
        (1, SHARES): {names[0]},
        (2, "train"): {names[1]},
        (3, AGREE): {names[2]},
        (4, REVEAL): {names[3]},
    }
    final = street.run()
    assert [held.failure for held in street.held] == [""] * 5
    gone = [set(names) - set(held.survivors) for held in street.held]
    assert gone == [{names[0]}, {names[1]}, set(), set(), set()]
    start = get_vector(street.model()).double()
    assert float((final.average - start).abs().max()) > 1e-3, "nothing was trained"
    torch.testing.assert_close(final.average, street.fast().average, rtol=0, atol=1e-6)


def test_two_sums_of_one_round_there_are_never(street: Street) -> None:
    """Two drop out after the set was put to them: the round is spent, the model stays, and the next one goes on."""
    street.drops = {(2, AGREE): {"merchant-0", "merchant-1"}, (3, REVEAL): {"merchant-0", "merchant-1"}}
    final = street.run()
    assert [bool(held.failure) for held in street.held] == [False, True, True, False, False]
    assert all("spent" in held.failure for held in street.held[1:3])
    before, spent = street.states[0], street.states[2]
    assert spent.round_number == 3
    assert torch.equal(spent.parameters, before.parameters)
    assert torch.equal(spent.average, before.average)
    assert final.round_number == 5


@pytest.mark.slow
def test_of_twenty_six_die_at_random_in_thirty_rounds_and_the_model_is_the_fast_engines(
    make_plan: Callable[..., Plan], make_panel: Callable[..., Panel], memory: Path
) -> None:
    """In every round six others: two before their shares, two before their masked sum, one unsigned, one mute."""
    generator, members = np.random.default_rng(7), 20
    training = {"num_rounds": 30, "optimizer": "momentum", "learning_rate": 1.0}
    plan = make_plan(privacy={"training": training})
    owner = generator.permutation(np.repeat(np.arange(members), 3))
    merchants = np.array([f"shop-{number}" for number in owner], dtype=object)
    panel = make_panel(num_entities=len(owner), merchants=merchants)
    sizes = tuple(int(size) for size in generator.integers(3, 30, members))
    threshold, colluders = usual_terms(members)
    cohort = Cohort(torch.from_numpy(owner), sizes)
    street = Street(
        plan,
        build_series(panel, plan.model, 60),
        cohort,
        memory,
        sizes,
        SumPlan(threshold=threshold, colluders=colluders),
    )
    for number in range(1, 31):
        dying = [f"merchant-{place:02}" for place in generator.permutation(members)[:6]]
        for kind, names in ((SHARES, dying[:2]), ("train", dying[2:4]), (AGREE, dying[4:5]), (REVEAL, dying[5:])):
            street.drops[number, kind] = set(names)
    final = street.run()
    assert [held.failure for held in street.held] == [""] * 30
    # Shares ride on the round before, so none is asked for them alone but in the first round, and after an absence.
    assert len(street.held[0].survivors) == 16
    assert {len(held.survivors) for held in street.held} <= {16, 17, 18}
    torch.testing.assert_close(final.average, street.fast().average, rtol=0, atol=1e-6)


@pytest.fixture
def town(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel], memory: Path) -> Callable[..., Street]:
    """Make a roster of some merchants, of whom each sums with about four."""

    def make(members: int, *, cohort: int | None = 4, rounds: int = 3) -> Street:
        training = {"num_rounds": rounds, "optimizer": "momentum", "learning_rate": 1.0}
        plan, generator = make_plan(privacy={"training": training}), np.random.default_rng(3)
        owner = generator.permutation(np.arange(members))
        panel = make_panel(num_entities=members, merchants=np.array([f"shop-{each}" for each in owner], dtype=object))
        sizes = tuple(int(size) for size in generator.integers(3, 30, members))
        threshold, colluders = usual_cohort_terms(members, cohort)
        terms = SumPlan(threshold=threshold, colluders=colluders, cohort=cohort)
        series = build_series(panel, plan.model, 60)
        return Street(plan, series, Cohort(torch.from_numpy(owner), sizes), memory, sizes, terms)

    return make


def test_cohorts_sum_each_for_itself_and_together_they_are_the_fast_engine(town: Callable[..., Street]) -> None:
    street = town(8, rounds=2)  # 3 of 4 are needed in each cohort
    street.form()
    cohorts = [session.names for session in street.sessions]
    assert [len(names) for names in cohorts] == [4, 4]
    whole, cut = cohorts
    street.drops = {
        (1, "train"): {whole[0]},
        (1, AGREE): {cut[1]},
        (2, REVEAL): set(cut[:2]),  # one too many: the round is spent in this cohort, and goes on with the other
    }
    final = street.run()
    gone = [set(sum(cohorts, ())) - set(held.survivors) for held in street.held]
    assert gone == [{whole[0]}, set(cut)]
    assert street.held[0].failure == ""
    assert "spent" in street.held[1].failure
    torch.testing.assert_close(final.average, street.fast().average, rtol=0, atol=1e-6)


def test_cohorts_are_held_side_by_side(town: Callable[..., Street]) -> None:
    street, grids = town(8, rounds=1), list[SlowGrid]()

    def make(apps: Mapping[str, ClientApp]) -> InProcessGrid:
        grids.append(SlowGrid(apps))
        return grids[0]

    street.grid = make
    final = street.run()
    asked = grids[0].asked
    first, second = (set(session.names) for session in street.sessions)
    masked = {name: place for place, (kind, name) in enumerate(asked) if kind == "train"}
    agreed = {name: place for place, (kind, name) in enumerate(asked) if kind == AGREE}
    for own, other in ((first, second), (second, first)):
        last_masked = max(place for name, place in masked.items() if name in own)
        assert last_masked < min(place for name, place in agreed.items() if name in other)
    assert len(street.held[0].survivors) == 8
    torch.testing.assert_close(final.average, street.fast().average, rtol=0, atol=1e-6)


def test_a_cohort_of_whom_too_few_accepted_is_left_out_and_where_all_are_such_no_round_is_lost(
    town: Callable[..., Street],
) -> None:
    street = town(8, rounds=1)
    street.form()
    whole, few = (session.names for session in street.sessions)
    street.absent = set(few[:2])
    street.run()
    assert street.held[0].survivors == whole
    assert street.held[0].failure == "2 of the 3 of a sum have accepted"
    street.absent |= set(whole[:2])
    street.folder = street.folder / "again"
    street.folder.mkdir()
    with pytest.raises(HansaError, match="has the keys of 2 of the 3 members that it needs"):
        street.run()


@pytest.mark.slow
def test_more_than_three_hundred_sum_in_cohorts_of_about_a_hundred(town: Callable[..., Street]) -> None:
    street = town(301, cohort=None, rounds=1)
    final = street.run()
    assert sorted(len(session.roster) for session in street.sessions) == [100, 100, 101]
    assert len(street.held[0].survivors) == 301
    torch.testing.assert_close(final.average, street.fast().average, rtol=0, atol=1e-6)
