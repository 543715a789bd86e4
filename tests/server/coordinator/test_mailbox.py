import time
from collections.abc import Iterable

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from server.coordinator import mailbox
from server.coordinator.mailbox import MOST_TIMES, Mailbox, Subject
from server.round.collection import Cause
from simulation.engine.grid import InProcessGrid, make_context

NODE = 10
SUBJECT = Subject("query.proposal", "a" * 64)


def answering_app() -> ClientApp:
    app = ClientApp()

    @app.query("proposal")
    def answer(message: Message, context: Context) -> Message:
        return Message(RecordDict({"about": ConfigRecord({"yes": True})}), reply_to=message)

    return app


class SilentGrid(InProcessGrid):
    """A network in which every message arrives and no reply does."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return []


class TornGrid(InProcessGrid):
    """A network that breaks whenever a reply is asked for, the first `faults` times."""

    faults = 10**9

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        self.faults -= 1
        if self.faults >= 0:
            raise KeyError("canary")
        return super().pull_messages(message_ids)


def make_mailbox(kind: type[InProcessGrid] = InProcessGrid) -> tuple[Mailbox, InProcessGrid]:
    grid = kind({"m": (answering_app(), make_context(NODE))})
    return Mailbox(grid), grid


def post(box: Mailbox, *, seconds: float = 30.0, node: int = NODE) -> bool:
    content = RecordDict({"about": ConfigRecord({"plan": "small"})})
    return box.post(content, member="alice", node_id=node, subject=SUBJECT, timeout_seconds=seconds)


def test_an_answer_comes_back_once() -> None:
    box, _ = make_mailbox()
    assert post(box)
    assert box.is_open("alice", SUBJECT)
    (reply,) = box.collect()
    assert (reply.member, reply.subject, reply.cause) == ("alice", SUBJECT, None)
    assert reply.content is not None
    assert box.collect() == []
    assert not box.is_open("alice", SUBJECT)


@pytest.mark.parametrize(("kind", "cause"), [(SilentGrid, Cause.LATE), (TornGrid, Cause.UNREADABLE)])
def test_silence_and_bytes_that_cannot_be_read_end_with_the_time(kind: type[InProcessGrid], cause: Cause) -> None:
    box, _ = make_mailbox(kind)
    post(box, seconds=0.2)
    assert box.collect() == []
    time.sleep(0.25)
    (reply,) = box.collect()
    assert (reply.content, reply.cause) == (None, cause)


def test_a_break_in_the_network_is_looked_past() -> None:
    box, grid = make_mailbox(TornGrid)
    post(box)
    grid.faults = 2  # type: ignore[attr-defined]
    assert [len(box.collect()) for _ in range(3)] == [0, 0, 1]


def test_a_question_is_put_again_ever_more_seldom_and_ten_times_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(mailbox.time, "monotonic", lambda: now)
    box, _ = make_mailbox()
    asked_at = []
    for second in range(0, 24 * 3600, 10):
        now = 1000.0 + second
        if box.may_ask("alice", SUBJECT):
            post(box)
            box.collect()
            asked_at.append(second)
    assert len(asked_at) == MOST_TIMES
    assert asked_at[:4] == [0, 60, 180, 420]
    assert asked_at[-1] == 60 * (2**9 - 1)
    box.forget("alice")
    assert box.may_ask("alice", SUBJECT)


def test_who_comes_and_goes_is_not_asked_forty_times_in_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(mailbox.time, "monotonic", lambda: now)
    box, _ = make_mailbox()
    asked = 0
    for second in range(120):
        now = 1000.0 + second
        if box.may_ask("alice", SUBJECT):
            post(box)
            box.collect()
            asked += 1
        box.forget("alice")  # it is away, and back in the next second
    assert 2 <= asked <= 8


def test_a_question_to_nobody_is_not_open() -> None:
    box, _ = make_mailbox()
    assert not post(box, node=99)
    assert not box.is_open("alice", SUBJECT)
    assert not box.may_ask("alice", SUBJECT)  # for a minute
