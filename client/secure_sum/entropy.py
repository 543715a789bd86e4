"""The one place where a member of a sum draws secrets, from the operating system alone, and what follows from them."""

from __future__ import annotations

import os

from common.secure_sum.keys import SECRET_BYTES, derive
from common.secure_sum.mask import expand
from common.secure_sum.shamir import PRIME

COEFFICIENT_BYTES = 64  # reduced modulo 257 bits: uniform up to 2^-255


def draw_secret() -> bytes:
    """Draw 256 bits (check 10)."""
    return os.urandom(SECRET_BYTES)


def derive_coefficients(secret: bytes, count: int, *, info: bytes) -> list[int]:
    """Derive `count` elements of the field of shares.

    They are not drawn, so that shares that are made again are the same (check 9): after an older file was put back,
    other ones would be sealed under the same key and nonce, and who holds shares of both would have two polynomials
    with one secret.
    """
    stream = expand(derive(secret, info=info), count * COEFFICIENT_BYTES // 8).tobytes()
    return [
        int.from_bytes(stream[start : start + COEFFICIENT_BYTES]) % PRIME
        for start in range(0, len(stream), COEFFICIENT_BYTES)
    ]
