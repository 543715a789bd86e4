"""Deal the entities of one shop out to many merchants, where the data has no merchants of its own.

A deal by group keeps what belongs together: each of the largest groups is a merchant, and the rest are one more.
Otherwise sizes run from the plan's smallest to its largest merchant along one curve: the smallest merchant is
`merchant-01`, the largest the last.

A deal by level orders entities by a channel on their FIRST day. A total up to the origin would be a trap: in a
narrow slice of totals, whoever had little at an earlier cut-off must have bought after it; what is fitted within
one merchant learns that and fails after the origin (customers of Online Retail II, three origins: log-loss of a
local logistic regression .418, against .388 by first day and .387 at random), and the federation would shine for
a wrong reason. The first day is fixed at birth and conditions on no label.
"""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Float, Int

from common.data.panel import Panel
from common.errors import ConfigError
from common.plan.schema import Deal

OTHERS = "others"
STEEPEST = 64.0  # 2^±64 as exponent of the size curve: nobody, or everybody, but one at the largest size


def deal_merchants(panel: Panel, deal: Deal, origin: int, *, seed: int) -> np.ndarray:
    """Name the merchant of every entity; an entity that does not exist at `origin` gets "" and takes no part.

    Parameters
    ----------
    origin
        First day that the deal may not see.
    seed
        Decides which slice of the levels gets which size, or, by random, who goes where.

    Raises
    ------
    ConfigError
        No sizes from smallest to largest add up to the number of entities, or there are too few groups.
    """
    generator = np.random.default_rng(seed)
    born = np.flatnonzero(panel.first_day < origin)
    merchants = np.full(len(panel.entities), "", dtype=object)
    if deal.by == "group":
        merchants[born] = _by_group(panel.merchants[born], deal)
        return merchants
    sizes = merchant_sizes(deal, len(born))
    if deal.by == "level":
        dealt = born[_by_level(panel.select(born), deal.column)]
        merchant = generator.permutation(len(sizes))
    else:
        dealt, merchant = generator.permutation(born), np.arange(len(sizes))
    merchants[dealt] = np.repeat(_names(len(sizes))[merchant], sizes[merchant])
    return merchants


def merchant_sizes(deal: Deal, num_entities: int) -> Int[np.ndarray, " merchant"]:
    """Size every merchant, ascending, so that the sizes add up to `num_entities`.

    Notes
    -----
    Merchant i of m has smallest · (largest / smallest)^(u^p) entities, u = i / (m - 1). The sum falls in p,
    so bisection finds the p that fits. Rounding the running sum keeps the sum and both ends exact.

    Raises
    ------
    ConfigError
        No p fits.
    """
    sizes = _sizes(deal)
    _require_possible(deal, sizes, num_entities)
    if deal.merchants == 1:
        return np.array([num_entities])
    low, high = -STEEPEST, STEEPEST
    for _ in range(100):
        middle = (low + high) / 2
        if _curve(deal, sizes, 2.0**middle).sum() > num_entities:
            low = middle
        else:
            high = middle
    ends = np.rint(np.cumsum(_curve(deal, sizes, 2.0**high))).astype(np.int64)
    return np.sort(np.diff(ends, prepend=0))


def _sizes(deal: Deal) -> tuple[int, int]:
    if deal.smallest is None or deal.largest is None:
        raise ConfigError(f'data.deal by = "{deal.by}" has no smallest and largest size of a merchant.')
    return deal.smallest, deal.largest


def _curve(deal: Deal, sizes: tuple[int, int], exponent: float) -> Float[np.ndarray, " merchant"]:
    smallest, largest = sizes
    position = np.linspace(0.0, 1.0, deal.merchants) ** exponent
    return smallest * (largest / smallest) ** position


def _require_possible(deal: Deal, sizes: tuple[int, int], num_entities: int) -> None:
    smallest, largest = sizes
    others = deal.merchants - 1
    least, most = others * smallest + largest, smallest + others * largest
    if not min(least, most) <= num_entities <= max(least, most):
        raise ConfigError(
            f"data.deal cannot deal {num_entities} entities to {deal.merchants} merchants of {smallest} "
            f"to {largest}: such merchants hold {min(least, most)} to {max(least, most)} entities; "
            "change merchants, smallest or largest."
        )


def _by_group(groups: np.ndarray, deal: Deal) -> np.ndarray:
    """Name each entity's merchant: its group, or `OTHERS` beyond the largest groups; ties go by name."""
    names, counts = np.unique(groups.astype(str), return_counts=True)
    if len(names) < deal.merchants:
        raise ConfigError(
            f"data.deal makes {deal.merchants} merchants of the groups in {deal.column!r}, which has {len(names)}; "
            "lower merchants, or take more characters of the column."
        )
    largest = names[np.lexsort((names, -counts))][: deal.merchants - (len(names) > deal.merchants)]
    return np.where(np.isin(groups.astype(str), largest), groups, OTHERS)


def _by_level(panel: Panel, column: str) -> Int[np.ndarray, " entity"]:
    """Order the entities by a channel's value on their first day, ties by a hash of the name."""
    first = panel.observed[np.arange(len(panel.entities)), panel.first_day, panel.channels.index(column)]
    digests = np.array([hashlib.blake2b(str(name).encode(), digest_size=8).hexdigest() for name in panel.entities])
    return np.lexsort((digests, first))


def _names(count: int) -> np.ndarray:
    width = max(2, len(str(count)))
    return np.array([f"merchant-{number:0{width}d}" for number in range(1, count + 1)], dtype=object)
