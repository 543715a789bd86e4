"""How much an order must bring at least: the smallest whole number of pieces that keeps the aim.

| aim                | the smallest r with                                                                             |
|--------------------|-------------------------------------------------------------------------------------------------|
| service of pieces  | E[unserved pieces of the cycle] ≤ (1 - level) E[pieces asked for in it]           (fill rate) |
| service of cycles  | P(nothing is missing in the cycle) ≥ level                                      (cycle service) |
| cost               | h Σ E[days of the cycle on which one piece more lies over] ≥ p E[it is sold]  |

An order of packs, of a minimum, or worth its work brings more than r (`lot`).
How much more differs from order to order, and its law follows from the demand between two chances alone (`excess`).
Of pieces never more is stocked than suffices in that share of the cycles with any demand (`_most_sensible`).
The aim is kept **on average** over it; to keep it at the worst of it would overstock all that comes in cartons.

References
----------
Snyder & Shen, "Fundamentals of Supply Chain Theory", 2nd edition (2019): chapter 4 (newsvendor, base stock, (s, S)) and
chapter 5 ((r, Q): the inventory position is uniform over r+1 … r+Q).
Silver, Pyke & Thomas, "Inventory and Production Management in Supply Chains", 4th edition (2017), chapter 6 (P1, P2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from client.decision.order.lot import Lot
from client.decision.order.need import Draws, Need

Levels = Float[np.ndarray, " product"]
Aim = Literal["pieces", "cycles", "cost"]
TURNS = 12  # of the chain of excesses, which begins near its law
TOO_LOW = 0.023  # of the cases a quantile lies below what is taken to be surely below it: two standard errors
FIXED_POINT = 4  # turns between level and excess; each halves what is left


@dataclass(frozen=True)
class Aims:
    """What each product's order is for.

    Attributes
    ----------
    service_level
        Between 0 and 1.
    held
        What one piece costs that lies on the shelf for a day.
    out
        What one piece costs that is asked for and not there.
    """

    aim: Aim
    service_level: Float[np.ndarray, " product"]
    held: Float[np.ndarray, " product"]
    out: Float[np.ndarray, " product"]

    def of(self, places: Int[np.ndarray, " place"]) -> Aims:
        """Give those of some products."""
        return Aims(self.aim, self.service_level[places], self.held[places], self.out[places])


def draw_excess(
    between: Draws,
    lot: Lot,
    generator: np.random.Generator,
    *,
    empty: Levels | None = None,
) -> Draws:
    """Draw by how much orders of packs and minimums bring more than they must.

    Stock and orders stand z above the level r. The demand D of the time between two chances takes it to z - D; where
    that is below 0 the smallest allowed quantity is ordered that takes it to 0 or above.

    Parameters
    ----------
    between
        D.
    empty
        r where the shelf is empty as the goods come: lost sales take z no lower than -r, for the shelf is then empty.
        None where customers wait.
    """
    num_draws = len(between)
    levels = (np.argsort(generator.random(between.shape), axis=0) + 0.5) / num_draws
    excess = np.floor(levels * np.maximum(lot.block, lot.further + lot.pack)).astype(np.float32)
    for _ in range(TURNS):
        excess = excess - between[generator.permutation(num_draws)]
        if empty is not None:
            excess = np.maximum(excess, -empty)
        lacking = np.maximum(-excess, 0.0)
        brought = np.maximum(lot.block, np.ceil((lacking + lot.further) / lot.pack) * lot.pack)
        excess = np.where(excess < 0, excess + brought, excess).astype(np.float32)
    return excess


def settle_excess(
    need: Need,
    aims: Aims,
    between: Draws,
    lot: Lot,
    generator: np.random.Generator,
    *,
    waits: bool,
) -> Draws:
    """Draw the excess of orders, which for lost sales depends on the level, and the level on it: both by turns."""
    excess = draw_excess(between, lot, generator)
    if waits:
        return excess
    from_empty = replace(need, need=need.need + need.on_shelf, by_day=_raise(need))
    empty = np.maximum(find_level(from_empty, aims, excess), 1.0)
    for _ in range(FIXED_POINT):
        excess = draw_excess(between, lot, generator, empty=empty)
        empty = (empty + np.maximum(find_level(from_empty, aims, excess), 1.0)) / 2
    return draw_excess(between, lot, generator, empty=empty)


def _raise(need: Need) -> Float[np.ndarray, "day draw product"] | None:
    return None if need.by_day is None else need.by_day + need.on_shelf


def missing_share(need: Need, level: Levels) -> Levels:
    """Give the share of the cycle's pieces that is missing if so many come; 0 where none is asked for."""
    missing = np.minimum(np.maximum(need.need - level.astype(np.float32), 0.0), need.asked).mean(axis=0)
    return np.asarray(missing / np.maximum(need.asked.mean(axis=0), 1e-9))


def find_level(need: Need, aims: Aims, excess: Draws | None) -> Float[np.ndarray, " product"]:
    """Find r of each product; 0 or less says that nothing need be ordered.

    Parameters
    ----------
    excess
        What orders bring beyond r, by draw; None where they bring r.
    """
    shift = np.float32(0.0) if excess is None else excess
    shifted = need.need - shift
    if aims.aim == "pieces":
        allowed = (1.0 - aims.service_level) * need.asked.mean(axis=0)

        def is_enough(level: Float[np.ndarray, " product"]) -> Bool[np.ndarray, " product"]:
            missing = np.minimum(np.maximum(shifted - level.astype(np.float32), 0.0), need.asked).mean(axis=0)
            return missing <= allowed + 1e-6

        return np.minimum(_search(shifted, is_enough), _most_sensible(shifted, need.asked, aims.service_level))
    if aims.aim == "cycles":
        return _level_of_cycles(shifted, need.asked, aims.service_level)
    return _level_of_cost(need, aims, shifted, shift)


def _search(
    shifted: Draws, is_enough: Callable[[Levels], Bool[np.ndarray, " product"]]
) -> Float[np.ndarray, " product"]:
    """Halve the range of whole numbers until the smallest that is enough is left."""
    finite = np.isfinite(shifted)
    high = np.ceil(np.where(finite, shifted, -np.inf).max(axis=0, initial=-np.inf)).astype(float)
    low = np.floor(np.where(finite, shifted, np.inf).min(axis=0, initial=np.inf)).astype(float) - 1.0
    empty = ~np.isfinite(high)
    high, low = np.where(empty, 0.0, high), np.where(empty, -1.0, low)
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2)
        enough = is_enough(middle)
        high, low = np.where(enough & (high - low > 1), middle, high), np.where(enough | (high - low <= 1), low, middle)
    return high


def _level_of_cycles(shifted: Draws, asked: Draws, service_level: Levels) -> Levels:
    """Take what suffices in so many of all cycles, those in which nothing is asked for too."""
    return _suffices(shifted, np.ones(asked.shape, bool), asked, service_level)


def _most_sensible(shifted: Draws, asked: Draws, service_level: Levels) -> Levels:
    """Give what suffices in so many of the cycles in which anything is asked for, and no shop stocks more.

    Where one customer in a year takes a thousand pieces, nearly all pieces asked for are that customer's, and a share
    of the pieces would be kept by stocking for that order for ever.
    """
    return _suffices(shifted, asked > 0, asked, service_level)


def _suffices(shifted: Draws, counted: Bool[np.ndarray, "draw product"], asked: Draws, service_level: Levels) -> Levels:
    """Give what suffices in so many of the draws that count, but nothing huge that a few draws are no evidence of.

    It is the k-th smallest need of n, k = ceil(level (n + 1)): on average so much of what is yet to come is below it. A
    need is whole, so a level on a step of its distribution takes the step itself and no piece more (the rounding error
    of a float just above the step would); with too few draws for a level the greatest need is taken.

    Few draws lie above it: of 200, four at 98 %. Where huge orders come half as often as that, chance puts it among
    them at one review of seven. So what the quantile of the law exceeds in all but `TOO_LOW` of cases (an order
    statistic, by the binomial law) counts as *sure*, and no more is taken than as far above it as it lies above the
    median, or than what is asked for in the smallest cycle.

    References
    ----------
    David & Nagaraja, "Order Statistics", 3rd edition (2003), section 7.1: intervals of quantiles free of a law.
    """
    rising, number = np.sort(np.where(counted, shifted, -np.inf), axis=0), counted.sum(axis=0)
    taken = _nth(rising, number, np.ceil(service_level * (number + 1) - 1e-9))
    sure = _nth(rising, number, _sure_place(number, service_level))
    usual = _nth(rising, number, np.ceil(number / 2))
    small = np.where(asked > 0, asked, np.inf).min(axis=0)
    with np.errstate(invalid="ignore"):
        most = sure + np.maximum(sure - usual, small)
    taken = np.where(np.isfinite(most), np.minimum(taken, most), taken)
    return np.asarray(np.ceil(np.where(np.isfinite(taken), taken, 0.0)), float)


def _nth(rising: Draws, number: Int[np.ndarray, " product"], place: Levels) -> Levels:
    """Give the n-th smallest of the last `number` values, counted from 1; the nearest where there is none."""
    at = len(rising) - number + np.clip(place, 1, np.maximum(number, 1)).astype(int) - 1
    return np.take_along_axis(rising, np.clip(at, 0, len(rising) - 1)[None], axis=0)[0]


def _sure_place(number: Int[np.ndarray, " product"], service_level: Levels) -> Levels:
    """Give which of n draws lies at or below the quantile of the law in all but `TOO_LOW` of cases."""
    from scipy.stats import binom  # takes a second to import

    return np.asarray(binom.ppf(TOO_LOW, number, service_level), float)


def _level_of_cost(need: Need, aims: Aims, shifted: Draws, shift: Draws | np.float32) -> Float[np.ndarray, " product"]:
    """Find where one piece more costs as much on the shelf as it saves.

    One piece more lies on the shelf on the days by which the need has not yet come to it, and is sold where the need
    exceeds it (and was not waiting since before the cycle). Below the median need a piece always pays.
    """
    if need.by_day is None:
        raise ValueError("the need by day is asked for; find it with by_day=True")
    by_day = need.by_day - shift
    waiting = shifted - need.asked  # what was waiting before the cycle
    low = np.median(np.where(np.isfinite(shifted), shifted, -np.inf), axis=0)
    low = np.where(np.isfinite(low), np.floor(low), -np.inf)

    def is_enough(level: Float[np.ndarray, " product"]) -> Bool[np.ndarray, " product"]:
        at = level.astype(np.float32)
        lying = (np.isfinite(by_day) & (by_day <= at)).sum(axis=(0, 1))
        sold = ((shifted > at) & (waiting <= at)).sum(axis=0)
        return (level >= low) & (aims.held * lying >= aims.out * sold - 1e-9)

    return _search(shifted, is_enough)
