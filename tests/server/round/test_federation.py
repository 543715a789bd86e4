import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from torch import Tensor

from client.round.answers import Answers, Merchant, make_client_app
from common.data.panel import Panel
from common.errors import ConfigError, HansaError
from common.message.round import RoundReply, decode_request, encode_reply
from common.model.demand_gru import get_vector, make_model
from common.model.features import Series, build_series
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from server.round.aggregation import Terms
from server.round.checkpoint import load_checkpoint
from server.round.collection import Cause, RoundOutcome
from server.round.federation import Federation, hold_round
from server.round.optimizer import ServerState, start_state
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.rounds import run_rounds
from simulation.engine.seeded_noise import SeededNoise

NUM_ROUNDS = 4
NODE_IDS = (10, 11, 12)
CANARY = "canary-7391"
MECHANISM = Mechanism(1.0, 1.5)


@dataclass
class Town:
    """Three merchants, who they are to the coordinator, and what it hears of each round."""

    series: Series
    plan: Plan
    federation: Federation
    start: ServerState

    def __post_init__(self) -> None:
        self.heard: list[tuple[ServerState, RoundOutcome]] = []

    def merchant(self, index: int) -> Merchant:
        own = self.series.select(torch.arange(index * 4, index * 4 + 4))
        noise = SeededNoise(np.random.default_rng(100 + index))
        return Merchant(self.plan, NUM_ROUNDS, own, MECHANISM, noise, torch.device("cpu"))

    def apps(self, **other: ClientApp) -> dict[str, tuple[ClientApp, Context]]:
        """Return honest merchants, and `other` in the place of some."""
        names = [f"m{index}" for index in range(len(NODE_IDS))]
        apps = {name: make_client_app(Answers(self.merchant(index)).answer) for index, name in enumerate(names)} | other
        return {name: (apps[name], make_context(node_id)) for name, node_id in zip(names, NODE_IDS, strict=True)}

    def run(self, grid: InProcessGrid, *, checkpoint: Path | None = None, **terms: Any) -> ServerState:
        """Run until the last round and return its state."""
        federation = replace(self.federation, checkpoint=checkpoint, **terms)
        return run_rounds(grid, federation, self.start, on_round=lambda *news: self.heard.append(news))


@pytest.fixture
def town(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel]) -> Town:
    names = np.array([f"{CANARY}-entity-{number}" for number in range(12)], dtype=object)
    merchants = np.array([f"{CANARY}-merchant-{number // 4}" for number in range(12)], dtype=object)
    plan = make_plan(privacy={"training": {"num_rounds": NUM_ROUNDS}})
    panel = make_panel(num_entities=12, entities=names, merchants=merchants)
    series = build_series(panel, plan.model, 60)
    model = make_model(plan.model, num_features=series.num_features, num_future=series.num_future, seed=0)
    federation = Federation(
        plan=plan,
        training=plan.privacy.training,
        cohort={node_id: Terms(4, MECHANISM) for node_id in NODE_IDS},
        quorum=2,
        timeout_seconds=60.0,
    )
    return Town(series, plan, federation, start_state(get_vector(model)))


def shouting_app(size: int, *, value: int) -> ClientApp:
    """Return a merchant whose sum has the same number everywhere."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        request = decode_request(message.content, size=size)
        total = torch.full((size,), value, dtype=torch.int64)
        return Message(encode_reply(RoundReply(request.plan_hash, request.round_number, total)), reply_to=message)

    return app


def bits(state: ServerState) -> list[object]:
    values = vars(state).values()
    return [value.numpy().tobytes() if isinstance(value, Tensor) else value for value in values]


def test_all_rounds_run_and_each_is_reported_with_its_answers(town: Town) -> None:
    final = town.run(InProcessGrid(town.apps()))
    assert [state.round_number for state, _ in town.heard] == [1, 2, 3, 4]
    assert all(set(outcome.replies) == set(NODE_IDS) for _, outcome in town.heard)
    assert bool(torch.isfinite(final.average).all())
    assert not torch.equal(final.parameters, town.start.parameters)


@pytest.mark.parametrize("value", [10**9, 2**63 - 1, -(2**63)])
def test_a_sum_beyond_its_terms_is_refused_and_the_round_goes_on_without_it(
    town: Town, value: int, caplog: pytest.LogCaptureFixture
) -> None:
    loud = shouting_app(len(town.start.parameters), value=value)
    final = town.run(InProcessGrid(town.apps(m1=loud)))
    outcome = town.heard[0][1]
    assert set(outcome.replies) == {10, 12}
    assert outcome.refusals[11].cause is Cause.IMPLAUSIBLE
    assert "Round 1 goes on without node 11: the answer is larger" in caplog.text
    without = replace(town.federation, cohort={node_id: Terms(4, MECHANISM) for node_id in (10, 12)})
    alone = Town(town.series, town.plan, without, town.start)
    assert bits(alone.run(InProcessGrid(town.apps()))) == bits(final)


def test_a_merchant_whose_data_is_all_nan_counts_as_zero_and_one_that_is_off_is_missed(town: Town) -> None:
    broken = town.merchant(0)
    broken.series.inputs.fill_(torch.nan)
    off = ClientApp()  # has no handler, hence an error from Flower itself
    final = town.run(InProcessGrid(town.apps(m0=make_client_app(Answers(broken).answer), m2=off)))
    assert {node_id: refusal.cause for node_id, refusal in town.heard[0][1].refusals.items()} == {12: Cause.FAILED}
    assert set(town.heard[0][1].replies) == {10, 11}
    assert bool(torch.isfinite(final.parameters).all())


def test_an_implausible_answer_does_not_count_for_the_quorum_and_the_last_state_stays(
    town: Town, tmp_path: Path
) -> None:
    path = tmp_path / "state.safetensors"
    town.run(
        InProcessGrid(town.apps()),
        checkpoint=path,
        training=town.plan.federation.training.model_copy(update={"num_rounds": 1}),
    )
    kept = path.read_bytes()
    loud = shouting_app(len(town.start.parameters), value=10**9)
    with pytest.raises(HansaError, match=r"Round 2 has 2 of the 3 answers.*node 11: the answer is larger"):
        town.run(InProcessGrid(town.apps(m1=loud)), checkpoint=path, quorum=3)
    assert path.read_bytes() == kept


class CrashingGrid(InProcessGrid):
    """A coordinator's machine that dies once all have answered a round and before that is written down."""

    last = 10**9

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        replies = super().pull_messages(message_ids)
        if any(int(r.metadata.group_id) == self.last and r.metadata.src_node_id == NODE_IDS[-1] for r in replies):
            raise KeyboardInterrupt
        return replies


def test_a_run_that_resumes_ends_bit_for_bit_where_an_undisturbed_one_ends(town: Town, tmp_path: Path) -> None:
    undisturbed = town.run(InProcessGrid(town.apps()))
    path = tmp_path / "state.safetensors"
    grid = CrashingGrid(town.apps())
    for grid.last in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            town.run(grid, checkpoint=path)
    grid.last = 10**9
    assert bits(town.run(grid, checkpoint=path)) == bits(undisturbed)
    size = len(town.start.parameters)
    assert bits(load_checkpoint(path, plan_hash=town.federation.run_hash, size=size)) == bits(undisturbed)


def test_a_run_that_is_over_asks_nobody(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    town.run(InProcessGrid(town.apps()), checkpoint=path)
    heard = len(town.heard)
    town.run(InProcessGrid(town.apps(m0=ClientApp(), m1=ClientApp(), m2=ClientApp())), checkpoint=path)
    assert len(town.heard) == heard


def test_a_checkpoint_of_another_plan_stops_the_app_before_anyone_is_asked(
    town: Town, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    path = tmp_path / "state.safetensors"
    town.run(InProcessGrid(town.apps()), checkpoint=path)
    with pytest.raises(ConfigError, match="another plan"):
        town.run(InProcessGrid(town.apps()), checkpoint=path, plan=make_plan(name="other"))


class ListeningGrid(InProcessGrid):
    """A grid that keeps every byte that passes."""

    def __init__(self, merchants: dict[str, tuple[ClientApp, Context]]) -> None:
        super().__init__(merchants)
        self.wire = b""

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        sent = list(messages)
        self.wire += b"".join(_wire_bytes(message) for message in sent)
        return super().push_messages(sent)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        replies = super().pull_messages(message_ids)
        self.wire += b"".join(_wire_bytes(reply) for reply in replies)
        return replies


def _wire_bytes(thing: Any) -> bytes:
    return b"".join([thing.deflate(), *(_wire_bytes(child) for child in (thing.children or {}).values())])


def test_no_name_of_an_entity_or_a_merchant_is_in_any_message_or_log(
    town: Town, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    grid = ListeningGrid(town.apps())
    path = tmp_path / "state.safetensors"
    town.run(grid, checkpoint=path)
    size = len(town.start.parameters)
    assert len(grid.wire) > NUM_ROUNDS * len(NODE_IDS) * size * (4 + 8)
    assert town.federation.run_hash.encode() in grid.wire  # text would be found
    for everything in (grid.wire, path.read_bytes(), caplog.text.encode()):
        assert CANARY.encode() not in everything


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"cohort": {}}, "no merchant"),
        ({"quorum": 0}, "A quorum of 0"),
        ({"quorum": 4}, "A quorum of 4"),
        ({"timeout_seconds": 0.0}, "cannot end"),
        ({"timeout_seconds": float("nan")}, "cannot end"),
        ({"cohort": {10: Terms(4, MECHANISM), 11: Terms(4, Mechanism(None, 0.0))}}, "Some merchants"),
    ],
)
def test_impossible_terms_are_refused_before_a_merchant_is_asked(
    town: Town, terms: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        replace(town.federation, **terms)


def test_answers_are_noted_before_anything_follows_from_them(town: Town, tmp_path: Path) -> None:
    path, noted = tmp_path / "state.safetensors", []
    federation = replace(town.federation, checkpoint=path)

    def note(round_number: int, outcome: RoundOutcome) -> None:
        noted.append((round_number, sorted(outcome.replies), path.exists()))

    held = hold_round(InProcessGrid(town.apps()), federation, town.start, note_answers=note)
    assert noted == [(1, list(NODE_IDS), False)]
    assert held.state is not None
    assert load_checkpoint(path, plan_hash=federation.run_hash, size=len(town.start.parameters)).round_number == 1


def test_a_round_below_its_quorum_changes_nothing(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    off = ClientApp()
    federation = replace(town.federation, quorum=3, checkpoint=path)
    held = hold_round(InProcessGrid(town.apps(m1=off)), federation, town.start)
    assert held.state is None
    assert set(held.outcome.replies) == {10, 12}
    assert not path.exists()


def test_a_refusal_and_a_fault_are_told_apart(town: Town) -> None:
    """A merchant of another plan declines; one without a handler fails."""
    stranger = replace(town.merchant(0), plan=town.plan.model_copy(update={"name": "another"}))
    declining = make_client_app(Answers(stranger).answer)
    held = hold_round(InProcessGrid(town.apps(m0=declining, m1=ClientApp())), town.federation, town.start)
    causes = {node_id: refusal.cause for node_id, refusal in held.outcome.refusals.items()}
    assert causes == {10: Cause.DECLINED, 11: Cause.FAILED}
