"""The bytes that tie a key, a seal or a signature to one session, one round and the names it is about.

`hansa sum PURPOSE` and a zero byte, 32 bytes of the session's hash, 8 of the round, then each name as 2 bytes of
length and its UTF-8; numbers are big-endian. No two different lists of these give the same bytes. See docs/protocol.md
§10.2.
"""

from __future__ import annotations

from common.errors import MessageError
from common.secure_sum.roster import Session

MOST_ROUNDS = 1 << 32


def label(purpose: str, session: Session, *, round_number: int, names: tuple[str, ...] = ()) -> bytes:
    """Name what is derived, sealed or signed: purpose, session, round and names, in this order (check 7)."""
    return (
        f"hansa sum {purpose}\0".encode()
        + bytes.fromhex(session.hash)
        + write_round(round_number)
        + b"".join(write_name(name) for name in names)
    )


def write_round(round_number: int) -> bytes:
    """Write a round's number, from 1 on, in 8 bytes.

    Raises
    ------
    MessageError
        It is none.
    """
    if not 1 <= round_number < MOST_ROUNDS:
        raise MessageError(f"A round of a sum has a number from 1 on, not {round_number}.")
    return round_number.to_bytes(8)


def write_model(model_hash: str) -> bytes:
    """Write a model's hash in 32 bytes.

    Raises
    ------
    MessageError
        It is none.
    """
    try:
        content = bytes.fromhex(model_hash)
    except ValueError:
        content = b""
    if len(content) != 32 or content.hex() != model_hash:
        raise MessageError("The hash of a model must be 64 hex digits.")
    return content


def write_name(name: str) -> bytes:
    """Write a name behind its length in bytes."""
    written = name.encode()
    return len(written).to_bytes(2) + written
