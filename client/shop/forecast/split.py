"""Split what is sold over a horizon among its days, in whole pieces, as lumpily as such products were sold.

A sum is split into blocks of days, those into smaller ones, down to days. Each split is a Dirichlet-multinomial one:
shares follow the means of the days, and `lump` says how far pieces keep together: 0 where each falls by itself, 1 where
all fall into one block. It is seen in the past without any forecast: of N pieces of a block a part with the share s has

    E (x - s N)² = s (1 - s) (N + lump N (N - 1)),

so lump is a ratio of two sums over the past, of the product itself and, as far as it sold little, of such products.

References
----------
Mosimann, "On the compound multinomial distribution", Biometrika 1962, equation for the variance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

BLOCKS = (28, 14, 7, 1)  # days
SMALLEST_LUMP, LARGEST_LUMP = 1e-6, 0.99
PRIOR_PAIRS = 100.0  # of pieces, that what all products show is worth
BINS = 6


@dataclass(frozen=True)
class Lumps:
    """How far pieces keep together, by the days of the block that they are split into.

    Attributes
    ----------
    log_means
        Of what is sold in such a block, as logarithms.
    lumps
        Of products with such means.
    """

    log_means: Float[np.ndarray, " bin"]
    lumps: Float[np.ndarray, " bin"]

    def of(self, mean: Float[np.ndarray, " product"]) -> Float[np.ndarray, " product"]:
        """Give what is usual at these means."""
        return np.interp(np.log(np.maximum(mean, 1e-6)), self.log_means, self.lumps)


@dataclass(frozen=True)
class Seen:
    """What the past shows of one size of blocks: pieces that met the same block beyond chance, and pairs in all."""

    met: Float[np.ndarray, " product"]
    pairs: Float[np.ndarray, " product"]


def see_lumps(
    said: Float[np.ndarray, "window product day"],
    sold: Float[np.ndarray, "window product day"],
    size: int,
    *,
    counts: bool,
) -> Seen:
    """See how past windows were split into blocks of `size` days.

    Parameters
    ----------
    said
        Means of the days, 0 where a day is not counted.
    sold
        What came, 0 there too.
    """
    parts = [slice(first, first + size) for first in range(0, said.shape[2], size)]
    share = np.stack([said[:, :, part].sum(axis=2) for part in parts], axis=2)
    came = np.stack([sold[:, :, part].sum(axis=2) for part in parts], axis=2)
    whole, total = share.sum(axis=2, keepdims=True), came.sum(axis=2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(whole > 0, share / whole, 0.0)
    room = (1 - (share**2).sum(axis=2)) * (whole[:, :, 0] > 0)
    squares = ((came - share * total) ** 2).sum(axis=2)
    pieces = total[:, :, 0]
    met = squares - pieces * room if counts else squares
    pairs = pieces * (pieces - 1) if counts else pieces**2
    there = room > SMALLEST_LUMP
    return Seen((met * there).sum(axis=0), (np.maximum(pairs, 0.0) * room * there).sum(axis=0))


def pool_lumps(seen: Seen, mean: Float[np.ndarray, " product"]) -> Lumps:
    """Find what is usual at each mean, each product counting by the square root of its pairs."""
    order = np.argsort(mean, kind="stable")
    order = order[seen.pairs[order] > 0]
    if not len(order):
        return Lumps(np.zeros(1), np.full(1, 0.1))
    weight = np.sqrt(seen.pairs) / np.maximum(seen.pairs, 1e-9)
    groups = np.array_split(order, max(1, min(BINS, len(order) // 20)))
    found = [
        float((seen.met * weight)[group].sum() / max((seen.pairs * weight)[group].sum(), 1e-9)) for group in groups
    ]
    means = np.array([np.log(max(mean[group].mean(), 1e-6)) for group in groups])
    return Lumps(means, np.clip(np.array(found), SMALLEST_LUMP, LARGEST_LUMP))


def own_lumps(lumps: Lumps, mean: Float[np.ndarray, " product"], seen: Seen | None) -> Float[np.ndarray, " product"]:
    """Give each product's lump from its own past, near the usual where it sold little."""
    usual = lumps.of(mean)
    if seen is None:
        return usual
    own = (seen.met + PRIOR_PAIRS * usual) / (seen.pairs + PRIOR_PAIRS)
    return np.clip(own, SMALLEST_LUMP, LARGEST_LUMP)


def nest(days: int) -> tuple[int, ...]:
    """Give the sizes of blocks into which a horizon is split, one after the other."""
    return tuple(size for size in BLOCKS if size < days)


def split_totals(
    totals: Float[np.ndarray, "draw product"],
    weights: Float[np.ndarray, "_ product day"],
    lumps: Sequence[Float[np.ndarray, " product"]],
    *,
    counts: bool,
    generator: np.random.Generator,
) -> Float[np.ndarray, "draw product day"]:
    """Split totals among days.

    Parameters
    ----------
    weights
        Of the days, which the shares follow; the first axis may be one for all draws.
    lumps
        For each size of `nest`.

    Returns
    -------
    Array
        float32, whole where `totals` are and `counts` says so; days without weight have nothing.
    """
    days = weights.shape[2]
    upto = np.concatenate([np.zeros((*weights.shape[:2], 1)), np.cumsum(weights, axis=2)], axis=2)
    found = np.zeros((*totals.shape, days), np.float32)
    blocks: list[tuple[int, int, np.ndarray]] = [(0, days, totals)]
    for size, lump in zip(nest(days), lumps, strict=True):
        blocks = [
            part
            for first, last, held in blocks
            for part in _split_block(first, last, held, upto, size, lump, counts=counts, generator=generator)
        ]
    for first, _, held in blocks:
        found[:, :, first] = held
    return found


def _split_block(
    first: int,
    last: int,
    held: Float[np.ndarray, "draw product"],
    upto: Float[np.ndarray, "_ product edge"],
    size: int,
    lump: Float[np.ndarray, " product"],
    *,
    counts: bool,
    generator: np.random.Generator,
) -> Iterator[tuple[int, int, Float[np.ndarray, "draw product"]]]:
    """Take one part after the other out of what is left of a block."""
    left, strength = held, 1.0 / np.clip(lump, SMALLEST_LUMP, LARGEST_LUMP) - 1.0
    whole = upto[:, :, last] - upto[:, :, first]
    for begin in range(first, last, size):
        end = min(begin + size, last)
        if end == last:
            yield begin, end, left
            return
        rest, part = upto[:, :, last] - upto[:, :, begin], upto[:, :, end] - upto[:, :, begin]
        taken = _take(left, part, rest, whole, strength, counts=counts, generator=generator)
        yield begin, end, taken
        left = left - taken


def _take(
    left: Float[np.ndarray, "draw product"],
    part: Float[np.ndarray, "_ product"],
    rest: Float[np.ndarray, "_ product"],
    whole: Float[np.ndarray, "_ product"],
    strength: Float[np.ndarray, " product"],
    *,
    counts: bool,
    generator: np.random.Generator,
) -> Float[np.ndarray, "draw product"]:
    """Take a part out of the rest by a beta share, only where there is something to take."""
    shape = left.shape
    part, rest, whole = (np.broadcast_to(values, shape) for values in (part, rest, whole))
    taken = np.where((part >= rest * (1 - 1e-9)) & (rest > 0), left, 0.0)
    draw, product = np.nonzero((left > 0) & (part > 0) & (part < rest * (1 - 1e-9)))
    own = strength[product] / whole[draw, product]
    inside, outside = own * part[draw, product], own * (rest - part)[draw, product]
    share = generator.beta(np.maximum(inside, 1e-9), np.maximum(outside, 1e-9))
    amount = left[draw, product]
    taken[draw, product] = generator.binomial(amount.astype(np.int64), share) if counts else amount * share
    return taken
