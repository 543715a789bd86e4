"""The bytes of a record as Flower puts them on the wire, in one piece: what is sealed and shown is what is sent.

Flower sends a record as several objects, each named by its SHA-256; children come before their parents here.
This is the one file of ours that knows Flower's object format; its tests are the contract.
See docs/protocol.md §5.6.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from flwr.app import RecordDict
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

from common.errors import MessageError

LENGTH = struct.Struct(">Q")


def to_wire(record: RecordDict) -> bytes:
    """Return every object of a record, children first, each behind its length in 8 bytes.

    Guarantee: equal records give equal bytes.
    """
    return b"".join(LENGTH.pack(len(content)) + content for content in _objects(record))


def from_wire(wire: bytes) -> RecordDict:
    """Build the record again that `to_wire` wrote; sent, it makes the very same bytes.

    Raises
    ------
    MessageError
        If the bytes are no record of this version of Flower, or would be sent as others.
    """
    try:
        contents = _split(wire)
        root = hashlib.sha256(contents[-1]).hexdigest()
        by_id = {hashlib.sha256(content).hexdigest(): content for content in contents}
        record = inflate_object_from_contents(root, by_id)
    except (ValueError, LookupError, struct.error) as error:
        raise _strange() from error
    if not isinstance(record, RecordDict) or to_wire(record) != wire:
        raise _strange()
    return record


def _objects(thing: Any) -> list[bytes]:
    children = [content for child in (thing.children or {}).values() for content in _objects(child)]
    return [*children, thing.deflate()]


def _split(wire: bytes) -> list[bytes]:
    contents, place = [], 0
    while place < len(wire):
        (length,) = LENGTH.unpack_from(wire, place)
        place += LENGTH.size
        if length > len(wire) - place:
            raise ValueError
        contents.append(wire[place : place + length])
        place += length
    return contents


def _strange() -> MessageError:
    return MessageError(
        "These bytes are no message of this version of hansa and Flower; use the versions that sealed them."
    )
