"""Messages in one piece, and questions that wait for news: what Flower's API asks object by object, again and again.

In front of Flower's own application, in the SuperLink's process, with Flower's own checks and handlers:

    /v1/fleet/pull-messages     Flower's, which waits a while where there is no message
    /v1/hansa/pull-parcel       the same, with all objects of the message
    /v1/hansa/push-parcel       a reply and its objects
    /v1/hansa/ask               of the coordinator alone: questions and their objects
    /v1/hansa/answers           of the coordinator alone: waits, and hands out whole replies with their objects

A parcel is Flower's `BytesList`. Everything else passes on to Flower as it is. See docs/protocol.md §5.15.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from flwr.proto.fleet_pb2 import PullMessagesRequest, PullMessagesResponse, PushMessagesRequest
from flwr.proto.message_pb2 import ObjectTree, PushObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.recorddict_pb2 import BytesList
from flwr.proto.runtime_pb2 import PullAppMessagesRequest, PullAppMessagesResponse, PushAppMessagesRequest
from flwr.proto.task_pb2 import Task
from flwr.supercore.constant import TASK_TOKEN_HEADER
from flwr.supercore.dependencies.task import authenticate_task
from flwr.supercore.error import http_error_translator
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.superlink.routers.fleet.node_auth import authenticate_node
from flwr.superlink.servicer.fleet import fleet_handlers
from flwr.superlink.servicer.runtime import runtime_handlers
from google.protobuf.message import DecodeError, Message
from starlette.concurrency import run_in_threadpool

from server.process.headers import PROTOBUF, PULL, PULL_PARCEL, PUSH_PARCEL
from server.process.memory_state import MemoryState

ASK, ANSWERS = "/v1/hansa/ask", "/v1/hansa/answers"
NEWS = frozenset({"/v1/fleet/push-messages", "/v1/fleet/push-object", "/v1/runtime/push-object"})
WAIT_SECONDS = 3.0  # that a merchant's question for messages waits; it asked every three seconds before
LONGEST_ANSWER_WAIT_SECONDS = 5.0
LINGER_SECONDS = 0.01  # so that replies which come together are handed out together
MOST_WAITING = 160  # of the gateway's 256 lines; who comes after them is answered at once and asks again by itself
MOST_WAITING_OF_ONE = 2  # a merchant asks once at a time; one that was killed may not be known to have gone yet
MOST_ANSWER_BYTES = 64 << 20
SMALL_BYTES = 1 << 20  # up to here a thread of its own costs more than it saves
AGAIN = "again"  # in the place of a message's id: what was given last did not arrive
COORDINATOR = 0  # no node has this number

Handler = Callable[[Request], Awaitable[Response]]


class News:
    """Wake up who waits for news of a node."""

    def __init__(self) -> None:
        self._events: dict[int, asyncio.Event] = {}
        self._waiting: Counter[int] = Counter()

    def has_room(self, node_id: int) -> bool:
        """Whether one more question of a node may wait."""
        return self._waiting.total() < MOST_WAITING and self._waiting[node_id] < MOST_WAITING_OF_ONE

    def of(self, node_id: int) -> asyncio.Event:
        """Give what is set at the next news; to be taken before one looks, so that nothing is missed."""
        return self._events.setdefault(node_id, asyncio.Event())

    def tell(self, node_ids: Iterable[int]) -> None:
        """Tell whoever waits."""
        for node_id in node_ids:
            if (event := self._events.pop(node_id, None)) is not None:
                event.set()

    async def wait(self, node_id: int, event: asyncio.Event, seconds: float) -> None:
        """Wait for news of a node, for so many seconds at most."""
        self._waiting[node_id] += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._waiting[node_id] -= 1
            if not self._waiting[node_id]:
                del self._waiting[node_id]


class Parcels:
    """The ASGI application that answers what is said above; `flower` answers everything else."""

    def __init__(self, flower: FastAPI) -> None:
        self._flower, self._news = flower, News()
        self._handlers: dict[str, Handler] = {
            PULL: self._pull,
            PULL_PARCEL: self._pull_parcel,
            PUSH_PARCEL: self._push_parcel,
            ASK: self._ask,
            ANSWERS: self._answers,
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if handler is None:
            await self._flower(scope, receive, send)
            if scope.get("path") in NEWS:
                self._news.tell((COORDINATOR,))
            return
        request = Request({**scope, "app": self._flower, "state": dict(scope.get("state", {}))}, receive)
        response = await http_error_translator(request, handler)
        await response(scope, receive, send)

    @property
    def _state(self) -> MemoryState:
        return cast(MemoryState, self._flower.state.linkstate_factory.state())

    async def _pull(self, request: Request) -> Response:
        return _protobuf(await self._await_message(request))

    async def _pull_parcel(self, request: Request) -> Response:
        """Give a message with its objects; one that was given and did not arrive is given again."""
        found = await self._await_message(request)
        return _protobuf(_with_objects(self._state, found.message_object_trees, found))

    async def _await_message(self, request: Request) -> PullMessagesResponse:
        """Look for a message until one is there, time is up, or nobody is there to take it."""
        asked = PullMessagesRequest.FromString(await request.body())
        self._authenticate(request, asked)
        clock, state, node_id = asyncio.get_running_loop(), self._state, asked.node.node_id
        if list(asked.message_ids) == [AGAIN]:
            state.give_back(node_id)
        until = clock.time() + (WAIT_SECONDS if self._news.has_room(node_id) else 0.0)
        while True:
            event = self._news.of(node_id)
            if await request.is_disconnected():  # it must not take a message that nobody gets
                return PullMessagesResponse()
            found = fleet_handlers.pull_messages(request=asked, state=state, store=state.object_store)
            if found.messages_list or clock.time() >= until:
                return found
            await self._news.wait(node_id, event, until - clock.time())

    async def _push_parcel(self, request: Request) -> Response:
        """Keep a reply; what it answers is let go of."""
        body = await request.body()
        asked, contents = _open(body, PushMessagesRequest)
        self._authenticate(request, asked)
        state = self._state

        def keep() -> Message:
            kept = fleet_handlers.push_messages(asked, state)
            about = asked.messages_list[0].metadata
            missing = set(kept.objects_to_push)
            for object_id in missing & contents.keys():
                part = PushObjectRequest(
                    node=asked.node,
                    run_id=about.run_id,
                    object_id=object_id,
                    object_content=contents[object_id],
                    session_id=kept.session_id,
                )
                if fleet_handlers.push_object(part, state).stored:
                    missing.discard(object_id)
            if not missing:
                state.object_store.delete(about.reply_to_message_id)
            kept.ClearField("objects_to_push")
            kept.objects_to_push.extend(sorted(missing))
            return kept

        kept = keep() if len(body) <= SMALL_BYTES else await run_in_threadpool(keep)
        self._news.tell((COORDINATOR,))
        return _protobuf(kept)

    async def _ask(self, request: Request) -> Response:
        """Keep questions with their objects."""
        asked, contents = _open(await request.body(), PushAppMessagesRequest)
        task, state = self._task(request), self._state

        def keep() -> Message:
            kept = runtime_handlers.push_messages(asked, state, task)
            for object_id in kept.objects_to_push:
                part = PushObjectRequest(
                    node=Node(node_id=asked.messages_list[0].metadata.src_node_id),
                    run_id=task.run_id,
                    object_id=object_id,
                    object_content=contents[object_id],
                    session_id=kept.session_id,
                )
                runtime_handlers.push_object(part, state, task)
            return kept

        kept = await run_in_threadpool(keep)
        self._news.tell(message.metadata.dst_node_id for message in asked.messages_list)
        return _protobuf(kept)

    async def _answers(self, request: Request) -> Response:
        """Give the replies that are all there, as soon as there is one, and errors once time is up."""
        body = BytesList.FromString(await request.body())
        asked, seconds = PullAppMessagesRequest.FromString(body.vals[0]), int(body.vals[1]) / 1000
        task, state, clock = self._task(request), self._state, asyncio.get_running_loop()
        until = clock.time() + min(seconds, LONGEST_ANSWER_WAIT_SECONDS)
        while True:
            event = self._news.of(COORDINATOR)
            found = take_replies(state, asked, task)
            if found.messages_list or clock.time() >= until or await request.is_disconnected():
                parcel = _with_objects(state, found.message_object_trees, found)
                for tree in found.message_object_trees:
                    state.object_store.delete(tree.object_id)
                return _protobuf(parcel)
            await self._news.wait(COORDINATOR, event, until - clock.time())
            await asyncio.sleep(LINGER_SECONDS)

    def _authenticate(self, request: Request, asked: Message) -> None:
        request.state.protobuf_request = asked
        authenticate_node(request)

    def _task(self, request: Request) -> Task:
        return authenticate_task(request, request.headers.get(TASK_TOKEN_HEADER), self._state)


def take_replies(state: MemoryState, asked: PullAppMessagesRequest, task: Task) -> PullAppMessagesResponse:
    """Take replies, no more at once than what fits one answer."""
    wanted, room = PullAppMessagesRequest(), MOST_ANSWER_BYTES
    for message_id in asked.message_ids:
        if room > 0:
            wanted.message_ids.append(message_id)
            room -= state.reply_bytes(message_id)
    return runtime_handlers.pull_messages(wanted, state, task)


def _with_objects(state: MemoryState, trees: Iterable[ObjectTree], found: Message) -> BytesList:
    """Put an answer and the objects of its messages together, each object once."""
    object_ids = dict.fromkeys(node.object_id for tree in trees for node in iterate_object_tree(tree))
    contents = (state.object_store.get(object_id) for object_id in object_ids)
    return BytesList(vals=[found.SerializeToString(), *(content for content in contents if content)])


def _open(body: bytes, kind: type[Any]) -> tuple[Any, dict[str, bytes]]:
    """Take a parcel apart: what is asked, and objects by their ids."""
    parcel = BytesList.FromString(body)
    if not parcel.vals:
        raise DecodeError("a parcel with nothing in it")
    contents = {hashlib.sha256(content).hexdigest(): content for content in parcel.vals[1:]}
    return kind.FromString(parcel.vals[0]), contents


def _protobuf(message: Message) -> Response:
    return Response(content=message.SerializeToString(), media_type=PROTOBUF)
