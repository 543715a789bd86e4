"""Messages in one piece, and questions that wait for news: what Flower's API asks object by object, again and again.

In front of Flower's own application, in the SuperLink's process, with Flower's own checks and handlers:

    /v1/fleet/send-node-heartbeat, activate-node
                                Flower's, without its eight layers and three changes of thread for each
    /v1/fleet/pull-messages     Flower's, which also says whether more is there
    /v1/hansa/pull-parcel       the same, with all objects of the message
    /v1/hansa/push-parcel       a reply and its objects
    /v1/hansa/news              of the gateway alone: waits, and says for whom there are messages (`waiting.py`)
    /v1/hansa/ask               of the coordinator alone: questions and their objects
    /v1/hansa/answers           of the coordinator alone: waits, and hands out whole replies with their objects

A parcel is Flower's `BytesList`. Everything else passes on to Flower as it is. See docs/protocol.md §5.15.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from flwr.proto.fleet_pb2 import ActivateNodeRequest, PullMessagesRequest, PullMessagesResponse, PushMessagesRequest
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
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

from server.process.headers import ACTIVATE, HEARTBEAT, NEWS, PROTOBUF, PULL, PULL_PARCEL, PUSH_PARCEL
from server.process.memory_state import MemoryState
from server.process.news import Bulletin, Issue, News, wait_for
from server.process.waiting import NONE_LEFT

ASK, ANSWERS = "/v1/hansa/ask", "/v1/hansa/answers"
REPLIES = frozenset({"/v1/fleet/push-messages", "/v1/fleet/push-object", "/v1/runtime/push-object"})
LONGEST_ANSWER_WAIT_SECONDS = 5.0
LINGER_SECONDS = 0.01  # so that replies which come together are handed out together
MOST_ANSWER_BYTES = 64 << 20
SMALL_BYTES = 1 << 20  # up to here a thread of its own costs more than it saves
AGAIN = "again"  # in the place of a message's id: what was given last did not arrive
NEWS_SECONDS = 20.0  # that the gateway's question for news waits
COORDINATOR, GATEWAY = 0, -1  # no node has these numbers

Handler = Callable[[Request], Awaitable[Response]]


class Parcels:
    """The ASGI application that answers what is said above; `flower` answers everything else."""

    def __init__(self, flower: FastAPI) -> None:
        self._flower, self._news, self._bulletin = flower, News(), Bulletin()
        self._handlers: dict[str, Handler] = {
            HEARTBEAT: self._beat,
            ACTIVATE: self._activate,
            PULL: self._pull,
            PULL_PARCEL: self._pull_parcel,
            PUSH_PARCEL: self._push_parcel,
            NEWS: self._tell,
            ASK: self._ask,
            ANSWERS: self._answers,
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if handler is None:
            await self._flower(scope, receive, send)
            if scope.get("path") in REPLIES:
                self._news.tell((COORDINATOR,))
            return
        request = Request({**scope, "app": self._flower, "state": dict(scope.get("state", {}))}, receive)
        response = await http_error_translator(request, handler)
        await response(scope, receive, send)

    @property
    def _state(self) -> MemoryState:
        return cast(MemoryState, self._flower.state.linkstate_factory.state())

    async def _beat(self, request: Request) -> Response:
        asked = SendNodeHeartbeatRequest.FromString(await request.body())
        self._authenticate(request, asked)
        return _protobuf(fleet_handlers.send_node_heartbeat(asked, self._state))

    async def _activate(self, request: Request) -> Response:
        asked = ActivateNodeRequest.FromString(await request.body())
        self._authenticate(request, asked)
        return _protobuf(fleet_handlers.activate_node(asked, self._state))

    async def _pull(self, request: Request) -> Response:
        found = await self._find_message(request)
        return self._with_rest(_protobuf(found), request, found)

    async def _pull_parcel(self, request: Request) -> Response:
        """Give a message with its objects; one that was given and did not arrive is given again."""
        found = await self._find_message(request)
        return self._with_rest(_protobuf(_with_objects(self._state, found.message_object_trees, found)), request, found)

    async def _find_message(self, request: Request) -> PullMessagesResponse:
        """Look for a message, where somebody is there to take it."""
        asked = PullMessagesRequest.FromString(await request.body())
        self._authenticate(request, asked)
        state = self._state
        state.note_presence(asked.node.node_id)
        if list(asked.message_ids) == [AGAIN]:
            state.give_back(asked.node.node_id)
        if await request.is_disconnected():  # it must not take a message that nobody gets
            return PullMessagesResponse()
        return fleet_handlers.pull_messages(request=asked, state=state, store=state.object_store)

    def _with_rest(self, response: Response, request: Request, found: PullMessagesResponse) -> Response:
        """Say beside an answer whether it is the last one for now."""
        if not self._state.has_message(request.state.protobuf_request.node.node_id):
            response.headers[NONE_LEFT] = "all" if found.messages_list else "nothing"
        return response

    async def _tell(self, request: Request) -> Response:
        """Say which nodes have news, as soon as one has some."""
        read, clock = Issue.from_bytes(await request.body()), asyncio.get_running_loop()
        until = clock.time() + NEWS_SECONDS
        while True:
            event = self._news.of(GATEWAY)
            issue = self._bulletin.since(read)
            if issue.node_ids != () or clock.time() >= until or await request.is_disconnected():
                return Response(content=issue.to_bytes(), media_type="application/json")
            await wait_for(event, until - clock.time())

    async def _push_parcel(self, request: Request) -> Response:
        """Keep a reply; what it answers is let go of."""
        body = await request.body()
        asked, contents = _open(body, PushMessagesRequest)
        self._authenticate(request, asked)
        state = self._state
        state.note_presence(asked.node.node_id)

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
        self._bulletin.note(message.metadata.dst_node_id for message in asked.messages_list)
        self._news.tell((GATEWAY,))
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
            await wait_for(event, until - clock.time())
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
