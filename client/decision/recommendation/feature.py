"""What is known of a customer and a product that says whether she buys it in the days ahead, on log scales.

On log scales a weighted sum is a product of powers: how near to her taste, times how much it is wanted now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from client.decision.recommendation.past import Past
from client.decision.recommendation.taste import Taste

AGAIN = ("own, 180 days", "own, 60 days", "taste", "alike", "wanted now", "in 8 weeks", "ever", "buys much")
NEW = AGAIN[2:]
SMALL_OWN, SMALL_SHARE = 0.02, 0.03  # added before the logarithm


@dataclass(frozen=True)
class Features:
    """Features of some customers and all products.

    Attributes
    ----------
    had
        Whether she ever bought it: these pairs have the features `AGAIN`, the others the last of them, `NEW`.
    """

    values: Float[np.ndarray, "feature customer product"]
    had: Bool[np.ndarray, "customer product"]

    @property
    def cold(self) -> Bool[np.ndarray, " customer"]:
        """Whether nothing was ever bought."""
        return np.asarray(~self.had.any(axis=1))


def describe(past: Past, taste: Taste, customers: Int[np.ndarray, " customer"]) -> Features:
    """Describe some customers."""
    long, short = (matrix[customers].toarray() for matrix in (past.long, past.short))
    near = taste.customers[customers] @ taste.products.T
    alike = (past.long[customers] @ taste.alike).toarray()
    much = np.log1p(long.sum(axis=1, keepdims=True))
    values = np.empty((len(AGAIN), *long.shape), np.float32)
    for place, own in enumerate((long, short)):
        np.log(own + np.float32(SMALL_OWN), out=values[place])
    for place, share in enumerate((near, alike), start=2):
        _log_share(share, values[place])
    for place, demand in enumerate((past.now + 0.5, past.recent + 1, past.ever + 1), start=4):
        values[place] = np.log(demand)
    values[-1] = much
    return Features(values, past.bought[customers].toarray() > 0)


def _log_share(score: Float[np.ndarray, "customer product"], out: Float[np.ndarray, "customer product"]) -> None:
    """Take a score as a share of the customer's highest, for she is compared with nobody else."""
    highest = np.maximum(score.max(axis=1, keepdims=True, initial=0), 1e-9)
    np.log(np.maximum(score / highest, 0) + np.float32(SMALL_SHARE), out=out)
