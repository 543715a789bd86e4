"""From what a method says of the days to cover to order-up-to levels, at many service levels at once.

| rule     | level                                                                                                   |
|----------|---------------------------------------------------------------------------------------------------------|
| normal   | mean + z · standard deviation of the method's past misses, the textbook's safety stock                   |
| own      | a method's own variance instead of its past misses                                                       |
| average  | the average of a day · (days to cover + days of safety), the min/max of shop software                    |
| measured | mean + what was measured on all products' past misses, each in units of its product's own usual miss     |

Notable of the last: a product's usual miss is its mean absolute one, newer ones weighing more and as many as
`PRIOR_MISSES` of those of products that sell like it beside, so that no single bulk order makes a year of stock. How
many usual misses a service level takes is read off all products together, so nothing is assumed of the law.

References
----------
Silver, Pyke & Thomas, "Inventory and Production Management in Supply Chains", 4th edition (2017), section 6.9.
Trapero, Cardós & Kourentzes, "Empirical safety stock estimation based on kernel and GARCH models", Omega 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from client.decision.stock.walk import Walk

SERVICE_LEVELS = (  # the low ones, since steady demand is mostly served by half of them
    *(0.0001, 0.001, 0.01, 0.05, 0.1, 0.2),
    *(0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99),
    *(0.993, 0.996, 0.998, 0.999, 0.9995, 0.9999),
)
SAFETY_SHARES = (  # of the days to cover, that min/max adds; one for each service level
    *(-0.6, -0.5, -0.4, -0.3, -0.2, -0.1),
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95, 1.1, 1.3, 1.5, 1.75, 2.0, 2.4, 2.9, 3.5),
    *(4.5, 6.0, 8.0, 11.0, 16.0, 25.0),
)
AVERAGE_DAYS = 84
PRIOR_MISSES = 4.0
HALF_LIFE_DAYS = 56.0  # of a miss
BINS = 10  # of products that sell alike
SMALLEST = 1e-9

Means = Float[np.ndarray, "review product"]
Levels = Float[np.ndarray, "level product ordering"]


def normal_levels(walk: Walk, mean: Means) -> Levels:
    """Add so many standard deviations of each product's own past misses."""
    deviations = []
    for place in walk.ordering:
        known = walk.known(place)
        deviations.append(np.sqrt(((walk.actual[known] - mean[known]) ** 2).mean(axis=0)))
    return _add_safety(walk, mean, np.stack(deviations))


def own_levels(walk: Walk, mean: Means, variance: Means) -> Levels:
    """Add so many standard deviations as the method has them itself."""
    return _add_safety(walk, mean, np.sqrt(variance[walk.first :]))


def _add_safety(walk: Walk, mean: Means, deviation: Float[np.ndarray, "ordering product"]) -> Levels:
    z = stats.norm.ppf(SERVICE_LEVELS)[:, None, None]
    return np.maximum(mean[walk.first :] + z * deviation, 0.0).transpose(0, 2, 1)


def average_levels(walk: Walk) -> Levels:
    """Keep so many days of average sales, the average of the last twelve weeks."""
    demand, rates = walk.demand, []
    for day in walk.reviews[walk.first :]:
        last = slice(max(int(day) - AVERAGE_DAYS, 0), int(day))
        rates.append(demand[:, last].sum(axis=1) / np.maximum(walk.panel.open[:, last].sum(axis=1), 1))
    days = walk.open_days[walk.first :] * (1 + np.array(SAFETY_SHARES)[:, None, None])
    levels: np.ndarray = (np.stack(rates) * days).transpose(0, 2, 1)
    return levels


def measured_levels(walk: Walk, mean: Means) -> Levels:
    """Add what was measured; 0 where nothing is expected."""
    usual = [usual_miss(walk, mean, place) for place in range(len(walk.reviews))]
    levels = []
    for place in walk.ordering:
        steps = _steps(walk, mean, usual, place)
        level = np.maximum(mean[place] + steps[:, None] * usual[place], 0.0)
        levels.append(np.where(mean[place] > 0, level, 0.0))
    return np.stack(levels, axis=-1)


def usual_miss(walk: Walk, mean: Means, place: int) -> Float[np.ndarray, " product"]:
    """Give each product's usual miss, as known at a review: 0 where nothing is known yet."""
    known = walk.known(place)
    if not known.any():
        return np.zeros(mean.shape[1])
    misses, seen = np.abs(walk.actual - mean)[known], mean[known] > 0
    weight = 0.5 ** ((walk.reviews[place] - walk.reviews[known]) / HALF_LIFE_DAYS)[:, None] * seen
    alike = _miss_of_like(mean[known][seen], misses[seen], mean[place])
    found: np.ndarray = ((misses * weight).sum(axis=0) + PRIOR_MISSES * alike) / (weight.sum(axis=0) + PRIOR_MISSES)
    return found


def _miss_of_like(mean: np.ndarray, misses: np.ndarray, wanted: np.ndarray) -> Float[np.ndarray, " product"]:
    """Give the mean miss of products of like means."""
    if len(mean) == 0:
        return np.zeros(len(wanted))
    groups = np.array_split(np.argsort(mean, kind="stable"), min(BINS, len(mean)))
    log_means, log_misses = (
        np.log(np.array([part[group].mean() for group in groups]) + SMALLEST) for part in (mean, misses)
    )
    found: np.ndarray = np.exp(np.interp(np.log(np.maximum(wanted, SMALLEST)), log_means, log_misses)) * (wanted > 0)
    return found


def _steps(walk: Walk, mean: Means, usual: Sequence[np.ndarray], place: int) -> Float[np.ndarray, " level"]:
    """Give how many usual misses each service level took at the reviews that are known."""
    taken = []
    for earlier in np.flatnonzero(walk.known(place)).tolist():
        there = (mean[earlier] > 0) & (usual[earlier] > 0)
        taken.append((walk.actual[earlier] - mean[earlier])[there] / usual[earlier][there])
    seen = np.concatenate(taken) if taken else np.zeros(0)
    if len(seen) == 0:
        return np.asarray(stats.norm.ppf(SERVICE_LEVELS)) / np.sqrt(2 / np.pi)  # of a normal law, per mean miss
    return np.quantile(seen, SERVICE_LEVELS)
