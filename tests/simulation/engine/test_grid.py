import time

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.task_identity import TaskIdentity

from common.errors import ConfigError
from common.message.decline import CLIENT_RAISED
from simulation.engine.grid import REPLY_EXPIRED, RUN_ID, SERVER_NODE_ID, InProcessGrid, make_context


def echo_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        """Send the content back and count the calls in the merchant's own state."""
        calls = context.state.config_records.get("calls", ConfigRecord({"count": 0}))
        context.state["calls"] = ConfigRecord({"count": int(str(calls["count"])) + 1})
        return Message(message.content, reply_to=message)

    return app


def raising_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise RuntimeError("canary-7391")

    return app


def slow_app(seconds: float) -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        time.sleep(seconds)
        return Message(message.content, reply_to=message)

    return app


def silent_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return None  # type: ignore[return-value]

    return app


def unaddressed_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return Message(message.content, SERVER_NODE_ID, MessageType.TRAIN)

    return app


def make_grid(*apps: ClientApp) -> InProcessGrid:
    return InProcessGrid({f"m{i}": (app, make_context(10 + i)) for i, app in enumerate(apps)})


def make_message(node_id: int, *, ttl: float = 60.0) -> Message:
    content = RecordDict({"vector": ArrayRecord({"values": Array(np.arange(3.0))}), "about": ConfigRecord({"a": 1})})
    return Message(content, node_id, MessageType.TRAIN, ttl=ttl, group_id="1")


def test_flower_still_has_the_constants_that_are_written_out_here() -> None:
    assert (SERVER_NODE_ID, CLIENT_RAISED) == (SUPERLINK_NODE_ID, ErrorCode.CLIENT_APP_RAISED_EXCEPTION)
    assert REPLY_EXPIRED == ErrorCode.REPLY_MESSAGE_UNAVAILABLE


def test_a_grid_sets_the_identity_that_messages_read() -> None:
    grid = make_grid(echo_app())
    metadata = make_message(10).metadata
    assert grid.run.run_id == RUN_ID == TaskIdentity.run_id == metadata.run_id
    assert metadata.src_node_id == SERVER_NODE_ID


def test_three_merchants_answer_under_their_own_addresses() -> None:
    grid = make_grid(echo_app(), echo_app(), echo_app())
    assert grid.get_node_ids() == [10, 11, 12]
    assert [node.node_id for node in grid.get_nodes()] == [10, 11, 12]
    assert grid.node_ids == {"m0": 10, "m1": 11, "m2": 12}
    sent = [make_message(node_id) for node_id in grid.get_node_ids()]
    replies = grid.send_and_receive(sent)
    assert [reply.metadata.src_node_id for reply in replies] == [10, 11, 12]
    assert [reply.metadata.reply_to_message_id for reply in replies] == [m.metadata.message_id for m in sent]
    assert all(reply.content == sent[0].content for reply in replies)


def test_what_a_merchant_changes_in_its_message_reaches_nobody_else() -> None:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        message.content.config_records["about"]["a"] = int(str(message.content.config_records["about"]["a"])) + 1
        return Message(message.content, reply_to=message)

    grid = make_grid(app, app)
    content = make_message(10).content
    sent = [Message(content, node_id, MessageType.TRAIN) for node_id in grid.get_node_ids()]
    replies = grid.send_and_receive(sent)
    assert [reply.content.config_records["about"]["a"] for reply in replies] == [2, 2]
    assert content.config_records["about"]["a"] == 1


def test_a_reply_comes_once_and_an_unknown_message_never() -> None:
    grid = make_grid(echo_app())
    message_ids = grid.push_messages([make_message(10)])
    assert len(grid.pull_messages(message_ids)) == 1
    assert grid.pull_messages(message_ids) == []
    assert grid.pull_messages(["never sent"]) == []


def test_a_message_to_a_stranger_gets_no_id() -> None:
    grid = make_grid(echo_app())
    known, unknown = grid.push_messages([make_message(10), make_message(99)])
    assert (known != "", unknown) == (True, "")


def test_a_merchant_keeps_its_state_from_round_to_round() -> None:
    context = make_context(10, node_config={"merchant": "m0"})
    grid = InProcessGrid({"m0": (echo_app(), context)})
    grid.send_and_receive([make_message(10)])
    grid.send_and_receive([make_message(10)])
    assert context.state.config_records["calls"]["count"] == 2
    assert context.node_config == {"merchant": "m0"}


@pytest.mark.parametrize("app", [raising_app(), silent_app(), unaddressed_app(), ClientApp()])
def test_a_client_that_fails_answers_with_an_error_and_the_others_go_on(app: ClientApp) -> None:
    grid = make_grid(app, echo_app())
    failed, sound = grid.send_and_receive([make_message(10), make_message(11)])
    assert (failed.error.code, sound.has_error()) == (CLIENT_RAISED, False)
    assert failed.metadata.src_node_id == 10
    assert list(grid.failures) == [10]


def test_the_text_of_an_exception_stays_with_the_merchant() -> None:
    grid = make_grid(raising_app())
    (reply,) = grid.send_and_receive([make_message(10)])
    assert "canary" not in str(reply)
    assert "canary" in str(grid.failures[10])


def test_a_merchant_that_outlasts_its_message_is_late_and_its_neighbour_is_not() -> None:
    grid = make_grid(slow_app(0.6), echo_app())
    late, sound = grid.send_and_receive([make_message(10, ttl=0.5), make_message(11, ttl=0.5)])
    assert late.error.code == REPLY_EXPIRED
    assert sound.has_content()


def test_send_and_receive_leaves_out_who_took_longer_than_the_timeout() -> None:
    grid = make_grid(slow_app(0.6), echo_app())
    replies = grid.send_and_receive([make_message(10), make_message(11)], timeout=0.5)
    assert [reply.metadata.src_node_id for reply in replies] == [11]


def test_merchants_cannot_share_an_address_or_take_the_servers() -> None:
    with pytest.raises(ConfigError, match="node ids"):
        InProcessGrid({"a": (echo_app(), make_context(10)), "b": (echo_app(), make_context(10))})
    with pytest.raises(ConfigError, match="node ids"):
        InProcessGrid({"a": (echo_app(), make_context(SERVER_NODE_ID))})


def test_an_empty_federation_answers_nothing() -> None:
    grid = InProcessGrid({})
    assert grid.get_node_ids() == []
    assert grid.send_and_receive([]) == []


def test_a_server_app_runs_over_the_grid_as_it_would_in_deployment() -> None:
    heard: list[int] = []
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        message = grid.create_message(make_message(10).content, MessageType.TRAIN, 10, "1")
        heard.extend(reply.metadata.src_node_id for reply in grid.send_and_receive([message]))

    server(make_grid(echo_app()), make_context(SERVER_NODE_ID))
    assert heard == [10]
