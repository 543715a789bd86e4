"""Where money is short: cut what loses least for the money.

A line is taken apart into its smallest quantity and then parts of whole packs. What a part is worth is what it keeps
from being missed, times what a missing piece costs; parts are taken in the order of worth per money until the budget is
spent. Worth falls from part to part of a line, so for parts that are small beside the budget this is best.
"""

from __future__ import annotations

import heapq

import numpy as np

from client.decision.order.need import Need, unserved
from client.decision.order.proposal import Numbers, Terms

PARTS = 8  # of a line, beside its smallest quantity


def fit_budget(
    quantity: Numbers, need: Need, block: Numbers, terms: Terms, unit_cost: Numbers, budget: float
) -> Numbers:
    """Give the quantities that the budget allows; a product without a known cost is not cut."""
    cost = np.where(np.isfinite(unit_cost), unit_cost, 0.0)
    if float((quantity * cost).sum()) <= budget:
        return quantity
    steps = [np.zeros(len(cost)), np.minimum(quantity, block)]
    for part in range(1, PARTS + 1):
        further = block + (quantity - block) * part / PARTS
        steps.append(np.clip(np.ceil(further / terms.pack - 1e-9) * terms.pack, steps[-1], quantity))
    lost = np.stack([unserved(need, step).mean(axis=0) for step in steps]) * terms.out
    money = np.stack(steps) * cost
    kept, left = np.where(cost > 0, 0, len(steps) - 1), budget
    queue = [item for place in np.flatnonzero(cost > 0).tolist() if (item := _next(place, 0, lost, money)) is not None]
    heapq.heapify(queue)
    while queue:
        _, place, to = heapq.heappop(queue)
        spent = money[to, place] - money[kept[place], place]
        if spent > left + 1e-9:
            continue
        left -= spent
        kept[place] = to
        item = _next(place, to, lost, money)
        if item is not None:
            heapq.heappush(queue, item)
    return np.stack(steps)[kept, np.arange(len(cost))]


def _next(place: int, at: int, lost: np.ndarray, money: np.ndarray) -> tuple[float, int, int] | None:
    """Give the next part of a line, by what it is worth for its money."""
    further = np.flatnonzero(money[at:, place] > money[at, place] + 1e-9)
    if not len(further):
        return None
    to = at + int(further[0])
    worth = (lost[at, place] - lost[to, place]) / (money[to, place] - money[at, place])
    return (-float(worth), int(place), to)
