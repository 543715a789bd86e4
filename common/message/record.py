"""The form that every message has, read without trusting anything in it.

A message holds one `ConfigRecord` named "about" and, where numbers travel, one `ArrayRecord` named "vector" with one
flat array "values". A record, a field or a byte more than a message's table says is refused, as is one less. Errors
name what is allowed and never quote what arrived: a stranger's text has no place in our logs.
See docs/protocol.md §5.2.
"""

import math
import re

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from common.errors import MessageError

ABOUT, VECTOR, VALUES = "about", "vector", "values"


def pack(about: ConfigRecord) -> RecordDict:
    """Put the record of a message without a vector in its place."""
    return RecordDict({ABOUT: about})


def unpack(record: RecordDict, *, fields: frozenset[str]) -> tuple[ConfigRecord, Array]:
    """Take a message with a vector apart.

    Raises
    ------
    MessageError
        If a record or a field is missing or additional.
    """
    if set(record) != {ABOUT, VECTOR}:
        raise MessageError(f"A message holds other records than '{ABOUT}' and '{VECTOR}'; send these two alone.")
    about, vector = record[ABOUT], record[VECTOR]
    if not isinstance(about, ConfigRecord) or not isinstance(vector, ArrayRecord):
        raise MessageError(f"A message's '{ABOUT}' must be a ConfigRecord and its '{VECTOR}' an ArrayRecord.")
    _check_fields(about, fields)
    if set(vector) != {VALUES}:
        raise MessageError(f"The '{VECTOR}' of a message must hold one array '{VALUES}' and nothing else.")
    return about, vector[VALUES]


def unpack_about(record: RecordDict, *, fields: frozenset[str]) -> ConfigRecord:
    """Take a message without a vector apart.

    Raises
    ------
    MessageError
        If a record or a field is missing or additional.
    """
    if set(record) != {ABOUT} or not isinstance(about := record[ABOUT], ConfigRecord):
        raise MessageError(f"A message holds other records than one ConfigRecord '{ABOUT}'; send this one alone.")
    _check_fields(about, fields)
    return about


def read_text(about: ConfigRecord, name: str) -> str:
    """Read a field that is text."""
    value = about[name]
    if not isinstance(value, str):
        raise MessageError(f"The {name} of a message is not text; send a SHA-256 in hex.")
    return value


def read_whole(about: ConfigRecord, name: str) -> int:
    """Read a field that is a whole number."""
    value = about[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageError(f"The {name} of a message is not a whole number; send an integer.")
    return value


def read_number(about: ConfigRecord, name: str) -> float:
    """Read a field that is a finite number."""
    value = about[name]
    if not isinstance(value, float) or not math.isfinite(value):
        raise MessageError(f"The {name} of a message is not a finite number; send a float.")
    return value


def read_bytes(about: ConfigRecord, name: str, *, most: int) -> bytes:
    """Read a field that is bytes, `most` of them at most."""
    value = about[name]
    if not isinstance(value, bytes) or len(value) > most:
        raise MessageError(f"The {name} of a message is not bytes, or more than {most} of them; send fewer.")
    return value


def check_hash(value: str, name: str) -> None:
    """Refuse what is no SHA-256 in lower-case hex."""
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise MessageError(f"The {name} of a message is not 64 lower-case hex digits; send a SHA-256.")


def _check_fields(about: ConfigRecord, fields: frozenset[str]) -> None:
    if set(about) != fields:
        raise MessageError(f"The '{ABOUT}' of a message must hold {', '.join(sorted(fields))} and nothing else.")
