"""Flower's Grid to the SuperLink of `parcel.py`: many messages in one request, and no looking for what is not there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.proto.recorddict_pb2 import BytesList
from flwr.proto.runtime_pb2 import (
    PullAppMessagesRequest,
    PullAppMessagesResponse,
    PushAppMessagesRequest,
    PushAppMessagesResponse,
)
from flwr.supercore.inflatable.inflatable_object import (
    InflatableObject,
    get_all_nested_objects,
    get_object_id,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.superlink.grid import HttpGrid

from server.process.parcel import ANSWERS, ASK

Item = TypeVar("Item")
MESSAGES_AT_ONCE = 32
LOOK_SECONDS = 0.1  # how often it is looked for replies where nobody waits for news
LATE_SECONDS = 60.0  # after a question's time, in which Flower's error may come in place of its reply


@dataclass(frozen=True)
class _Reply:
    """A reply that has come, in pieces."""

    message_id: str
    contents: Mapping[str, bytes]


class LeanGrid(HttpGrid):
    """Keep what has come until it is pulled, each by itself: what of one member cannot be read costs no other's."""

    _looked_at = 0.0

    def __init__(self, address: str, *, authority: bytes, token: str) -> None:
        super().__init__(address, insecure=False, root_certificates=authority, token=token)
        self._open: dict[str, float] = {}
        self._replies: dict[str, _Reply] = {}
        self.num_replies = 0

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send questions with all their objects; the ids come in their order, empty where one was refused."""
        return [message_id for some in _in_parts(list(messages)) for message_id in self._push(some)]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Give the replies that have come; an exception where one cannot be read, which is then kept."""
        wanted = list(message_ids)
        if not self._replies.keys() & set(wanted) and time.monotonic() > self._looked_at + LOOK_SECONDS:
            self._look(wait_seconds=0.0)
        found = [self._inflate(message_id) for message_id in wanted if message_id in self._replies]
        for message_id in wanted:
            if self._replies.pop(message_id, None) is not None:
                self._open.pop(message_id, None)
        return found

    def await_news(self, seconds: float) -> None:
        """Wait until a reply comes, for so many seconds at most; at once where one has come and was not pulled."""
        if not self._open.keys() - self._replies.keys():
            time.sleep(seconds)
        else:
            self._look(wait_seconds=seconds)

    def _push(self, messages: Sequence[Message]) -> list[str]:
        objects: dict[str, InflatableObject] = {}
        asked = PushAppMessagesRequest()
        with no_object_id_recompute():
            for message in messages:
                message.metadata.__dict__["_message_id"] = message.object_id
                self._check_message(message)
                objects |= get_all_nested_objects(message)
                asked.messages_list.append(message_to_proto(remove_content_from_message(message)))
                asked.message_object_trees.append(get_object_tree(message))
            contents = [found.deflate() for found in objects.values()]
        kept = self._runtime_client._unary_unary(
            path=ASK,
            rpc_method="/hansa/Ask",
            request=BytesList(vals=[asked.SerializeToString(), *contents]),
            response_type=PushAppMessagesResponse,
        )
        now = time.monotonic()
        self._open |= {
            message_id: now + message.metadata.ttl + LATE_SECONDS
            for message_id, message in zip(kept.message_ids, messages, strict=True)
            if message_id
        }
        return list(kept.message_ids)

    def _look(self, *, wait_seconds: float) -> None:
        """Fetch what has come, and forget what nobody has pulled long after its time."""
        now = time.monotonic()
        for message_id in [message_id for message_id, until in self._open.items() if now > until]:
            del self._open[message_id]
            self._replies.pop(message_id, None)
        asked = PullAppMessagesRequest(message_ids=self._open.keys() - self._replies.keys())
        if asked.message_ids:
            milliseconds = str(round(1000 * wait_seconds)).encode()
            parcel = self._runtime_client._unary_unary(
                path=ANSWERS,
                rpc_method="/hansa/Answers",
                request=BytesList(vals=[asked.SerializeToString(), milliseconds]),
                response_type=BytesList,
                timeout=30.0 + wait_seconds,
            )
            came = dict(_replies(parcel))
            self.num_replies += len(came)
            self._replies |= came
        self._looked_at = time.monotonic()

    def _inflate(self, message_id: str) -> Message:
        reply = self._replies[message_id]
        message = cast(Message, inflate_object_from_contents(reply.message_id, dict(reply.contents)))
        message.metadata.__dict__["_message_id"] = reply.message_id
        return message


def _replies(parcel: BytesList) -> Iterator[tuple[str, _Reply]]:
    """Give each reply by the question that it answers."""
    contents = {get_object_id(content): content for content in parcel.vals[1:]}
    found = PullAppMessagesResponse.FromString(parcel.vals[0])
    for message, tree in zip(found.messages_list, found.message_object_trees, strict=True):
        own = {node.object_id: contents.get(node.object_id, b"") for node in iterate_object_tree(tree)}
        yield message.metadata.reply_to_message_id, _Reply(message.metadata.message_id, own)


def _in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), MESSAGES_AT_ONCE):
        yield items[first : first + MESSAGES_AT_ONCE]
