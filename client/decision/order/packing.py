"""Packs and least quantities where sales are lost: how far below the least quantity an order may stay to meet its aim.

An order of packs brings more than the least quantity r of a single review, and a large one lasts for several reviews in
which hardly anything is missing. What counts is the share of pieces served over all of them, so r is lowered by a
**shift**. It is found by living on: many shelves order by r - shift for `CYCLES` reviews, on the draws of this one in
ever new order, and the shift is halved in until what they miss is the share that may be missing.

The shift is no whole number. Where shelves are mostly empty as goods come, they all stand on the same step, and a whole
piece more can mean a pack more at every review: a fraction f then takes the next whole number at f of the reviews.

References
----------
Snyder & Shen, "Fundamentals of Supply Chain Theory", 2nd edition (2019), section 4.3.4: fill rate as the share of
pieces over a renewal cycle.
van Jaarsveld & Arts, Operations Research 72 (2024): the level is on what will be there as the goods come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from client.decision.order.lead import draw_leads, longest
from client.decision.order.level import Aims, Levels, find_level, missing_share
from client.decision.order.lot import Lot, round_up_or_down
from client.decision.order.need import Draws, Need

CHAINS, CYCLES, WARM = 64, 24, 6  # shelves of a product, reviews each, and the first of them, which do not count
TURNS = 8  # halvings of the shift
STATES = 9  # of stock and orders, between which the least quantity is interpolated


@dataclass(frozen=True)
class Packing:
    """On what terms the products of a batch come.

    Attributes
    ----------
    demand
        Pieces asked for from one chance to order to the next, by day, in each draw; all products have as many days.
    least
        Least quantity at `STATES` counts of stock and orders together; where customers wait, at none.
    first, step
        The first of these counts, and the way from one to the next.
    allowed
        Share of the pieces that may be missing.
    """

    demand: Float[np.ndarray, "day draw product"]
    least: Float[np.ndarray, "state product"]
    first: Levels
    step: Levels
    lot: Lot
    lead: Levels
    spread: Levels
    allowed: Levels
    waits: bool


def tabulate(
    cycle: Need, aims: Aims, *, waits: bool
) -> tuple[Float[np.ndarray, "state product"], Levels, Levels, Levels]:
    """Give the least quantity by what is there and on its way, the first state and the step, and what may be missing.

    Up to the first state all is gone before the goods come; beyond the last one a piece more is a piece less to order.

    Parameters
    ----------
    cycle
        As lived through from an empty shelf with nothing on its way.
    """
    empty = find_level(cycle, aims, None)
    allowed = np.maximum(1.0 - aims.service_level, missing_share(cycle, empty))
    most = cycle.need + cycle.on_shelf  # asked for in the cycle
    if waits:  # a piece more on the shelf is a piece less to order
        return np.stack([empty]), np.zeros_like(empty), np.ones_like(empty), allowed
    first = np.floor(cycle.asked_before.min(axis=0)).astype(float)
    last = cycle.asked_before.max(axis=0).astype(float)
    step = np.maximum(np.ceil((last - first) / (STATES - 1)), 1.0)  # whole pieces, as the least quantity is
    rows = [empty]
    for state in range(1, STATES):
        shelf = np.maximum((first + state * step).astype(np.float32) - cycle.asked_before, 0.0)
        there = Need(most - shelf, cycle.asked, shelf, cycle.out_before, cycle.asked_before)
        rows.append(find_level(there, aims, None))
    return np.stack(rows), first, step, allowed


def find_shift(packing: Packing, generator: np.random.Generator) -> Levels:
    """Find what to add to the least quantity of a review, mostly less than 0, to serve what is asked over many.

    An empty shelf is always ordered for: the shift leaves a piece to order there.
    """
    packing, seed = _slim(packing), int(generator.integers(2**31))
    lowest = 1.0 - np.maximum(packing.least[0], 1.0)
    low = np.maximum(lowest, -1.25 * np.maximum(packing.lot.block, packing.lot.further))
    high = np.maximum(2.0, 0.25 * packing.least[0])
    for _ in range(TURNS):
        middle = (low + high) / 2
        enough = live_on(packing, middle.astype(np.float32), np.random.default_rng(seed)) <= packing.allowed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray((low + high) / 2)


def _slim(packing: Packing) -> Packing:
    """Halve the bytes that are moved, which is most of the time."""
    slim = {name: getattr(packing, name).astype(np.float32) for name in ("least", "first", "step")}
    lot = Lot(*(part.astype(np.float32) for part in vars(packing.lot).values()))
    return replace(packing, **slim, lot=lot)


def live_on(packing: Packing, shift: Levels, generator: np.random.Generator) -> Levels:
    """Order for many reviews, and give the share of the pieces asked for that was missing."""
    num_days, num_draws, number = packing.demand.shape
    shape = (min(CHAINS, num_draws), number)
    horizon = 1 + max(longest(mean, spread) for mean, spread in _pairs(packing))
    coming, latest = np.zeros((horizon, *shape), np.float32), np.zeros(shape, np.int32)
    most = packing.least[0] + np.maximum(packing.lot.block, packing.lot.further)
    shelf = np.floor(generator.random(shape, np.float32) * most).astype(np.float32)
    position, missing, asked = shelf.copy(), np.zeros(number), np.zeros(number)
    for cycle in range(CYCLES):
        chosen = packing.demand[:, generator.permutation(num_draws)[: shape[0]]]
        quantity = _order(packing, position, shift, generator)
        position += quantity
        latest = _send(coming, latest, quantity, cycle * num_days, packing, generator)
        for day, wanted in enumerate(chosen, cycle * num_days):
            slot = day % horizon
            shelf += coming[slot]
            coming[slot] = 0.0
            lacking = np.maximum(wanted - np.maximum(shelf, 0.0), 0.0)
            taken = wanted if packing.waits else wanted - lacking
            shelf -= taken
            position -= taken
            if cycle >= WARM:
                missing += lacking.sum(axis=0)
        if cycle >= WARM:
            asked += chosen.sum(axis=(0, 1))
    return missing / np.maximum(asked, 1e-9)


def _pairs(packing: Packing) -> list[tuple[float, float]]:
    return [(float(m), float(s)) for m, s in np.unique(np.stack([packing.lead, packing.spread], axis=1), axis=0)]


def _order(packing: Packing, position: Draws, shift: Levels, generator: np.random.Generator) -> Draws:
    """Order by what is there and on its way."""
    if packing.waits:
        least = packing.least[0] - position
    else:
        place = (position - packing.first) / packing.step
        inside = np.clip(place, np.float32(0.0), np.float32(STATES - 1.001))
        below = inside.astype(np.int32)
        products = np.arange(position.shape[1])
        at, after = packing.least[below, products], packing.least[below + 1, products]
        least = np.rint(at + (after - at) * (inside - below))
        least -= np.maximum(place - np.float32(STATES - 1), np.float32(0.0)) * packing.step
    turn = generator.random(position.shape, np.float32)
    return round_up_or_down(least + shift, packing.lot, turn)


def _send(
    coming: Float[np.ndarray, "slot chain product"],
    latest: Int[np.ndarray, "chain product"],
    quantity: Draws,
    day: int,
    packing: Packing,
    generator: np.random.Generator,
) -> Int[np.ndarray, "chain product"]:
    """Put the orders of a day on their way; none overtakes an earlier one."""
    if not packing.spread.any():
        slots = (day + np.ceil(packing.lead).astype(int)) % len(coming)
        for slot in np.unique(slots).tolist():
            coming[slot] += quantity * (slots == slot)
        return latest
    lead = draw_leads(packing.lead, packing.spread, len(quantity), generator)
    comes = np.maximum(latest, day + lead)
    chain, product = np.ogrid[: quantity.shape[0], : quantity.shape[1]]
    coming[comes % len(coming), chain, product] += quantity
    return np.asarray(comes, np.int32)
