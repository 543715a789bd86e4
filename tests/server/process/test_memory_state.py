"""What is ours in the SuperLink's state: who was shut out may come back, and what nobody answered is let go of."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.proto.message_pb2 import ObjectTree
from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree, no_object_id_recompute
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.federation import NoOpFederationManager

from server.process import memory_state
from server.process.memory_state import MemoryState

OWNER, KEY = "", b"a key"


@pytest.fixture
def state() -> MemoryState:
    return MemoryState(NoOpFederationManager(), ObjectStoreFactory().store())


def test_who_was_shut_out_comes_back_as_another_node_also_who_never_came(state: MemoryState) -> None:
    first = state.create_node(OWNER, "", KEY, 30.0)
    state.delete_node(OWNER, first)
    assert state.get_node_id_by_public_key(KEY) is None
    second = state.create_node(OWNER, "", KEY, 30.0)
    assert state.activate_node(second, 30.0)
    state.delete_node(OWNER, second)
    third = state.create_node(OWNER, "", KEY, 30.0)
    assert len({first, second, third}) == 3
    assert state.get_node_id_by_public_key(KEY) == third


def test_a_node_that_is_in_is_not_let_in_again(state: MemoryState) -> None:
    state.create_node(OWNER, "", KEY, 30.0)
    with pytest.raises(ValueError, match="in use"):
        state.create_node(OWNER, "", KEY, 30.0)


def ask(state: MemoryState, run_id: int, node_id: int, text: str) -> str:
    """Keep a question with its objects, as the coordinator's Grid has it kept."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, run_id, 1
    message = Message(RecordDict({"about": ConfigRecord({"text": text})}), node_id, "query.test", ttl=1.0)
    message_id = message.object_id
    message.metadata.__dict__["_message_id"] = message_id
    with no_object_id_recompute():
        objects = get_all_nested_objects(message)
        state.object_store.preregister(run_id, get_object_tree(message))
        for object_id, found in objects.items():
            state.object_store.put(object_id, found.deflate())
    assert state.store_message_ins(message) == message_id
    return message_id


def in_pieces(message: Message) -> tuple[Message, dict[str, bytes], ObjectTree]:
    """Give a message without its content, its objects, and their tree."""
    message.metadata.__dict__["_message_id"] = message.object_id
    with no_object_id_recompute():
        contents = {object_id: found.deflate() for object_id, found in get_all_nested_objects(message).items()}
        return remove_content_from_message(message), contents, get_object_tree(message)


def bring(state: MemoryState, run_id: int, message: Message) -> Iterator[None]:
    """Keep a message as Flower does: first its name, then each of its objects."""
    bare, contents, tree = in_pieces(message)
    session = state.start_session(run_id)
    stored, missing = state.store_message_and_object_tree(bare, tree, session)
    assert stored
    for object_id in missing:
        yield
        assert state.store_object(run_id, session, object_id, contents[object_id])


def test_a_message_is_handed_out_once_and_only_when_all_of_it_is_there(state: MemoryState) -> None:
    run_id = state.create_run(None, None, None, {}, NOOP_FEDERATION_ID, None, None, TaskType.SERVER_APP)
    node_id, other = (state.create_node(OWNER, "", key, 30.0) for key in (KEY, b"another"))
    assert all(state.activate_node(node, 30.0) for node in (node_id, other))
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, run_id, 1
    question = Message(RecordDict({"about": ConfigRecord({"text": "how many"})}), node_id, "query.test", ttl=60.0)
    for _ in bring(state, run_id, question):
        assert state.get_message_ins(node_id, 1) == []
    assert state.get_message_ins(other, 1) == []
    (taken,) = state.get_message_ins(node_id, 1)
    assert state.get_message_ins(node_id, 1) == []
    state.give_back(node_id)
    assert state.get_message_ins(node_id, 1) == [taken]

    message_id = taken.metadata.message_id
    answer = Message(RecordDict({"about": ConfigRecord({"text": "three"})}), reply_to=question)
    for _ in bring(state, run_id, answer):
        assert state.reply_bytes(message_id) == 0
        assert state.get_message_res({message_id}, run_id) == []
    assert state.reply_bytes(message_id) > 0
    assert [found.metadata.message_id for found in state.get_message_res({message_id}, run_id)] == [answer.object_id]
    state.give_back(node_id)
    assert state.get_message_ins(node_id, 1) == [], "what was answered is not asked again"


def test_what_nobody_answered_is_let_go_of_with_its_content(
    state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = state.create_run(None, None, None, {}, NOOP_FEDERATION_ID, None, None, TaskType.SERVER_APP)
    node_id = state.create_node(OWNER, "", KEY, 30.0)
    assert state.activate_node(node_id, 30.0)
    old = [ask(state, run_id, node_id, f"round {number}") for number in range(3)]
    assert state.num_message_ins() == 3
    kept = len(state.object_store)
    assert kept >= 9
    later = time.time() + 3 * memory_state.SWEEP_SECONDS
    monkeypatch.setattr(memory_state.time, "time", lambda: later)
    new = ask(state, run_id, node_id, "round 4")
    assert state.num_message_ins() == 1
    assert [object_id in state.object_store for object_id in [*old, new]] == [False, False, False, True]
    assert len(state.object_store) < kept / 2
