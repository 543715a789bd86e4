import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Message, MessageType, RecordDict
from torch import Tensor

from client.round.answers import Answers, Merchant, make_client_app
from client.round.training import train_round
from common.data.panel import Panel
from common.errors import ConfigError, DataError, MessageError
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector, make_model
from common.model.features import Series, build_series
from common.plan.schema import Plan
from common.privacy.accounting import epsilon_of, noise_multiplier_for
from common.privacy.mechanism import Mechanism
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.seeded_noise import SeededNoise

NODE_ID = 10
NUM_ROUNDS = 3
CANARY = "canary-7391"


class CountedNoise:
    """Seeded noise that counts how often it was asked."""

    def __init__(self) -> None:
        self.draws = 0
        self._noise = SeededNoise(np.random.default_rng(7))

    def integers(self, size: int, std: float) -> Tensor:
        self.draws += 1
        return self._noise.integers(size, std)


class BrokenNoise:
    def integers(self, size: int, std: float) -> Tensor:
        raise RuntimeError(CANARY)


@pytest.fixture
def merchant(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel]) -> Merchant:
    plan = make_plan()
    series = build_series(make_panel(num_entities=6), plan.model, 60)
    return Merchant(plan, NUM_ROUNDS, series, Mechanism(1.0, 2.0), CountedNoise(), torch.device("cpu"))


def make_vector(series: Series, plan: Plan) -> Tensor:
    sizes = {"num_features": series.num_features, "num_future": series.num_future}
    return get_vector(make_model(plan.model, **sizes, seed=1))


def make_request(merchant: Merchant, *, round_number: int = 1, plan_hash: str = "", shift: float = 0.0) -> RoundRequest:
    parameters = make_vector(merchant.series, merchant.plan) + shift
    return RoundRequest(plan_hash or merchant.run_hash, round_number, hash_vector(parameters), parameters)


def connect(merchant: Merchant) -> InProcessGrid:
    return InProcessGrid({"m": (make_client_app(Answers(merchant).answer), make_context(NODE_ID))})


def ask(grid: InProcessGrid, request: RoundRequest) -> RecordDict | None:
    """Return the content of the reply, None where the merchant refuses."""
    message = Message(encode_request(request), NODE_ID, MessageType.TRAIN)
    (reply,) = grid.send_and_receive([message])
    return None if reply.has_error() else reply.content


def wire_bytes(content: Any) -> bytes:
    """Return everything that a record puts on the wire."""
    return b"".join([content.deflate(), *(wire_bytes(child) for child in (content.children or {}).values())])


def test_a_reply_carries_the_noised_sum_of_the_round(merchant: Merchant) -> None:
    request = make_request(merchant, round_number=2)
    content = ask(connect(merchant), request)
    assert content is not None
    reply = decode_reply(content, size=len(request.parameters))
    series, plan = merchant.series, merchant.plan
    total = train_round(
        make_model(plan.model, num_features=series.num_features, num_future=series.num_future, seed=5),
        series,
        request.parameters,
        round_number=2,
        mechanism=merchant.mechanism,
        noise=SeededNoise(np.random.default_rng(7)),
        device=merchant.device,
    )
    assert (reply.plan_hash, reply.round_number) == (merchant.run_hash, 2)
    assert torch.equal(reply.total, total)


def test_the_same_request_gets_the_very_same_bytes_and_costs_no_second_draw(merchant: Merchant) -> None:
    grid, request = connect(merchant), make_request(merchant)
    first, again = ask(grid, request), ask(grid, request)
    assert first is not None
    assert wire_bytes(first) == wire_bytes(again)
    assert merchant.noise.draws == 1  # type: ignore[attr-defined]


def test_requests_at_the_same_time_draw_one_noise(merchant: Merchant) -> None:
    app, request = make_client_app(Answers(merchant).answer), make_request(merchant)
    grid = InProcessGrid({"m": (app, make_context(NODE_ID))})
    messages = [Message(encode_request(request), NODE_ID, MessageType.TRAIN) for _ in range(4)]
    for message in messages:
        message.metadata.__dict__["_message_id"] = message.object_id
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda message: app(message, make_context(NODE_ID)), messages))
    assert grid.failures == {}
    assert len({wire_bytes(reply.content) for reply in replies}) == 1
    assert merchant.noise.draws == 1  # type: ignore[attr-defined]


def test_every_round_draws_its_own_noise(merchant: Merchant) -> None:
    grid = connect(merchant)
    replies = [ask(grid, make_request(merchant, round_number=number)) for number in (1, 2, 3)]
    assert len({wire_bytes(reply) for reply in replies}) == 3
    assert merchant.noise.draws == 3  # type: ignore[attr-defined]


def test_another_model_for_a_round_already_answered_is_refused_and_the_answer_stays(
    merchant: Merchant,
) -> None:
    grid, request = connect(merchant), make_request(merchant)
    first = ask(grid, request)
    assert ask(grid, make_request(merchant, shift=0.5)) is None
    assert wire_bytes(ask(grid, request)) == wire_bytes(first)


def test_a_round_can_be_missed_and_is_not_made_up_for(merchant: Merchant) -> None:
    grid = connect(merchant)
    assert ask(grid, make_request(merchant, round_number=1)) is not None
    assert ask(grid, make_request(merchant, round_number=3)) is not None
    assert ask(grid, make_request(merchant, round_number=2)) is None
    assert ask(grid, make_request(merchant, round_number=1)) is None


def test_a_foreign_request_is_refused_and_draws_no_noise(merchant: Merchant) -> None:
    grid = connect(merchant)
    assert ask(grid, make_request(merchant, plan_hash="0" * 64)) is None
    assert ask(grid, make_request(merchant, round_number=NUM_ROUNDS + 1)) is None
    parameters = torch.zeros(5)
    assert ask(grid, RoundRequest(merchant.plan.hash, 1, hash_vector(parameters), parameters)) is None
    assert merchant.noise.draws == 0  # type: ignore[attr-defined]
    assert ask(grid, make_request(merchant)) is not None


def test_every_refusal_leaves_as_the_same_sentence_and_no_failure_quotes_its_cause(
    merchant: Merchant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    refused, broken = connect(merchant), connect(replace(merchant, noise=BrokenNoise()))
    assert ask(refused, make_request(merchant, plan_hash="0" * 64)) is None
    assert ask(broken, make_request(merchant)) is None
    left = [refused.failures[NODE_ID], broken.failures[NODE_ID]]
    assert [type(error) for error in left] == [MessageError, MessageError]
    assert str(left[0]) == str(left[1])
    assert "another plan" in caplog.text
    assert "RuntimeError" in caplog.text
    assert CANARY not in caplog.text


def test_a_broken_round_can_be_asked_for_again(merchant: Merchant) -> None:
    class OnceBroken(CountedNoise):
        def integers(self, size: int, std: float) -> Tensor:
            if self.draws == 0:
                self.draws += 1
                raise RuntimeError
            return super().integers(size, std)

    grid = connect(replace(merchant, noise=OnceBroken()))
    assert ask(grid, make_request(merchant)) is None
    assert ask(grid, make_request(merchant)) is not None


def test_a_merchant_without_data_answers_in_as_many_bytes(merchant: Merchant) -> None:
    empty = replace(merchant, series=merchant.series.select(torch.arange(0)))
    content, other = (
        ask(connect(empty), make_request(merchant)),
        ask(connect(merchant), make_request(merchant)),
    )
    assert content is not None
    assert other is not None
    assert len(wire_bytes(content)) == len(wire_bytes(other))


@pytest.mark.parametrize("newcomer", ["ordinary", "nan", "enormous"])
def test_an_entity_more_changes_the_sum_and_no_other_byte_of_the_reply(merchant: Merchant, newcomer: str) -> None:
    few, series = merchant.series.select(torch.arange(5)), merchant.series
    if newcomer != "ordinary":
        series.inputs[5] = torch.nan if newcomer == "nan" else 1e30
    replies = [
        ask(connect(replace(merchant, series=own, noise=CountedNoise())), make_request(merchant))
        for own in (few, series)
    ]
    assert all(reply is not None for reply in replies)
    rest, arrays = [], []
    for reply in filter(None, replies):
        array = reply.array_records["vector"]["values"]
        arrays.append(array.data)
        rest.append((list(reply), dict(reply.config_records["about"]), list(reply.array_records["vector"])))
        rest[-1] += (array.stype, array.dtype, array.shape, array.data[:128], len(wire_bytes(reply)))
    assert rest[0] == rest[1]
    assert (arrays[0] == arrays[1]) == (newcomer == "nan")


def test_the_rounds_agreed_to_cost_the_epsilon_they_were_planned_for(merchant: Merchant) -> None:
    sigma = noise_multiplier_for(epsilon=2.0, delta=1e-5, num_rounds=NUM_ROUNDS)
    planned = replace(merchant, mechanism=Mechanism(1.0, sigma))
    assert epsilon_of(planned.mu_squared**0.5, 1e-5) == pytest.approx(2.0, rel=1e-6)
    grid = connect(planned)
    for round_number in range(1, NUM_ROUNDS + 3):
        ask(grid, make_request(merchant, round_number=round_number))
    spent = planned.noise.draws * planned.mechanism.mu_squared  # type: ignore[attr-defined]
    assert spent == pytest.approx(planned.mu_squared, rel=1e-12)


def test_a_merchant_agrees_to_one_round_at_least(merchant: Merchant) -> None:
    with pytest.raises(ConfigError, match="num_rounds is 0"):
        replace(merchant, num_rounds=0)


def test_an_app_trains_and_does_nothing_else(merchant: Merchant) -> None:
    grid = connect(merchant)
    for kind in (MessageType.EVALUATE, MessageType.QUERY):
        (reply,) = grid.send_and_receive([Message(encode_request(make_request(merchant)), NODE_ID, kind)])
        assert reply.has_error()


@pytest.mark.parametrize("num_entities", [0, 6])
@pytest.mark.parametrize("leg", ["series", "rehearsal"])
def test_days_too_few_for_an_example_are_refused_before_any_round_whoever_is_there(
    merchant: Merchant, make_panel: Callable[..., Panel], num_entities: int, leg: str
) -> None:
    """Refused at a round, it would be refused where there is an entity, and answered where there is none."""
    model = merchant.plan.model
    short = build_series(make_panel(num_entities=num_entities), model, model.step_days)
    with pytest.raises(DataError, match="no training example"):
        Answers(replace(merchant, **{leg: short}))
