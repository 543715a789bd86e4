"""How a message comes: an envelope (metadata and a tree of object ids), then its objects, each named by its SHA-256.

What a stranger sends is bounded in objects and bytes before it is put together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from flwr.app import Array, Message
from flwr.proto.message_pb2 import ObjectTree
from flwr.supercore.inflatable.inflatable_object import get_object_head_values_from_object_content
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

from common.errors import MessageError
from common.message.proposal import MOST_BYTES
from common.privacy.bound import LARGEST_MODEL

MOST_OBJECTS = 16
MOST_MESSAGE_BYTES = 4 * LARGEST_MODEL + MOST_BYTES + (1 << 16)  # a release: parameters, its note, and what is around


@dataclass(frozen=True)
class Envelope:
    """A message without its content.

    Attributes
    ----------
    message
        Its content is empty; it can be replied to.
    tree
        The ids of its objects.
    contents
        Its objects where they came with it, not looked at yet; else they are fetched one by one.
    """

    message: Message
    tree: ObjectTree
    contents: Sequence[bytes] | None = None


def object_ids(tree: ObjectTree) -> list[str]:
    """List the ids in a tree, the message's own first, and refuse it as soon as there are too many."""
    ids, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        ids.append(node.object_id)
        waiting.extend(node.children)
        if len(ids) + len(waiting) > MOST_OBJECTS:
            raise MessageError(f"A message has more than {MOST_OBJECTS} objects, which none of ours has.")
    return ids


def inflate(envelope: Envelope, contents: dict[str, bytes]) -> Message:
    """Put a message together from objects that were checked against their ids."""
    try:
        num_bytes = sum(_unrolled_bytes(content, contents) for content in contents.values())
        if num_bytes > MOST_MESSAGE_BYTES:
            raise too_large()
        message = inflate_object_from_contents(envelope.tree.object_id, contents)
    except MessageError:
        raise
    except Exception as error:  # Flower's parsers raise anything on a stranger's bytes
        raise MessageError("The objects of a message are no message of this version of Flower.") from error
    if not isinstance(message, Message) or not message.has_content():
        raise MessageError("The objects of a message are no message with a content.")
    if envelope.message.metadata.message_id != envelope.tree.object_id:
        raise MessageError("A message has another id than its envelope says.")
    message.metadata.__dict__["_message_id"] = envelope.tree.object_id
    return message


def _unrolled_bytes(content: bytes, contents: dict[str, bytes]) -> int:
    """Count what an array takes in memory: it may name the same chunk of bytes as often as a stranger likes."""
    kind, children, length = get_object_head_values_from_object_content(content)
    if kind != Array.__qualname__:
        return 0
    body = content[len(content) - length :]
    return sum(len(contents[children[place]]) for place in json.loads(body)["arraychunk_ids"])


def too_large() -> MessageError:
    """Say that a message is none of ours by its size."""
    return MessageError(
        f"A message is larger than {MOST_MESSAGE_BYTES} bytes, or packed, which none of ours is; it is not read."
    )
