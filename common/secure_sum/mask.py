"""Masks: vectors of 64-bit words that look random to everybody but their holders, and cancel in the sum.

A masked vector is y = x + self mask + Σ ± pair masks, modulo 2^64, where x is the total and a last word of 1. Of two
members the one whose name sorts first adds their pair mask and the other subtracts it; it is of one model, so that only
sums of one model come out. See docs/protocol.md §10.5.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from jaxtyping import Int64, UInt64

from common.errors import MessageError, PrivacyError
from common.secure_sum.keys import agree_key, derive, require_secret
from common.secure_sum.label import label, write_model
from common.secure_sum.roster import Session

NONCE = bytes(16)
Vector = UInt64[np.ndarray, " word"]
Sign = Literal[1, -1]


def self_seed(seed: bytes, session: Session, *, round_number: int, name: str) -> bytes:
    """Derive the seed of a member's self mask, 32 bytes."""
    return derive(require_secret(seed), info=label("self", session, round_number=round_number, names=(name,)))


def pair_seed(
    secret: X25519PrivateKey,
    public: bytes,
    session: Session,
    *,
    round_number: int,
    model_hash: str,
    names: tuple[str, str],
) -> bytes:
    """Derive the seed of the mask that two members share, 32 bytes, from one's secret and the other's public key.

    Guarantee: the masks of two members who were shown different models do not cancel, so nothing comes out of a sum of
    different models (check 4). Signatures alone would not do: t of the others sign without the one that is attacked.

    References
    ----------
    Pasquini, Francati & Ateniese (2022), arXiv 2111.07380, section 6.
    """
    low, high = sorted(names)
    where = label("mask", session, round_number=round_number, names=(low, high))
    return agree_key(secret, public, info=where + write_model(model_hash))


def pair_sign(name: str, other: str) -> Sign:
    """Tell whether `name` adds the mask that it shares with `other`, or subtracts it."""
    return 1 if name < other else -1


def expand(seed: bytes, size: int) -> Vector:
    """Return the first `size` little-endian words of ChaCha20's key stream."""
    cipher = Cipher(ChaCha20(key=require_secret(seed), nonce=NONCE), mode=None)
    return np.frombuffer(cipher.encryptor().update(bytes(8 * size)), dtype="<u8")


def add_mask(vector: Vector, seed: bytes, *, sign: Sign) -> None:
    """Add a mask to a vector, or subtract it, in place."""
    (np.add if sign == 1 else np.subtract)(vector, expand(seed, vector.size), out=vector)


def as_words(total: Int64[np.ndarray, " parameter"]) -> Vector:
    """Copy signed integers as words modulo 2^64, and a last word of 1, which counts the member in the sum."""
    return np.append(total.astype(np.int64, casting="safe"), 1).view(np.uint64)


def as_integers(words: Vector, *, num_members: int) -> Int64[np.ndarray, " parameter"]:
    """Read a sum of words modulo 2^64 as signed integers, once its last word counts the members that it is of.

    Raises
    ------
    MessageError
        It does not: a mask is left, as where members were masked for different participants (check 8).
    """
    if int(words[-1]) != num_members:
        raise MessageError("The masks of this sum do not cancel: its members were masked for different participants.")
    return words[:-1].view(np.int64)


def require_room(total: Int64[np.ndarray, " parameter"], *, num_members: int) -> None:
    """Refuse a total of which `num_members` would not fit below 2^63: their sum would come out wrong (check 12).

    Raises
    ------
    PrivacyError
        It is too large.
    """
    most = (2**63 - 1) // num_members
    if total.size and not -most <= int(total.min()) <= int(total.max()) <= most:
        raise PrivacyError(
            f"A total is beyond {most} lattice steps: {num_members} of that size have no room in 64 bits."
        )
