"""Which shares of a secret are wrong, and what the secret is: some holders may tell anything, and so may its owner.

A column is one owner's secret as its holders tell their shares. At points xᵢ, with Lagrange's weights wᵢ for the value
at 0, its moments are Mₖ = Σ sᵢ·wᵢ·xᵢᵏ, for k = 0 … m, where m holders are more than the threshold t. Two things follow
from x ↦ xᵏ having a degree (Reed & Solomon's code, its dual):

- shares of one polynomial of degree t − 1 have M₁ = … = Mₘ = 0, and M₀ is the secret;
- without the holder at x the moments are Mₖ − Mₖ₊₁/x, one fewer.

So Σ λₖ·Mₖ₊ₗ = 0 for every polynomial λ that vanishes at all wrong points, and where these equations have solutions
enough, the points at which all of them vanish are the wrong ones. What is found counts only if the secret that comes
out is the one that its owner published; where nothing is found by equations, every choice of holders is tried, as far
as that is feasible.

    of one secret               up to m/2 wrong shares                  always
    of several                  up to m − 1 wrong holders               where none's lies follow from the others'
    of any                      up to m wrong holders                   where C(t + m, m) is at most MOST_TRIALS

m is the most that there can be: of any t shares a polynomial can be made.

References
----------
Peterson (1960), "Encoding and error-correction procedures for the Bose–Chaudhuri codes": equations for one secret.
Metzner & Kapturowski (1990), "A general decoding technique applicable to replicated file disagreement location and
concatenated code decoding": for several.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from common.secure_sum.shamir import PRIME, SHARE_BYTES, weigh

MOST_TRIALS = 1 << 18  # a second or two; 22 members on the usual terms are within it
Moments = Sequence[int]


@dataclass(frozen=True)
class Column:
    """Shares of one secret.

    Attributes
    ----------
    shares
        In the field, by point; whoever has none is absent.
    moments
        M₀ … Mₘ; nothing where there are fewer shares than the threshold.
    fits
        Whether a number is the secret that the owner published.
    """

    shares: Mapping[int, int]
    moments: Moments
    fits: Callable[[int], bool]

    @property
    def points(self) -> tuple[int, ...]:
        """Return where there are shares."""
        return tuple(sorted(self.shares))

    @property
    def is_right(self) -> bool:
        """Whether all shares are of one secret, which is the one that was published."""
        return bool(self.moments) and not any(self.moments[1:]) and self.fits(self.moments[0])

    def without(self, points: Collection[int]) -> Column:
        """Leave holders out."""
        gone, moments = self.shares.keys() & set(points), self.moments
        for point in gone:
            moments = leave_out(moments, _invert(point))
        return Column({point: self.shares[point] for point in self.shares.keys() - gone}, moments, self.fits)


def column_of(shares: Mapping[int, int], threshold: int, fits: Callable[[int], bool]) -> Column:
    """Make a column of shares, by their points."""
    return Column(shares, moments_of(shares, threshold), fits)


def moments_of(shares: Mapping[int, int], threshold: int) -> Moments:
    """Return the moments of shares, by their points; nothing where they are fewer than the threshold."""
    if len(shares) < threshold:
        return ()
    points = tuple(sorted(shares))
    terms = [shares[point] * weight % PRIME for point, weight in zip(points, _weigh(points), strict=True)]
    moments = [sum(terms) % PRIME]
    for _ in range(len(shares) - threshold):
        terms = [term * point % PRIME for term, point in zip(terms, points, strict=True)]
        moments.append(sum(terms) % PRIME)
    return moments


def are_consistent(secrets: Sequence[Mapping[int, int]], threshold: int) -> bool:
    """Whether the shares of every secret, all of the same holders, are of one polynomial each.

    Shares are added up with factors that follow from all of them: whoever made one of them wrong could not choose it so
    that the sum is right.
    """
    written = b"".join(shares[point].to_bytes(SHARE_BYTES) for shares in secrets for point in sorted(shares))
    seed, mixed = hashlib.sha256(written).digest(), dict.fromkeys(secrets[0], 0)
    for place, shares in enumerate(secrets):
        factor = int.from_bytes(hashlib.sha256(seed + place.to_bytes(4)).digest())
        for point, share in shares.items():
            mixed[point] += factor * share
    return not any(moments_of(mixed, threshold)[1:])


def find_wrong(columns: Sequence[Column]) -> set[int]:
    """Name holders without whom as many columns as can be are right; some may be named that tell no lie.

    Returns
    -------
    set
        Points.
    """
    suspected: set[int] = set()
    while True:
        left = [column.without(suspected) for column in columns]
        wrong = [column for column in left if column.moments and not column.is_right]
        found = _find_alone(wrong) or _find_together(wrong) or _find_by_trial(wrong)
        if not found:
            return suspected
        suspected |= found


def tells_wrong(column: Column, point: int, *, suspected: Collection[int]) -> bool:
    """Whether a holder's share of a secret that is known without the suspected ones differs from what they tell."""
    return point in column.shares and any(column.without(set(suspected) - {point}).moments[1:])


def _find_alone(columns: Sequence[Column]) -> set[int]:
    """Find the wrong ones of each column by that column."""
    every = set[int]()
    for column in columns:
        found = _vanish([column.moments], column.points, degree=(len(column.moments) - 1) // 2)
        if found and column.without(found).is_right:
            every |= found
    return every


def _find_together(columns: Sequence[Column]) -> set[int]:
    """Find the wrong ones of several columns with the same holders: fewer than there are to spare."""
    if not columns:
        return set()
    alike = [column for column in columns if column.points == columns[0].points]
    moments = [column.moments for column in alike]
    found = _vanish(moments, alike[0].points, degree=len(moments[0]) - 2)
    return found if found and any(column.without(found).is_right for column in alike) else set()


def _find_by_trial(columns: Sequence[Column]) -> set[int]:
    """Leave out every choice of as many holders as there are to spare."""
    left = MOST_TRIALS
    for column in columns:
        left -= math.comb(len(column.points), len(column.moments) - 1)
        if left < 0:
            break
        inverses = [_invert(point) for point in column.points]
        found = _try(column.moments, inverses, column.fits, first=0)
        if found:
            return {column.points[place] for place in found}
    return set()


def _try(moments: Moments, inverses: Sequence[int], fits: Callable[[int], bool], *, first: int) -> tuple[int, ...]:
    """Leave holders out, one after the other, until the secret is left; give their places, or none."""
    spare = len(moments) - 1
    for place in range(first, len(inverses) - spare + 1) if spare else ():
        fewer = leave_out(moments, inverses[place])
        if len(fewer) == 1:
            if fits(fewer[0]):
                return (place,)
        elif others := _try(fewer, inverses, fits, first=place + 1):
            return (place, *others)
    return ()


def leave_out(moments: Moments, inverse: int) -> Moments:
    """Give the moments without a holder, by the inverse of its point."""
    return [(low - inverse * high) % PRIME for low, high in pairwise(moments)]


def _vanish(columns: Sequence[Moments], points: Sequence[int], *, degree: int) -> set[int]:
    """Find the points at which every polynomial of a degree vanishes that fits the moments."""
    if degree < 1:
        return set()
    rows = [
        list(moments[first : first + degree + 1]) for moments in columns for first in range(1, len(moments) - degree)
    ]
    basis = solve(rows, degree + 1)
    return {point for point in points if basis and not any(_evaluate(each, point) for each in basis)}


def solve(rows: Sequence[list[int]], width: int) -> list[list[int]]:
    """Give a basis of what solves homogeneous linear equations in the field (Gauss & Jordan)."""
    reduced: dict[int, list[int]] = {}  # by the column of its leading one
    for row in rows:
        for pivot, other in reduced.items():
            row = _subtract(row, other, row[pivot])
        lead = next((place for place, value in enumerate(row) if value), None)
        if lead is None:
            continue
        inverse = pow(row[lead], -1, PRIME)
        row = [value * inverse % PRIME for value in row]
        reduced = {pivot: _subtract(other, row, other[lead]) for pivot, other in reduced.items()}
        reduced[lead] = row
    return [
        [1 if place == free else -reduced[place][free] % PRIME if place in reduced else 0 for place in range(width)]
        for free in range(width)
        if free not in reduced
    ]


def _subtract(row: list[int], other: Sequence[int], factor: int) -> list[int]:
    return [(a - factor * b) % PRIME for a, b in zip(row, other, strict=True)] if factor else row


def _evaluate(coefficients: Sequence[int], point: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + coefficient) % PRIME
    return value


@lru_cache(maxsize=1024)
def _invert(point: int) -> int:
    return pow(point, -1, PRIME)


@lru_cache(maxsize=16)  # one set of holders tells its shares of many secrets
def _weigh(points: tuple[int, ...]) -> list[int]:
    return weigh(points)
