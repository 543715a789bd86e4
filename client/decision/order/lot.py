"""How many pieces an order brings beyond what is needed: packs, a supplier's minimum, what makes it worth its work.

An order costs `line_cost` however large it is. Where that is not nothing, an order takes stock and orders not just to
the level r below which is ordered, but `further` above it: the rule is (s, S) with s = r and S = r + further. How far
is found by living on: for each of `FURTHER` shelves go through reviews on the draws, and

    line_cost x orders a review  +  cost of holding for a review x (r + mean pieces above r)

is to be the least. There r is what runs out as seldom, on average over what lies above it, as the level of orders that
bring just that does: the further an order goes, the seldomer the shelf comes near its end, and the lower r may be.

References
----------
Harris (1913), the economic order quantity, in shares of which is looked; Scarf (1960), (s, S) is best; Zheng &
Federgruen, "Finding Optimal (s, S) Policies Is About As Simple As Evaluating a Single Policy", Operations Research 39
(1991). A fixed quantity of that size instead costs up to a tenth more where it lasts for one or two reviews, for it
lasts for one here and for two there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.decision.order.need import Draws

Levels = Float[np.ndarray, " product"]
FURTHER = (0.0, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.6, 2.0)  # shares of the economic order quantity
TURNS, WARM, EVERY = 24, 8, 4  # reviews of each shelf, the first of them, which do not count; how many are looked at


@dataclass(frozen=True)
class Lot:
    """In what quantities each product is ordered.

    Attributes
    ----------
    block
        The smallest allowed quantity, of whole packs; 1 where pieces come one by one.
    pack
        Pieces that come together.
    further
        Above the level below which is ordered, an order takes stock and orders to; 0 where a line costs nothing.
    """

    block: Levels
    pack: Levels
    further: Levels

    def of(self, places: Int[np.ndarray, " place"]) -> Lot:
        """Give those of some products."""
        return Lot(self.block[places], self.pack[places], self.further[places])

    def most_beyond(self) -> Levels:
        """Give how far an order takes stock and orders above the level at most."""
        return np.maximum(self.block, self.further + self.pack) - 1.0

    def come_alone(self) -> np.ndarray:
        """Tell which products come piece by piece, as many as are needed."""
        return (self.block <= 1) & (self.further <= 0)


def find_block(minimum: Levels, pack: Levels) -> Levels:
    """Give the smallest quantity of a line: the minimum, in whole packs."""
    return np.asarray(np.maximum(np.ceil(minimum / pack - 1e-9), 1.0) * pack)


def find_lot(between: Draws, need: Draws, level: Levels, terms: LineTerms, generator: np.random.Generator) -> Lot:
    """Find in what quantities to order.

    Parameters
    ----------
    between
        Pieces asked for from one chance to order to the next.
    need
        What an order must bring (`client.decision.order.need`).
    level
        What it does bring where it comes alone.
    """
    lot = Lot(find_block(terms.minimum, terms.pack), terms.pack, np.zeros(len(level)))
    costs = np.flatnonzero((terms.line_cost > 0) & (terms.held > 0) & (between.mean(axis=0) > 0))
    if len(costs):
        seen = _Seen(between[:, costs], need[:, costs], level[costs], int(generator.integers(2**31)))
        lot.further[costs] = _cheapest(seen, lot.of(costs), terms.line_cost[costs], terms.held[costs])
    return lot


@dataclass(frozen=True)
class LineTerms:
    """On what terms a line is ordered.

    Attributes
    ----------
    line_cost
        Of an order.
    held
        Of a piece on the shelf from one chance to order to the next.
    """

    minimum: Levels
    pack: Levels
    line_cost: Levels
    held: Levels


@dataclass(frozen=True)
class _Seen:
    between: Draws
    need: Draws
    level: Levels
    seed: int


def _cheapest(seen: _Seen, lot: Lot, line_cost: Levels, held: Levels) -> Levels:
    """Try every share of the economic order quantity, all with the same draws."""
    worth = np.sqrt(2.0 * line_cost * seen.between.mean(axis=0) / held)
    tried = np.round(np.stack([share * worth for share in FURTHER]))
    costs = []
    for further in tried:
        orders, above, level = _live_on(seen, Lot(lot.block, lot.pack, further))
        costs.append(line_cost * orders + held * (above + level))
    return np.asarray(np.take_along_axis(tried, np.argmin(np.stack(costs), axis=0)[None], axis=0)[0])


def _live_on(seen: _Seen, lot: Lot) -> tuple[Levels, Levels, Levels]:
    """Give orders a review, mean pieces above the level after it, and the level that runs out as seldom."""
    generator, (num_draws, number) = np.random.default_rng(seen.seed), seen.between.shape
    block, pack, further = (part.astype(np.float32) for part in vars(lot).values())
    above = np.floor(generator.random((num_draws, number), np.float32) * np.maximum(block, further + pack))
    orders, lying, lacking = np.zeros(number), np.zeros(number), []
    for turn in range(TURNS):
        above = above - seen.between[generator.permutation(num_draws)]
        is_ordered = above < 0
        brought = np.maximum(block, np.ceil((further - above) / pack) * pack)
        above = np.where(is_ordered, above + brought, above)
        if turn >= WARM:
            orders += is_ordered.mean(axis=0)
            lying += above.mean(axis=0)
            if turn % EVERY == 0:
                lacking.append(seen.need - above)
    counted = TURNS - WARM
    return orders / counted, lying / counted, _as_seldom(seen, np.concatenate(lacking))


def _as_seldom(seen: _Seen, lacking: Draws) -> Levels:
    """Give the level that is exceeded in the share of cases in which need exceeds its own."""
    share = (seen.need > seen.level).mean(axis=0)
    place = np.clip(np.ceil((1.0 - share) * len(lacking)).astype(int) - 1, 0, len(lacking) - 1)
    level = np.take_along_axis(np.sort(lacking, axis=0), place[None], axis=0)[0]
    return np.where(np.isfinite(level), level, 0.0)


def round_up_or_down(
    least: Float[np.ndarray, "*draw product"], lot: Lot, turn: Float[np.ndarray, "*draw product"]
) -> Float[np.ndarray, "*draw product"]:
    """Give the allowed quantity for `least`, whose fraction counts as a whole piece where `turn` is above its rest."""
    whole = np.floor(least + turn)
    packs = np.maximum(np.ceil((whole + lot.further) / lot.pack - 1e-9) * lot.pack, lot.block)
    return np.where(whole > 0, packs, 0.0)
