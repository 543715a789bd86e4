"""Put products in order for a customer: two regressions, of what she had and of what is new to her.

Their weights are learned from the last days that are past, everything else being learned from before those days; so no
weight is judged on what it was learned from, and the days ahead have no part in anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float, Int

from client.decision.recommendation.feature import AGAIN, NEW, Features, describe
from client.decision.recommendation.past import Past, make_past
from client.decision.recommendation.purchase import NOBODY, Purchases
from client.decision.recommendation.taste import Taste, learn_taste

TOGETHER = 250  # customers at a time, which bounds the memory
FEWEST_BUYERS, FEWEST_HITS = 30, 100  # fewer teach nothing; the usual weights hold then
SHARE_NOT_BOUGHT = 0.02  # of what is new and was not bought, that is learned from
SEED = 0


@dataclass(frozen=True)
class Line:
    """A weighted sum of features: the log-odds of a purchase in the days ahead."""

    weights: Float[np.ndarray, " feature"]
    constant: float

    def score(self, values: Float[np.ndarray, "feature customer product"]) -> Float[np.ndarray, "customer product"]:
        """Give the log-odds."""
        found: np.ndarray = np.tensordot(self.weights.astype(np.float32), values, axes=1) + np.float32(self.constant)
        return found


@dataclass(frozen=True)
class Ranking:
    """How features become an order.

    Attributes
    ----------
    learned
        Whether from this shop's own past; if not, the usual weights.
    """

    again: Line
    new: Line
    learned: bool


# As a shop of gifts for resellers taught them, rounded: the usual ones of a shop with too little past of its own.
USUAL = Ranking(
    Line(np.array([0.5, -0.1, 0.4, 0.0, 1.0, -0.5, -0.3, -0.4]), -1.0),
    Line(np.array([0.4, 0.6, 1.4, 0.1, -1.3, 0.2]), -2.0),
    learned=False,
)


def score(past: Past, features: Features, ranking: Ranking) -> Float[np.ndarray, "customer product"]:
    """Give every product a score for some customers; who never bought anything is offered what is wanted now."""
    again, new = ranking.again.score(features.values), ranking.new.score(features.values[-len(NEW) :])
    found = np.where(features.had, again, new)
    wanted = np.log(past.now + 1e-6).astype(np.float32)
    return np.where(features.cold[:, None], wanted[None, :], found)


def learn_ranking(purchases: Purchases, end: date, days: int) -> Ranking:
    """Learn the weights from the `days` before `end`, by who bought what in them."""
    start = end - timedelta(days)
    past = make_past(purchases, start)
    after = purchases.between(start, end)
    after = after.where(after.customer != NOBODY)
    buyers = np.unique(after.customer)
    buyers = buyers[np.diff(past.bought.indptr)[buyers] > 0]
    if len(buyers) < FEWEST_BUYERS:
        return USUAL
    taste = learn_taste(past)
    parts = list(_examples(past, taste, after, buyers))
    again, new = (
        _Examples(*(np.concatenate(column) for column in zip(*side, strict=True))) for side in zip(*parts, strict=True)
    )
    if min(again.hit.sum(), new.hit.sum(), (~again.hit).sum()) < FEWEST_HITS:
        return USUAL
    return Ranking(_fit(again, len(AGAIN)), _fit(new, len(NEW)), learned=True)


@dataclass(frozen=True)
class _Examples:
    values: Float[np.ndarray, "example feature"]
    hit: Bool[np.ndarray, " example"]
    weight: Float[np.ndarray, " example"]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.values, self.hit, self.weight))


def _examples(
    past: Past, taste: Taste, after: Purchases, buyers: Int[np.ndarray, " buyer"]
) -> Iterator[tuple[_Examples, _Examples]]:
    """Give what was had and what was new, some buyers at a time.

    A buyer counts by the root of how much was bought: neither does one who bought everything decide, nor is nothing
    learned from her. What is new and was not bought is so much that a share of it is enough.
    """
    generator = np.random.default_rng(SEED)
    for first in range(0, len(buyers), TOGETHER):
        some = buyers[first : first + TOGETHER]
        features = describe(past, taste, some)
        hit = bought_by(after, some)
        weight = np.broadcast_to(1 / np.sqrt(np.maximum(hit.sum(axis=1, keepdims=True), 1)), hit.shape)
        chosen = ~features.had & (hit | (generator.random(hit.shape) < SHARE_NOT_BOUGHT))
        counts = weight * np.where(hit, 1.0, 1 / SHARE_NOT_BOUGHT)
        had = features.had
        yield (
            _Examples(features.values[:, had].T, hit[had], weight[had]),
            _Examples(features.values[-len(NEW) :, chosen].T, hit[chosen], counts[chosen]),
        )


def bought_by(purchases: Purchases, customers: Int[np.ndarray, " customer"]) -> Bool[np.ndarray, "customer product"]:
    """Say which customer bought which product; customers in order."""
    found = np.zeros((len(customers), len(purchases.products)), bool)
    own = np.isin(purchases.customer, customers)
    found[np.searchsorted(customers, purchases.customer[own]), purchases.product[own]] = True
    return found


def _fit(examples: _Examples, width: int) -> Line:
    from sklearn.linear_model import LogisticRegression

    centre, scale = examples.values.mean(axis=0), examples.values.std(axis=0) + 1e-6
    model = LogisticRegression(C=1.0, max_iter=2000)
    model.fit((examples.values - centre) / scale, examples.hit, examples.weight)
    weights = model.coef_[0].reshape(width) / scale
    return Line(weights.astype(np.float64), float(model.intercept_[0] - (weights * centre).sum()))
