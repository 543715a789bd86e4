"""The one place where a member of a sum draws secrets: from the operating system's entropy and from nothing else."""

from __future__ import annotations

import os

from common.secure_sum.keys import SECRET_BYTES
from common.secure_sum.shamir import PRIME

COEFFICIENT_BYTES = 64  # reduced modulo 257 bits: uniform up to 2^-255


def draw_secret() -> bytes:
    """Draw 256 bits (check 10)."""
    return os.urandom(SECRET_BYTES)


def draw_coefficients(count: int) -> list[int]:
    """Draw `count` elements of the field of shares."""
    drawn = os.urandom(count * COEFFICIENT_BYTES)
    return [
        int.from_bytes(drawn[start : start + COEFFICIENT_BYTES]) % PRIME
        for start in range(0, len(drawn), COEFFICIENT_BYTES)
    ]
