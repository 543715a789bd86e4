"""Shamir's secret sharing over the smallest prime field above 256 bits: any t shares give the secret, t − 1 nothing.

A member's share of a secret is the polynomial's value at 1 + its place in the roster, so the value at 0, the secret
itself, is nobody's share. See docs/protocol.md §10.4.

References
----------
Shamir (1979), "How to share a secret".
"""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import MessageError
from common.secure_sum.keys import SECRET_BYTES, require_secret

PRIME = 2**256 + 297
SHARE_BYTES = 33


def split(secret: bytes, points: Sequence[int], *, coefficients: Sequence[int]) -> list[bytes]:
    """Split a secret so that len(coefficients) + 1 shares give it back.

    Parameters
    ----------
    secret
        32 bytes.
    points
        Where the polynomial is evaluated: distinct, from 1 on.
    coefficients
        Of x, x², …: uniform over the field, used once.

    Returns
    -------
    list[bytes]
        One share of 33 bytes, big-endian, for each point.
    """
    constant = int.from_bytes(require_secret(secret))
    return [_evaluate(constant, coefficients, point).to_bytes(SHARE_BYTES) for point in points]


def weigh(points: Sequence[int]) -> list[int]:
    """Return Lagrange's weights: the secret is the weighted sum of the shares at these points.

    Raises
    ------
    MessageError
        If a point stands twice, or is 0.
    """
    if len(set(points)) != len(points) or not all(0 < point < PRIME for point in points):
        raise MessageError("Shares of a secret must come from different members.")
    return [_weight(point, points) for point in points]


def combine(shares: Sequence[bytes], weights: Sequence[int]) -> bytes:
    """Put a secret together from shares and the weights of their points.

    Raises
    ------
    MessageError
        If the shares are not of one secret of 32 bytes; other sets of shares that do not belong together give a wrong
        secret, which its owner's public key or commitment gives away (`common.secure_sum.recovery`).
    """
    value = sum(read_share(share) * weight for share, weight in zip(shares, weights, strict=True)) % PRIME
    if value >> (8 * SECRET_BYTES):
        raise MessageError("Shares of a secret do not belong together.")
    return value.to_bytes(SECRET_BYTES)


def read_share(share: bytes) -> int:
    """Read a share.

    Raises
    ------
    MessageError
        It is cut, or not in the field.
    """
    value = int.from_bytes(share)
    if len(share) != SHARE_BYTES or value >= PRIME:
        raise MessageError("A share of a secret is cut, or is none.")
    return value


def _evaluate(constant: int, coefficients: Sequence[int], point: int) -> int:
    """Horner's rule, reduced once at the end of each step."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value + coefficient) * point % PRIME
    return (value + constant) % PRIME


def _weight(point: int, points: Sequence[int]) -> int:
    numerator, denominator = 1, 1
    for other in points:
        if other != point:
            numerator = numerator * other % PRIME
            denominator = denominator * (other - point) % PRIME
    return numerator * pow(denominator, -1, PRIME) % PRIME
