import hashlib
import time
from collections.abc import Iterable

import pytest
import torch
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode

from common.message.round import RoundReply, RoundRequest, decode_request, encode_reply
from common.message.vector import hash_vector
from server.round.collection import Cause, Refusal, RoundOutcome, gather_answers, refuse_error
from simulation.engine.grid import InProcessGrid, make_context

SIZE = 4
PLAN_HASH = hashlib.sha256(b"plan").hexdigest()
OTHER_HASH = hashlib.sha256(b"another plan").hexdigest()


def make_request(*, round_number: int = 3) -> RoundRequest:
    parameters = torch.arange(SIZE, dtype=torch.float32)
    return RoundRequest(PLAN_HASH, round_number, hash_vector(parameters), parameters)


def sound_app(*, plan_hash: str = PLAN_HASH, round_shift: int = 0, size: int = SIZE, seconds: float = 0.0) -> ClientApp:
    """Return a merchant that answers with its own address in every place of the sum."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        request = decode_request(message.content, size=SIZE)
        time.sleep(seconds)
        total = torch.full((size,), context.node_id, dtype=torch.int64)
        reply = RoundReply(plan_hash, request.round_number + round_shift, total)
        return Message(encode_reply(reply), reply_to=message)

    return app


def raising_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise RuntimeError("canary-7391")

    return app


def garbage_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return Message(RecordDict({"canary-7391": ConfigRecord({"loss": 0.1})}), reply_to=message)

    return app


def make_grid(*apps: ClientApp) -> InProcessGrid:
    return InProcessGrid({f"m{i}": (app, make_context(10 + i)) for i, app in enumerate(apps)})


def ask(grid: InProcessGrid, *, quorum: int = 1, timeout_seconds: float = 30.0) -> RoundOutcome:
    return gather_answers(
        grid,
        request=make_request(),
        node_ids=grid.get_node_ids(),
        timeout_seconds=timeout_seconds,
        quorum=quorum,
    )


class LossyGrid(InProcessGrid):
    """A network that loses every reply of node 10."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return [reply for reply in super().pull_messages(message_ids) if reply.metadata.src_node_id != 10]


class TornGrid(InProcessGrid):
    """A network that breaks while it hands over node 10, the first `faults` times."""

    faults = 1

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        first = self._waiting.get(next(iter(message_ids)))
        if self.faults and first is not None and first.metadata.dst_node_id == 10:
            self.faults -= 1
            raise KeyError("canary-7391")
        return super().pull_messages(message_ids)


def test_every_merchant_answers_under_its_own_node_id() -> None:
    outcome = ask(make_grid(sound_app(), sound_app(), sound_app()), quorum=3)
    assert {node_id: reply.total.tolist() for node_id, reply in outcome.replies.items()} == {
        10: [10] * SIZE,
        11: [11] * SIZE,
        12: [12] * SIZE,
    }
    assert outcome.refusals == {}


def test_only_the_named_nodes_are_asked() -> None:
    grid = make_grid(sound_app(), sound_app(), sound_app())
    outcome = gather_answers(grid, request=make_request(), node_ids=[12], timeout_seconds=30.0, quorum=1)
    assert set(outcome.replies) == {12}


@pytest.mark.parametrize(
    ("app", "cause"),
    [
        (raising_app(), Cause.FAILED),
        (garbage_app(), Cause.UNREADABLE),
        (sound_app(size=SIZE + 1), Cause.UNREADABLE),
        (sound_app(plan_hash=OTHER_HASH), Cause.STRAY),
        (sound_app(round_shift=1), Cause.STRAY),
        (sound_app(round_shift=-1), Cause.STRAY),
    ],
)
def test_an_unsound_answer_is_left_out_with_its_cause(app: ClientApp, cause: Cause) -> None:
    outcome = ask(make_grid(sound_app(), app, sound_app()), quorum=2)
    assert set(outcome.replies) == {10, 12}
    assert {node_id: refusal.cause for node_id, refusal in outcome.refusals.items()} == {11: cause}
    assert "canary" not in str(outcome.refusals[11])


def test_a_merchant_slower_than_the_deadline_is_late_and_its_neighbours_count() -> None:
    outcome = ask(make_grid(sound_app(seconds=0.6), sound_app(), sound_app()), timeout_seconds=0.5, quorum=2)
    assert set(outcome.replies) == {11, 12}
    assert outcome.refusals[10].cause is Cause.LATE


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Error(ErrorCode.MESSAGE_UNAVAILABLE), Cause.LATE),
        (Error(ErrorCode.REPLY_MESSAGE_UNAVAILABLE), Cause.LATE),
        (Error(ErrorCode.NODE_UNAVAILABLE), Cause.OFFLINE),
        (Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "declined"), Cause.DECLINED),
        (Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "canary-7391"), Cause.FAILED),
        (Error(ErrorCode.CLIENT_APP_CRASHED, "declined"), Cause.FAILED),
        (Error(ErrorCode.LOAD_CLIENT_APP_EXCEPTION), Cause.FAILED),
        (Error(ErrorCode.INVALID_FAB), Cause.FAILED),
        (Error(ErrorCode.UNKNOWN), Cause.FAILED),
    ],
)
def test_silence_absence_refusal_and_failure_are_four_things(error: Error, cause: Cause) -> None:
    refusal = refuse_error(error)
    assert refusal.cause is cause
    assert "canary" not in str(refusal)


def test_who_is_not_awaited_holds_nobody_up_once_there_is_a_quorum() -> None:
    grid = LossyGrid({f"m{i}": (sound_app(), make_context(10 + i)) for i in range(3)})
    started = time.monotonic()
    outcome = gather_answers(
        grid, request=make_request(), node_ids=[10, 11, 12], timeout_seconds=30.0, quorum=2, not_awaited=[10]
    )
    assert time.monotonic() - started < 15
    assert outcome.refusals == {10: Refusal(Cause.LATE)}


def test_a_round_waits_for_a_lost_answer_until_the_deadline_and_no_longer() -> None:
    grid = LossyGrid({f"m{i}": (sound_app(), make_context(10 + i)) for i in range(3)})
    started = time.monotonic()
    outcome = ask(grid, timeout_seconds=0.3, quorum=2)
    assert 0.3 <= time.monotonic() - started < 5.0
    assert set(outcome.replies) == {11, 12}
    assert outcome.refusals == {10: Refusal(Cause.LATE)}


def test_a_break_in_the_network_is_asked_again() -> None:
    grid = TornGrid({f"m{i}": (sound_app(), make_context(10 + i)) for i in range(3)})
    assert set(ask(grid, quorum=3).replies) == {10, 11, 12}


def test_bytes_that_flower_cannot_read_cost_only_their_own_merchant() -> None:
    grid = TornGrid({f"m{i}": (sound_app(), make_context(10 + i)) for i in range(3)})
    grid.faults = 1_000
    outcome = ask(grid, timeout_seconds=0.2, quorum=2)
    assert outcome.refusals == {10: Refusal(Cause.UNREADABLE, "KeyError")}


def test_bytes_that_flower_cannot_read_hold_nobody_up_once_there_is_a_quorum() -> None:
    grid = TornGrid({f"m{i}": (sound_app(), make_context(10 + i)) for i in range(3)})
    grid.faults = 1_000
    started = time.monotonic()
    outcome = ask(grid, timeout_seconds=60.0, quorum=2)
    assert time.monotonic() - started < 20
    assert outcome.refusals == {10: Refusal(Cause.UNREADABLE, "KeyError")}


def test_a_node_that_nobody_knows_is_reported_as_not_asked() -> None:
    grid = make_grid(sound_app())
    outcome = gather_answers(grid, request=make_request(), node_ids=[10, 99], timeout_seconds=30.0, quorum=1)
    assert outcome.refusals == {99: Refusal(Cause.UNSENT)}


def test_one_merchant_can_be_a_federation() -> None:
    assert set(ask(make_grid(sound_app()), quorum=1).replies) == {10}


def test_rounds_follow_each_other_over_one_grid() -> None:
    grid = make_grid(sound_app(), sound_app(), sound_app())
    for round_number in (1, 2, 3):
        outcome = gather_answers(
            grid,
            request=make_request(round_number=round_number),
            node_ids=grid.get_node_ids(),
            timeout_seconds=30.0,
            quorum=3,
        )
        assert {reply.round_number for reply in outcome.replies.values()} == {round_number}
