"""Parts of a forecast by group, as arrays, and the one piece of mathematics that makes parts of factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from client.explanation.group import GROUPS, Group

Parts = Float[np.ndarray, "group product"]  # pieces over some days; they add up to what is forecast of these
Daily = Float[np.ndarray, "product day"]


def no_parts(num_products: int) -> Parts:
    """Begin with nothing."""
    return np.zeros((len(GROUPS), num_products))


def place(group: Group) -> int:
    """Give a group's place in `Parts`."""
    return GROUPS.index(group)


def add_by_group(columns: Float[np.ndarray, "column product"], groups: Sequence[Group], num_products: int) -> Parts:
    """Add up what columns contribute, by their groups."""
    parts = no_parts(num_products)
    np.add.at(parts, [place(group) for group in groups], columns)
    return parts


def logarithmic_mean(value: Daily, base: Daily) -> Daily:
    """Give what one unit of a logarithm is worth in pieces, between a base and a value.

    A forecast that is `base · exp(a + b + …)` differs from its base by pieces that nobody's order decides: with all of
    a, b, … switched on at once and evenly, each contributes its own size times (value - base) / log(value / base).

    Guarantee: contributions add up to value - base; they do not depend on the order of a, b, …, and those of two
    taken together are the sum of theirs.

    References
    ----------
    Aumann & Shapley, "Values of non-atomic games", 1974, of exp along its diagonal; Ang, "The LMDI approach to
    decomposition analysis", Energy Policy 33 (2005), equation 7.
    """
    low, high = np.minimum(value, base), np.maximum(value, base)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (high - low) / np.log(high / low)
    close = high - low <= 1e-9 * high
    found: Daily = np.where(close, (low + high) / 2, np.where(low > 0, mean, 0.0))
    return found
