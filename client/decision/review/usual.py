"""What reviews of one product of a shop are like, whose mood does not change: the shop's moods, more alike within one.

The moods of a product are drawn from shares of its own, and these from a Dirichlet law around the shop's. How far
products lie apart is the intraclass correlation of the reviews, taken a standard error higher, since too little of it
would make a change of what is only another product. The product that is asked about is not among those learned from.

References
----------
Fisher, "Statistical Methods for Research Workers", 1925, on the intraclass correlation. Swiger et al., "The variance of
intraclass correlation", Biometrics 1964: its standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

FEWEST_PRODUCTS, FEWEST_REVIEWS = 8, 100
LEVELS = 10  # of the mood, on either side of the middle
LEAST_ALIKE = 0.02


@dataclass(frozen=True)
class Usual:
    """The moods of a shop.

    Attributes
    ----------
    levels, share
        Moods, and how many of the reviews have each.
    alike
        Correlation of two reviews of one product.
    """

    levels: Float[np.ndarray, " level"]
    share: Float[np.ndarray, " level"]
    alike: float

    def draw(self, products: int, reviews: int, draw: np.random.Generator) -> Float[np.ndarray, "product review"]:
        """Draw products with so many reviews each."""
        own = draw.dirichlet(np.maximum(self.share * (1 / self.alike - 1), 1e-6), products)
        bounds = np.cumsum(own, axis=1)[:, None, :-1]
        place = (draw.random((products, reviews, 1)) > bounds).sum(axis=2)
        return np.asarray(self.levels[place])


@dataclass(frozen=True)
class Counts:
    """How many reviews of each product are of each mood: what the usual of any others is learned from."""

    levels: Float[np.ndarray, " level"]
    number: Int[np.ndarray, "product level"]

    def usual_without(self, product: int) -> Usual | None:
        """Learn from all products but one, which is to be held against them; None where they are too few."""
        others = np.delete(self.number, product, axis=0)
        others = others[others.sum(axis=1) > 0]
        if len(others) < FEWEST_PRODUCTS or others.sum() < FEWEST_REVIEWS:
            return None
        return Usual(self.levels, others.sum(axis=0) / others.sum(), measure_alike(self.levels, others))


def count_moods(moods: Sequence[np.ndarray]) -> Counts:
    """Count the moods of each product's reviews, rounded to a tenth."""
    places = [np.rint(mood * LEVELS).astype(np.int64) + LEVELS for mood in moods]
    number = np.array([np.bincount(place, minlength=2 * LEVELS + 1) for place in places])
    number = number.reshape(len(moods), 2 * LEVELS + 1)
    there = number.sum(axis=0) > 0
    return Counts((np.arange(2 * LEVELS + 1)[there] - LEVELS) / LEVELS, number[:, there])


def measure_alike(levels: Float[np.ndarray, " level"], counts: Int[np.ndarray, "product level"]) -> float:
    """Measure the intraclass correlation by the analysis of variance, a standard error higher."""
    number, sums, squares = counts.sum(axis=1), counts @ levels, float((counts @ levels**2).sum())
    total, groups = int(number.sum()), len(number)
    of_groups = float((sums**2 / number).sum())
    within = (squares - of_groups) / max(total - groups, 1)
    between = (of_groups - float(sums.sum()) ** 2 / total) / (groups - 1)
    each = (total - float((number**2).sum()) / total) / (groups - 1)
    alike = float(np.clip((between - within) / max(between + (each - 1) * within, 1e-12), 0.0, 1.0))
    error = np.sqrt(2 * (total - 1) * (1 - alike) ** 2 * (1 + (each - 1) * alike) ** 2)
    error /= np.sqrt(each**2 * max(total - groups, 1) * (groups - 1))
    return float(np.clip(alike + error, LEAST_ALIKE, 0.9))
