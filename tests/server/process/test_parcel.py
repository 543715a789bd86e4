"""Messages in one piece over a real line: Flower's application behind ours, a merchant's end and the coordinator's."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import httpx
import pytest
import torch
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, generate_private_key
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.proto.fleet_pb2 import PullMessagesRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.recorddict_pb2 import BytesList
from flwr.server.superlink.linkstate import linkstate_factory
from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.main import create_app
from starlette.requests import Request
from starlette.responses import Response

from certs.authority import make_authority
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import public_pem
from client.daemon.gateway_client import GatewayClient
from client.daemon.gateway_error import GatewayError
from client.daemon.transport import TIMEOUT_SECONDS
from common.errors import MessageError
from common.message.protocol import HEADER, write_spoken
from common.message.vector import pack_vector
from fleet.superlink import free_port
from server.process import waiting
from server.process.headers import NEWS, PULL_PARCEL
from server.process.lean_grid import LeanGrid
from server.process.memory_state import MemoryState
from server.process.news import Bulletin, Issue
from server.process.parcel import ANSWERS, ASK, Parcels
from server.process.upstream import Upstream
from server.process.waiting import AGAIN, Gone, WaitingRoom, while_there

SOON = 1.5  # seconds; a question that is not woken up takes twice that


class Speaking:
    """Hold questions for messages back and say what is spoken, as the gateway does, and count what comes."""

    def __init__(self, app: Parcels) -> None:
        self._parcels, self.asked = app, list[str]()
        self.room = WaitingRoom()
        self.upstream: Upstream | None = None
        self._listening: asyncio.Task[None] | None = None

    def open_line(self, address: str, authority: bytes) -> None:
        """Have the questions of merchants wait, who then ask over a line of their own."""
        self.upstream = Upstream(address, authority=authority, word="")

    async def close_line(self) -> None:
        if self._listening is not None and self.upstream is not None:
            self._listening.cancel()
            await self.upstream.__aexit__(None, None, None)

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        waits = scope["type"] == "http" and scope["path"] == PULL_PARCEL and self.upstream is not None
        if not waits or (b"x-waited", b"1") in scope["headers"]:
            await self._parcels(scope, receive, send)
            return
        assert self.upstream is not None
        if self._listening is None:
            await self.upstream.__aenter__()
            self._listening = asyncio.create_task(self.room.listen(self.upstream.ask_news))
        request = Request(scope, receive)
        body = await request.body()
        headers = [
            (n, v) for n, v in request.headers.items() if n.startswith("flwr") or n in ("content-type", "accept")
        ]

        async def ask() -> aiohttp.ClientResponse | None:
            assert self.upstream is not None
            return await self.upstream.ask(scope["path"], [*headers, ("x-waited", "1")], body)

        node_id = PullMessagesRequest.FromString(body).node.node_id
        try:
            answer = await while_there(receive, self.room.take(node_id, ask, is_lost=AGAIN in body))
        except Gone:
            return
        assert answer is not None
        kind = answer.headers.get("content-type", "")
        await Response(await answer.read(), answer.status, media_type=kind)(scope, receive, send)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] != NEWS:
            self.asked.append(scope["path"])

        async def say(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                spoken = (HEADER.encode(), write_spoken().encode())
                message = {**message, "headers": [*message.get("headers", ()), spoken]}
            await send(message)

        await self._app(scope, receive, say)


@dataclass
class Line:
    """A SuperLink in this process, with one run."""

    state: MemoryState
    app: Speaking
    address: str
    authority: bytes
    context: ssl.SSLContext
    grid: LeanGrid
    opened: list[GatewayClient] = field(default_factory=list)

    def let_in(self) -> tuple[int, EllipticCurvePrivateKey]:
        key = generate_private_key(NODE_CURVE)
        return self.state.create_node("", "", public_pem(key.public_key()), 30.0), key

    def merchant(self) -> tuple[int, GatewayClient]:
        node_id, key = self.let_in()
        client = GatewayClient(self.address, key, self.context)
        self.opened.append(client)
        assert client.connect() == node_id
        return node_id, client


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    authority = make_authority(folder, "test")
    key = read_or_make_curve_key(folder / "server.key", TLS_CURVE)
    (folder / "server.pem").write_bytes(authority.sign_server(["127.0.0.1"], key.public_key()))
    patch = pytest.MonkeyPatch()
    patch.setattr(linkstate_factory, "InMemoryLinkState", MemoryState)
    flower = create_app()
    flower.state.enable_supernode_auth = True
    state = flower.state.linkstate_factory.state()
    assert isinstance(state, MemoryState)
    run_id = state.create_run(None, None, None, {}, NOOP_FEDERATION_ID, None, None, TaskType.SERVER_APP)
    (run,) = state.get_run_info(run_ids=[run_id])
    assert run.primary_task_id is not None
    token = state.claim_task(run.primary_task_id)
    assert token
    assert state.activate_task(run.primary_task_id)
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = run.primary_task_id, run_id, 1
    port = free_port()
    app = Speaking(Parcels(flower))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            lifespan="off",
            ws="none",
            log_level="error",
            ssl_certfile=folder / "server.pem",
            ssl_keyfile=str(folder / "server.key"),
            timeout_graceful_shutdown=1,
        )
    )

    async def serve() -> None:
        await server.serve()
        await app.close_line()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    grid = LeanGrid(f"127.0.0.1:{port}", authority=authority.pem, token=token)
    grid.set_run(run)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    app.open_line(f"127.0.0.1:{port}", authority.pem)
    line = Line(state, app, f"127.0.0.1:{port}", authority.pem, context, grid)
    yield line
    for client in line.opened:
        client.close()
    grid.close()
    server.should_exit = True
    thread.join(30)
    patch.undo()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SHORTEST_SECONDS", 0.05)


def ask(line: Line, node_id: int, text: str = "what is it", *, ttl: float = 60.0) -> str:
    content = pack_vector(ConfigRecord({"text": text}), torch.arange(1000, dtype=torch.float32))
    (message_id,) = line.grid.push_messages([Message(content, node_id, "query.test", ttl=ttl)])
    return message_id


def take(client: GatewayClient) -> Message | None:
    envelope = client.pull()
    return None if envelope is None else client.fetch(envelope)


def answer(client: GatewayClient, message: Message, text: str = "that") -> None:
    client.push(Message(RecordDict({"about": ConfigRecord({"text": text})}), reply_to=message))


def collect(line: Line, message_id: str) -> Message:
    line.grid.await_news(SOON)
    (reply,) = line.grid.pull_messages([message_id])
    return reply


def said(message: Message) -> object:
    return message.content.config_records["about"]["text"]


def test_a_question_and_its_answer_are_one_request_each(line: Line) -> None:
    node_id, client = line.merchant()
    before = len(line.app.asked)
    message_id = ask(line, node_id)
    message = take(client)
    assert message is not None
    assert message.metadata.message_id == message_id
    assert said(message) == "what is it"
    said_back = Message(RecordDict({"about": ConfigRecord({"text": "that"})}), reply_to=message)
    client.push(said_back)
    client.push(said_back)  # as after an answer that got lost
    reply = collect(line, message_id)
    client.push(said_back)  # also after it was taken
    assert said(reply) == "that"
    assert reply.metadata.reply_to_message_id == message_id
    asked = [path for path in line.app.asked[before:] if "runtime" not in path]
    push = "/v1/hansa/push-parcel"
    pull = [PULL_PARCEL, PULL_PARCEL]  # by the merchant, and on its behalf
    assert asked == [ASK, *pull, push, push, ANSWERS, push]
    assert line.grid.pull_messages([message_id]) == []
    assert message_id not in line.state.object_store, "what was answered is let go of"


def test_whoever_waits_is_told_at_once(line: Line) -> None:
    node_id, client = line.merchant()
    taken: list[Message | None] = []
    asking = threading.Thread(target=lambda: taken.append(take(client)))
    asking.start()
    time.sleep(0.3)
    began = time.monotonic()
    message_id = ask(line, node_id)
    asking.join(30)
    assert time.monotonic() - began < SOON
    (message,) = taken
    assert message is not None
    timer = threading.Timer(0.3, lambda: answer(client, message))
    timer.start()
    began = time.monotonic()
    line.grid.await_news(5.0)
    assert 0.2 < time.monotonic() - began < SOON
    assert [said(reply) for reply in line.grid.pull_messages([message_id])] == ["that"]


def test_who_waits_asks_the_superlink_nothing_until_there_is_news(line: Line) -> None:
    node_id, client = line.merchant()
    assert client.pull() is None
    before = len(line.app.asked)
    began = time.monotonic()
    asking = threading.Thread(target=client.pull)
    asking.start()
    time.sleep(0.3)
    assert line.app.asked[before:] == [PULL_PARCEL], "the merchant's own alone"
    ask(line, node_id)
    asking.join(30)
    assert time.monotonic() - began < SOON
    assert line.app.asked[before:].count(PULL_PARCEL) == 2


def test_whoever_asks_or_answers_is_there(line: Line, quick: None) -> None:
    node_id, client = line.merchant()
    node = line.state.nodes[node_id]
    node.online_until = time.time() + 5.0
    assert client.pull() is None
    assert node.online_until > time.time() + 30.0
    ask(line, node_id)
    message = take(client)
    assert message is not None
    node.online_until = time.time() + 5.0
    answer(client, message)
    assert node.online_until > time.time() + 30.0
    client.deactivate()
    assert client.pull() is None
    assert node_id not in line.state.get_nodes(line.grid.run.run_id), "who said goodbye is not called back by a look"


def test_two_messages_are_two_answers_at_once(line: Line) -> None:
    node_id, client = line.merchant()
    asked = {ask(line, node_id, "the first"), ask(line, node_id, "the second")}
    began = time.monotonic()
    taken = [take(client), take(client)]
    assert time.monotonic() - began < SOON
    assert {message.metadata.message_id for message in taken if message is not None} == asked


def test_the_more_wait_the_longer_each_does() -> None:
    room = WaitingRoom()
    assert room.seconds == waiting.SHORTEST_SECONDS
    room._waiting.update(range(500))
    assert room.seconds == 10
    room._waiting.update(range(5000))
    assert room.seconds == waiting.LONGEST_SECONDS < TIMEOUT_SECONDS, "or merchants would give up before"


def test_another_superlink_may_have_something_for_everybody() -> None:
    first, second = Bulletin(), Bulletin()
    first.note([1, 2])
    read = Issue.from_bytes(first.since(Issue()).to_bytes())
    assert read.node_ids is None, "nobody knows what was before"
    first.note([3, 1, 3])
    issue = Issue.from_bytes(first.since(read).to_bytes())
    assert issue.node_ids == (3, 1)
    assert first.since(issue).node_ids == ()
    second.note([1])
    assert second.since(issue).node_ids is None


def test_nothing_is_a_short_wait(line: Line, quick: None) -> None:
    _, client = line.merchant()
    assert take(client) is None


def test_a_message_that_did_not_arrive_is_given_again_until_it_is_answered(line: Line, quick: None) -> None:
    node_id, client = line.merchant()
    message_id = ask(line, node_id)
    assert client.pull() is not None
    assert client.pull() is None
    client._is_lost = True  # as after an answer that broke off
    message = take(client)
    assert message is not None
    assert message.metadata.message_id == message_id
    answer(client, message)
    client._is_lost = True
    assert client.pull() is None


def test_a_broken_answer_is_noticed(line: Line, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    node_id, client = line.merchant()
    message_id = ask(line, node_id)
    whole = client._client.pull_parcel

    def broken(asked: PullMessagesRequest) -> BytesList:
        whole(asked)
        raise httpx.ReadError("the line broke off")

    monkeypatch.setattr(client._client, "pull_parcel", broken)
    with pytest.raises(GatewayError):
        client.pull()
    monkeypatch.undo()
    message = take(client)
    assert message is not None
    assert message.metadata.message_id == message_id


def test_who_has_gone_takes_nothing_along(line: Line) -> None:
    node_id, client = line.merchant()
    left = GatewayClient(line.address, client._key, line.context, node_id=node_id)
    left.connect()
    left._client._client.timeout = httpx.Timeout(0.3)
    with pytest.raises(GatewayError):
        left.pull()
    left.close()
    message_id = ask(line, node_id)
    message = take(client)
    assert message is not None
    assert message.metadata.message_id == message_id


def test_of_one_merchant_two_questions_wait_and_no_more(line: Line) -> None:
    node_id, first = line.merchant()
    others = [GatewayClient(line.address, first._key, line.context, node_id=node_id) for _ in range(2)]
    line.opened += others
    for other in others:
        other.connect()
    asking = [threading.Thread(target=client.pull) for client in (first, others[0])]
    for thread in asking:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert others[1].pull() is None
    assert time.monotonic() - began < SOON
    for thread in asking:
        thread.join(30)


def test_a_node_gets_no_message_of_another(line: Line, quick: None) -> None:
    node_id, client = line.merchant()
    _, other = line.merchant()
    ask(line, node_id)
    assert other.pull() is None
    other._node = Node(node_id=node_id)
    with pytest.raises(GatewayError):
        other.pull()
    assert client.pull() is not None


@pytest.mark.parametrize("path", [ASK, ANSWERS])
def test_who_has_not_the_task_asks_nobody(line: Line, path: str) -> None:
    parcels = BytesList(vals=[b"", b"0"]).SerializeToString()
    with httpx.Client(verify=line.context) as stranger:
        for headers in ({}, {"flwr-task-token": "0" * 64}):
            done = stranger.post(f"https://{line.address}{path}", content=parcels, headers=headers)
            assert done.status_code in (401, 403)


def test_one_that_cannot_be_asked_leaves_a_gap_in_its_place(line: Line) -> None:
    (first, _), (second, _) = line.merchant(), line.merchant()
    content = RecordDict({"about": ConfigRecord({"text": "to all"})})
    messages = [Message(content, node_id, "query.test", ttl=60.0) for node_id in (first, 12345, second)]
    ids = line.grid.push_messages(messages)
    assert [bool(message_id) for message_id in ids] == [True, False, True]


def test_one_answer_that_cannot_be_read_costs_no_other(line: Line) -> None:
    merchants = [line.merchant(), line.merchant()]
    ids = [ask(line, node_id) for node_id, _ in merchants]
    for _, client in merchants:
        message = take(client)
        assert message is not None
        answer(client, message)
    deadline = time.monotonic() + 10
    while not set(ids) <= line.grid._replies.keys():
        line.grid.await_news(SOON)
        assert time.monotonic() < deadline
    line.grid._replies[ids[0]] = replace(line.grid._replies[ids[0]], contents={})
    for _ in range(2):
        with pytest.raises(Exception):  # noqa: B017, PT011  whatever Flower raises
            line.grid.pull_messages([ids[0]])
    assert [said(reply) for reply in line.grid.pull_messages([ids[1]])] == ["that"]


def test_an_answer_to_what_is_over_is_over_too(line: Line) -> None:
    node_id, client = line.merchant()
    ask(line, node_id, ttl=0.4)
    message = take(client)
    assert message is not None
    time.sleep(0.5)
    answer(client, message)  # the SuperLink takes it, and lets it go
    line.grid.await_news(0.1)


def test_an_expired_question_is_an_error_for_who_asked(line: Line) -> None:
    node_id, _ = line.merchant()
    message_id = ask(line, node_id, ttl=0.3)
    deadline, found = time.monotonic() + 10, list[Message]()
    while not found:
        line.grid.await_news(0.2)
        found = line.grid.pull_messages([message_id])
        assert time.monotonic() < deadline
    assert found[0].has_error()


@pytest.mark.parametrize(
    ("vals", "word"),
    [
        (lambda vals: [], "none of this version"),
        (lambda vals: [b"\xff\xff", *vals[1:]], "none of this version"),
        (lambda vals: vals[:-1], "not the one that its id names"),
        (lambda vals: [*vals, b"more"], "not the one that its id names"),
        (lambda vals: [*vals[:-1], b"other"], "not the one that its id names"),
        (lambda vals: vals[:1], "not the one that its id names"),
    ],
)
def test_a_parcel_of_other_things_than_it_says_is_refused(
    line: Line, vals: Callable[[list[bytes]], list[bytes]], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node_id, client = line.merchant()
    ask(line, node_id)
    whole = client._client.pull_parcel
    monkeypatch.setattr(client._client, "pull_parcel", lambda asked: BytesList(vals=vals(list(whole(asked).vals))))
    with pytest.raises(MessageError, match=word):
        take(client)


def test_a_parcel_of_too_many_objects_is_refused(line: Line) -> None:
    node_id, client = line.merchant()
    content = RecordDict({f"r{number}": ConfigRecord({"n": number}) for number in range(20)})
    line.grid.push_messages([Message(content, node_id, "query.test", ttl=60.0)])
    with pytest.raises(MessageError, match="more than 16 objects"):
        take(client)


def test_what_a_merchant_pushes_under_another_hash_is_not_kept(
    line: Line, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    node_id, client = line.merchant()
    message_id = ask(line, node_id)
    message = take(client)
    assert message is not None
    whole = client._client.push_parcel

    def other(parcels: BytesList) -> object:
        return whole(BytesList(vals=[*parcels.vals[:-1], parcels.vals[-1] + b"!"]))

    monkeypatch.setattr(client._client, "push_parcel", other)
    with pytest.raises(GatewayError):
        answer(client, message)
    assert line.state.reply_bytes(message_id) == 0
    line.grid.await_news(0.1)
    assert line.grid.pull_messages([message_id]) == []
