"""Answers of the textbook, where demand has a law that can be written down: to check by, and to explain with.

References
----------
Snyder & Shen, "Fundamentals of Supply Chain Theory", 2nd edition (2019), chapters 3 to 5; `stockpyl` computes the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Pair = tuple[float, float]


def economic_quantity(order_cost: float, held: float, rate: float) -> Pair:
    """Give the economic order quantity and its cost per time (section 3.2).

    Parameters
    ----------
    order_cost
        Of one order.
    held
        Of one piece for one time.
    rate
        Pieces asked for per time.
    """
    return math.sqrt(2 * order_cost * rate / held), math.sqrt(2 * order_cost * rate * held)


def economic_quantity_waiting(
    order_cost: float, held: float, waiting: float, rate: float
) -> tuple[float, float, float]:
    """Give quantity, the share that waits, and cost, where waiting of a piece costs per time (section 3.5)."""
    quantity = math.sqrt(2 * order_cost * rate * (held + waiting) / (held * waiting))
    cost = math.sqrt(2 * order_cost * rate * held * waiting / (held + waiting))
    return quantity, held / (held + waiting), cost


def newsvendor_normal(over: float, under: float, mean: float, deviation: float, lead: float = 0.0) -> Pair:
    """Give base stock and expected cost for normal demand over lead time and one period (sections 4.3, 4.4)."""
    from scipy.stats import norm  # takes a second to import

    ratio = under / (under + over)
    mean, deviation = mean * (lead + 1), deviation * math.sqrt(lead + 1)
    quantile = float(norm.ppf(ratio))
    return mean + quantile * deviation, (over + under) * float(norm.pdf(quantile)) * deviation


def newsvendor_discrete(over: float, under: float, law: Sequence[float]) -> Pair:
    """Give the smallest whole stock whose probability to suffice reaches the critical ratio, and its cost.

    Parameters
    ----------
    law
        Probability of 0, 1, 2 … pieces. A ratio on a step of it takes that step: sums of floats that miss it by a
        rounding error do not order a piece more.

    Raises
    ------
    ValueError
        A cost is not above 0, or the law is none.
    """
    weights = np.asarray(law, float)
    if not (over > 0 and under > 0 and np.isfinite([over, under]).all()):
        raise ValueError("costs must be finite and above 0")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and math.isclose(weights.sum(), 1.0, abs_tol=1e-6)):
        raise ValueError("probabilities must not be negative, and sum to 1")
    stock = int(np.argmax(np.cumsum(weights) >= under / (under + over) - 1e-12))
    demand = np.arange(len(weights))
    left, missing = np.maximum(stock - demand, 0), np.maximum(demand - stock, 0)
    return float(stock), float(weights @ (over * left + under * missing))


def newsvendor_poisson(over: float, under: float, mean: float) -> Pair:
    """Give stock and cost for Poisson demand (section 4.3.2)."""
    from scipy.stats import poisson

    law = poisson.pmf(np.arange(int(mean + 20 * math.sqrt(mean) + 30)), mean)
    return newsvendor_discrete(over, under, (law / law.sum()).tolist())


def newsvendor_explicit(price: float, cost: float, salvage: float, mean: float, deviation: float) -> Pair:
    """Give stock and expected profit, where what is left is sold off (section 4.3.1)."""
    stock, spent = newsvendor_normal(cost - salvage, price - cost, mean, deviation)
    return stock, (price - cost) * mean - spent


def cost_of_levels(
    reorder: int, up_to: int, held: float, waiting: float, order_cost: float, law: Sequence[float]
) -> float:
    """Give the cost per period of (s, S), reviewed each period, without a lead time (Zheng & Federgruen 1991).

    Stock that has come to s or below is taken to S; what is missing waits.
    """
    weights, steps = np.asarray(law, float), up_to - reorder
    visits = np.zeros(steps)
    visits[0] = 1 / (1 - weights[0])
    for place in range(1, steps):
        reach = min(place, len(weights) - 1)
        earlier = sum(weights[jump] * visits[place - jump] for jump in range(1, reach + 1))
        visits[place] = earlier / (1 - weights[0])
    demand = np.arange(len(weights))

    def period(level: int) -> float:
        return float(weights @ (held * np.maximum(level - demand, 0) + waiting * np.maximum(demand - level, 0)))

    total = order_cost + sum(visits[place] * period(up_to - place) for place in range(steps))
    return float(total / visits.sum())


def best_levels(held: float, waiting: float, order_cost: float, law: Sequence[float]) -> tuple[int, int, float]:
    """Give the cheapest (s, S) and its cost, by looking at all near enough."""
    base = int(newsvendor_discrete(held, waiting, law)[0])
    mean = float(np.asarray(law) @ np.arange(len(law)))
    width = int(4 * economic_quantity(max(order_cost, 1e-9), held, max(mean, 1e-9))[0]) + 8
    found = (
        (cost_of_levels(reorder, up_to, held, waiting, order_cost, law), reorder, up_to)
        for reorder in range(base - width, base + 1)
        for up_to in range(max(base, reorder + 1), base + width)
    )
    cost, reorder, up_to = min(found)
    return reorder, up_to, cost


def reorder_poisson(reorder: int, quantity: int, costs: tuple[float, float, float], rate: float, lead: float) -> float:
    """Give the cost per time of (r, Q) under Poisson demand: the position is uniform over r+1 … r+Q (section 5.5).

    Parameters
    ----------
    costs
        Of a piece on the shelf and of a waiting one per time, and of an order.
    """
    from scipy.stats import poisson

    held, waiting, order_cost = costs
    demand = np.arange(int(rate * lead + 20 * math.sqrt(rate * lead) + 30))
    law = poisson.pmf(demand, rate * lead)

    def at(level: int) -> float:
        return float(law @ (held * np.maximum(level - demand, 0) + waiting * np.maximum(demand - level, 0)))

    return (order_cost * rate + sum(at(level) for level in range(reorder + 1, reorder + quantity + 1))) / quantity
