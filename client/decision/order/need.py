"""What an order must bring: each draw of demand and lead times is lived through until the next order's goods come.

An order that goes out today covers its *cycle*: from the day its goods come until the day the goods of the next chance
to order could come. What it must bring in one draw, its **need**, is

    N = (most that is asked for in the cycle beyond what else arrives in it) - (what is on the shelf as it begins)

and q pieces leave min((N - q)+, C) pieces of the C that are asked for in the cycle unserved. Both what was lost before
the goods come and what comes meanwhile are in it, each at its day; so it holds for lost sales (what cannot be served is
gone) and where customers wait (the shelf goes below zero), for random lead times, and for demand of any law.

References
----------
van Jaarsveld & Arts, "Projected Inventory-Level Policies for Lost Sales Inventory Systems: Asymptotic Optimality in Two
Regimes", Operations Research 72 (2024): raising what will be on the shelf as the goods come, not what is on hand and on
order, is right for lost sales. For waiting customers both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Draws = Float[np.ndarray, "draw product"]


@dataclass(frozen=True)
class Chance:
    """When goods of an order come in each draw, in days from the first day of the draws.

    Attributes
    ----------
    comes
        The order's own goods.
    next_comes
        Those of the next chance to order, never before.
    """

    comes: Int[np.ndarray, "draw product"]
    next_comes: Int[np.ndarray, "draw product"]

    def after(self, latest: Int[np.ndarray, "draw product"]) -> Chance:
        """Let neither come before what was ordered earlier."""
        comes = np.maximum(self.comes, latest)
        return Chance(comes, np.maximum(self.next_comes, comes))

    def of(self, places: Int[np.ndarray, " place"]) -> Chance:
        """Give those of some products."""
        return Chance(self.comes[:, places], self.next_comes[:, places])


@dataclass(frozen=True)
class Need:
    """What the orders of a batch must bring.

    Attributes
    ----------
    need
        N; minus infinity in a draw in which both goods come on one day.
    asked
        C.
    on_shelf
        As the cycle begins, before its goods; below zero where customers wait.
    out_before
        Whether the shelf was empty-handed before the cycle, which no order of today can change.
    asked_before
        Pieces asked for before the cycle.
    by_day
        N as it grows day by day within the cycle, minus infinity outside of it; only where it was asked for.
    """

    need: Draws
    asked: Draws
    on_shelf: Draws
    out_before: Bool[np.ndarray, "draw product"]
    asked_before: Draws
    by_day: Float[np.ndarray, "day draw product"] | None = None

    def of(self, places: Int[np.ndarray, " place"]) -> Need:
        """Give that of some products."""
        return Need(
            self.need[:, places],
            self.asked[:, places],
            self.on_shelf[:, places],
            self.out_before[:, places],
            self.asked_before[:, places],
            None if self.by_day is None else self.by_day[:, :, places],
        )


def find_need(
    draws: Float[np.ndarray, "draw product day"],
    on_hand: Float[np.ndarray, " product"],
    arriving: Float[np.ndarray, "draw product day"] | None,
    chance: Chance,
    *,
    waits: bool,
    by_day: bool = False,
) -> Need:
    """Live through every draw, the goods of an order left out.

    Parameters
    ----------
    draws
        Pieces asked for; a piece that arrives on a day can be sold on it.
    on_hand
        As the first day begins.
    arriving
        What is on its way, on the day it comes in each draw; None where nothing is.
    waits
        Whether customers wait for what is not there; else the sale is lost.
    """
    num_draws, num_products, num_days = draws.shape
    shelf = np.broadcast_to(on_hand.astype(np.float32), (num_draws, num_products)).copy()
    net, most = np.zeros_like(shelf), np.full_like(shelf, -np.inf)
    asked, before = np.zeros_like(shelf), np.zeros_like(shelf)
    out = np.zeros(shelf.shape, bool)
    grown = []
    by_time = np.ascontiguousarray(draws.transpose(2, 0, 1))
    first, last = int(chance.comes.min()), int(chance.next_comes.max())
    for day in range(min(last, num_days)):
        wanted = by_time[day]
        incoming = np.float32(0.0) if arriving is None else arriving[:, :, day]
        waiting = day < chance.comes
        left = shelf + incoming - wanted
        out |= waiting & (left < 0)
        shelf = np.where(waiting, left if waits else np.maximum(left, 0.0), shelf)
        before += np.where(waiting, wanted, 0.0)
        if day >= first:
            covered = ~waiting & (day < chance.next_comes)
            net += np.where(covered, wanted - incoming, 0.0)
            np.maximum(most, net, out=most, where=covered)
            asked += np.where(covered, wanted, 0.0)
            if by_day:
                level = net if waits else most
                grown.append(np.where(covered, level - shelf, -np.inf))
    return Need(most - shelf, asked, shelf, out, before, np.stack(grown) if grown else None)


def unserved(need: Need, quantity: Float[np.ndarray, " product"]) -> Draws:
    """Give the pieces of each draw's cycle that cannot be served if so many pieces come."""
    return np.minimum(np.maximum(need.need - quantity.astype(np.float32), 0.0), need.asked)
