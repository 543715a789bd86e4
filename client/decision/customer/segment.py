"""Segments with plain names, and the silence from which on a customer counts as slipping away.

| segment       | who                                                                                            |
|---------------|------------------------------------------------------------------------------------------------|
| regular       | bought at least twice, and is in her own rhythm                                                |
| big and rare  | the same, but with gaps of three months or more and purchases bigger than nine in ten          |
| new           | bought once, and one in four of those who came again needed longer                             |
| came once     | bought once, longer ago than that                                                              |
| quiet         | her chance to buy is half of what her own rhythm says or less, but such a silence can be chance |
| slipping away | silent for longer than 19 in 20 who have not left would be, by her own rhythm                  |
| lost          | the same, and her chance is a quarter of the usual or less                                     |

Guarantee: of customers who have bought twice, never leave and buy by chance at a rate of their own, about one in twenty
is called slipping away or lost at any one time (`FALSE_ALARM`), however often they buy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from client.decision.customer.past import Past
from client.language.speech import mark

SEGMENTS = (
    mark("regular"), mark("big and rare"), mark("new"), mark("came once"), mark("quiet"), mark("slipping away"),
    mark("lost"),
)  # fmt: skip
FALSE_ALARM = 0.05
QUIET, LEFT = 0.5, 0.25  # of the usual chance
RARE_DAYS, BIG_SHARE = 90.0, 0.9
BACK_SHARE = 0.75  # of those who came a second time, so many had come by the end of being new
USUAL_NEW_DAYS = 90.0


def name_segments(
    past: Past,
    *,
    silent: Float[np.ndarray, " some"],
    chance: Float[np.ndarray, " some"],
    usual: Float[np.ndarray, " some"],
    order_value: Float[np.ndarray, " some"],
) -> np.ndarray:
    """Name the segment of every customer.

    Parameters
    ----------
    silent
        Probability of so long a silence for one who has not left.
    chance, usual
        Of a purchase in the months ahead, and what it would be in her own rhythm.
    order_value
        What a purchase of hers is worth.
    """
    repeated = past.count > 1
    gap = (past.last - past.first) / np.maximum(past.again, 1)
    big = order_value >= (np.quantile(order_value[repeated], BIG_SHARE) if repeated.any() else 0.0)
    overdue = repeated & (silent <= FALSE_ALARM)
    lost, quiet = overdue & (chance <= LEFT * usual), chance <= QUIET * usual
    fresh = ~repeated & (past.silence <= find_new_days(past))
    rules = [lost, overdue, ~repeated & fresh, ~repeated, quiet, big & (gap >= RARE_DAYS)]
    names = ["lost", "slipping away", "new", "came once", "quiet", "big and rare"]
    return np.select(rules, names, default="regular")


def find_new_days(past: Past) -> float:
    """Give the days by which three in four of those who came a second time had come."""
    purchases = past.purchases
    begins = purchases.edges(past.who, 0)[past.count > 1]
    if len(begins) < 4:
        return USUAL_NEW_DAYS
    return float(np.quantile(purchases.day[begins + 1] - purchases.day[begins], BACK_SHARE))
