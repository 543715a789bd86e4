"""What a merchant's last horizon says of two forecasts of it, counted in blocks of an entity and a week.

Notable here: the error of a mean difference takes in what all entities of one week have in common (an Easter, a strike)
and what one entity has in all weeks, so a single odd week among six is no proof. A merchant of one entity has evidence
too: its weeks.

References
----------
Cameron, Gelbach & Miller, "Robust inference with multiway clustering", JBES 2011, equation 2.2: the error in two ways.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from common.forecast.entity_loss import COMPARED, bucket_losses
from common.forecast.metric import Forecast, Outcome

WEEK_DAYS = 7


def block_losses(
    forecast: Forecast, outcome: Outcome, *, task: str, bucket_days: int
) -> Float[np.ndarray, "entity week"]:
    """Add up the headline loss of each entity in each week; entities of whom nothing is known are left out.

    Of purchases, and where a bucket is a week or longer, a block is a bucket.
    """
    known = outcome.counted.any(axis=1)
    losses = bucket_losses(forecast, outcome.actual, outcome.counted, metric=COMPARED[task][0])[known]
    buckets = max(WEEK_DAYS // bucket_days, 1)
    missing = -losses.shape[1] % buckets
    padded = np.pad(losses, ((0, 0), (0, missing)))
    total: np.ndarray = padded.reshape(len(losses), -1, buckets).sum(axis=2)
    return total


def standard_error(difference: Float[np.ndarray, "entity week"]) -> float:
    """Give the standard error of the mean of a difference, by entities and by weeks; 0 of a single block.

    No entity adds more than all others together: where one carries the whole difference D of n, the plain error is D/n,
    which is the mean itself, and what fails on one entity would never count as worse, however far it fails.
    """
    apart = difference - difference.mean()
    by_block = _square_error(apart.ravel())
    by_entity, by_week = _square_error(apart.mean(axis=1)), _square_error(apart.mean(axis=0), capped=False)
    return float(np.sqrt(max(by_entity + by_week - by_block, by_entity, by_week, by_block)))


def _square_error(apart: Float[np.ndarray, " part"], *, capped: bool = True) -> float:
    """Give the squared standard error of a mean of parts that have a mean of zero."""
    if len(apart) < 2:
        return 0.0
    squares = apart**2
    if capped and len(apart) > 2:
        furthest = int(squares.argmax())
        squares[furthest] = min(squares[furthest], np.delete(squares, furthest).sum())
    return float(squares.sum() / (len(squares) - 1) / len(squares))
