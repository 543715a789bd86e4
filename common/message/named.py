"""A short byte string for each of several members, as one field of a message.

Sorted by name, each once: one byte with the length of the name, the name, two bytes (big-endian) with the length of
the value, the value. So equal content is equal bytes, and whatever else is there is refused. See docs/protocol.md §5.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flwr.app import ConfigRecord

from common.errors import MessageError
from common.message.record import read_bytes

MOST_MEMBERS = 300
LONGEST_VALUE = 512
NAME = re.compile(rb"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MOST_BYTES = MOST_MEMBERS * (1 + 63 + 2 + LONGEST_VALUE)


def write_named(values: Mapping[str, bytes]) -> bytes:
    """Write what there is of each member."""
    return b"".join(
        len(name).to_bytes(1, "big") + name.encode() + len(value).to_bytes(2, "big") + value
        for name, value in sorted(values.items())
    )


def write_names(names: Iterable[str]) -> bytes:
    """Write a set of members, of each its name alone."""
    return write_named(dict.fromkeys(names, b""))


def read_named(about: ConfigRecord, field: str, *, longest: int, shortest: int = 1) -> dict[str, bytes]:
    """Read what there is of each member, trusting nothing in it.

    Parameters
    ----------
    longest, shortest
        Of one member's value, in bytes.

    Raises
    ------
    MessageError
        It is no such field: cut short, not sorted, a member twice, too many members, or a value of another length.
    """
    content, found, place = read_bytes(about, field, most=MOST_BYTES), dict[str, bytes](), 0
    while place < len(content):
        name, place = _cut(content, place, 1, field)
        value, place = _cut(content, place, 2, field)
        if not NAME.fullmatch(name) or not shortest <= len(value) <= longest:
            raise _unreadable(field)
        found[name.decode()] = value
    if write_named(found) != content or len(found) > MOST_MEMBERS:
        raise _unreadable(field)
    return found


def read_names(about: ConfigRecord, field: str) -> tuple[str, ...]:
    """Read a set of members, sorted.

    Raises
    ------
    MessageError
        It is none.
    """
    return tuple(read_named(about, field, longest=0, shortest=0))


def _cut(content: bytes, place: int, width: int, field: str) -> tuple[bytes, int]:
    first = place + width
    last = first + int.from_bytes(content[place:first], "big")
    if last > len(content):
        raise _unreadable(field)
    return content[first:last], last


def _unreadable(field: str) -> MessageError:
    return MessageError(f"The {field} of a message cannot be read; use the same version of hansa at both ends.")
