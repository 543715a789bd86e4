"""How many of each product to order now: arrays in, arrays out.

draws, shelf, what is on its way, lead times → need (`need`) → least quantity (`level`) → packs, minimum, shelf life
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from client.decision.order.lead import draw_leads, longest
from client.decision.order.level import Aim, Aims, find_level, settle_excess
from client.decision.order.lot import LineTerms, Lot, find_lot, round_up_or_down
from client.decision.order.need import Chance, Draws, Need, find_need, unserved
from client.decision.order.packing import Packing, find_shift, tabulate
from client.decision.order.pipeline import OnOrder, draw_arrivals

Numbers = Float[np.ndarray, " product"]
MOST_SHELF_LIFE = 0.5  # the last piece is sold before it spoils in so many cases at least


@dataclass(frozen=True)
class Terms:
    """On what terms each product of a batch is ordered.

    Attributes
    ----------
    wait
        Days from the first day of the draws to the day of the order.
    review
        Days from that day to the next chance to order.
    held, out
        What a piece costs for a day on the shelf, and what one costs that is missing; NaN where not known.
    shelf_life
        Days; infinite where nothing spoils.
    """

    aim: Aim
    waits: bool
    service_level: Numbers
    lead: Numbers
    lead_spread: Numbers
    wait: Int[np.ndarray, " product"]
    review: Int[np.ndarray, " product"]
    minimum: Numbers
    pack: Numbers
    line_cost: Numbers
    held: Numbers
    out: Numbers
    shelf_life: Numbers

    def of(self, places: Int[np.ndarray, " place"]) -> Terms:
        """Give those of some products."""
        kept = {name: part[places] if isinstance(part, np.ndarray) else part for name, part in vars(self).items()}
        return Terms(**kept)

    def of_line(self) -> LineTerms:
        """Give those of a line of an order."""
        return LineTerms(self.minimum, self.pack, self.line_cost, self.held * np.maximum(self.review, 1))

    def days(self) -> int:
        """Tell how many days of draws the orders need."""
        if not len(self.lead):
            return 1
        pairs = np.unique(np.stack([self.lead, self.lead_spread], axis=1), axis=0)
        late = {(mean, spread): longest(mean, spread) for mean, spread in map(tuple, pairs.tolist())}
        leads = np.array([late[pair] for pair in zip(self.lead.tolist(), self.lead_spread.tolist(), strict=True)])
        return int((self.wait + self.review + leads).max())


@dataclass(frozen=True)
class Ordered:
    """What to order, and what follows from it.

    Attributes
    ----------
    quantity
        To order now.
    level
        Stock and orders together below which is ordered (reorder point).
    up_to
        The most that an order takes them to (order-up-to level); `level` itself where pieces come one by one.
    safety
        What is left on average as the next order's goods come, if stock and orders are at `level` today.
    asked
        Mean demand from now until then.
    high
        Demand until then that is exceeded in one case of ten.
    risk, risk_without
        Probability that a piece is missing between now and then, with the order and without.
    risk_before
        The same until the order's own goods come, which it cannot change.
    missing, missing_without
        Pieces missing in the order's cycle on average.
    spoils
        Whether shelf life cut the quantity.
    block
        The smallest quantity of a line.
    need
        By which all this was found; `restrict` asks it again.
    """

    quantity: Numbers
    level: Numbers
    up_to: Numbers
    safety: Numbers
    asked: Numbers
    high: Numbers
    risk: Numbers
    risk_without: Numbers
    risk_before: Numbers
    missing: Numbers
    missing_without: Numbers
    spoils: Bool[np.ndarray, " product"]
    block: Numbers
    need: Need


def propose(
    draws: Float[np.ndarray, "draw product day"],
    on_hand: Numbers,
    orders: OnOrder,
    terms: Terms,
    generator: np.random.Generator,
    *,
    turn: Numbers | None = None,
) -> Ordered:
    """Find how many of each product to order.

    Parameters
    ----------
    draws
        `terms.days()` days at least.
    on_hand
        As the first day of the draws begins.
    turn
        Between 0 and 1, evenly over the reviews of a product: where the least quantity is no whole number, the next one
        counts in that share of the reviews. Drawn if left out.
    """
    num_draws, num_products, _ = draws.shape
    arriving, latest = draw_arrivals(orders, draws.shape, generator)
    alone = _draw_chance(terms, num_draws, generator)
    chance = alone.after(latest)
    need = find_need(draws, on_hand, arriving, chance, waits=terms.waits, by_day=terms.aim == "cost")
    between = _sum_between(draws, terms.wait, terms.wait + terms.review)
    aims = Aims(terms.aim, terms.service_level, terms.held, terms.out)
    just = find_level(need, aims, None)
    lot = find_lot(between, need.need, just, terms.of_line(), generator)
    least = _find_least(draws, need, alone, aims, just, between, lot, terms, generator)
    turns = np.asarray(generator.random(num_products) if turn is None else turn)
    chosen = round_up_or_down(least, lot, turns)
    least = np.ceil(least - 1e-9)
    quantity, spoils = _keep_fresh(chosen, draws, need, chance, terms, lot.block)
    coming = np.bincount(orders.product, weights=orders.quantity, minlength=num_products)
    whole = need.asked + need.asked_before
    level = np.maximum(on_hand + coming + least, 0.0)
    return Ordered(
        quantity=quantity,
        level=level,
        up_to=level + lot.most_beyond(),
        safety=level - whole.mean(axis=0),
        asked=whole.mean(axis=0),
        high=np.quantile(whole, 0.9, axis=0),
        risk=_risk(need, quantity),
        risk_without=_risk(need, np.zeros(num_products)),
        risk_before=need.out_before.mean(axis=0),
        missing=unserved(need, quantity).mean(axis=0),
        missing_without=unserved(need, np.zeros(num_products)).mean(axis=0),
        spoils=spoils,
        block=lot.block,
        need=need,
    )


def _find_least(
    draws: Float[np.ndarray, "draw product day"],
    need: Need,
    alone: Chance,
    aims: Aims,
    just: Numbers,
    between: Draws,
    lot: Lot,
    terms: Terms,
    generator: np.random.Generator,
) -> Numbers:
    """Give the least quantity: `just` enough, or where orders bring more what keeps the aim over many reviews."""
    packed = np.flatnonzero(~lot.come_alone() & (need.asked.mean(axis=0) > 0))
    if not len(packed):
        return just
    if terms.aim == "pieces":
        least = just.copy()
        least[packed] += _find_shift(
            draws[:, packed], alone.of(packed), aims.of(packed), lot.of(packed), terms.of(packed), generator
        )
        return least
    excess = np.zeros_like(need.need)
    excess[:, packed] = settle_excess(
        need.of(packed),
        aims.of(packed),
        between[:, packed],
        lot.of(packed),
        generator,
        waits=terms.waits,
    )
    return find_level(need, aims, excess)


def _find_shift(
    draws: Float[np.ndarray, "draw product day"],
    alone: Chance,
    aims: Aims,
    lot: Lot,
    terms: Terms,
    generator: np.random.Generator,
) -> Numbers:
    """Find the shift of products by groups that are ordered on the same days."""
    number = draws.shape[1]
    cycle = find_need(draws, np.zeros(number), None, alone, waits=terms.waits)
    least, first, step, allowed = tabulate(cycle, aims, waits=terms.waits)
    shift = np.zeros(number)
    days, place = np.unique(np.stack([terms.wait, terms.review], axis=1), axis=0, return_inverse=True)
    for group, (wait, review) in enumerate(days.tolist()):
        at = np.flatnonzero(place.ravel() == group)
        demand = np.ascontiguousarray(draws[:, at, wait : wait + review].transpose(2, 0, 1))
        packing = Packing(
            demand,
            least[:, at],
            first[at],
            step[at],
            lot.of(at),
            terms.lead[at],
            terms.lead_spread[at],
            allowed[at],
            terms.waits,
        )
        shift[at] = find_shift(packing, generator)
    return shift


def _draw_chance(terms: Terms, num_draws: int, generator: np.random.Generator) -> Chance:
    own = terms.wait + draw_leads(terms.lead, terms.lead_spread, num_draws, generator)
    following = terms.wait + terms.review + draw_leads(terms.lead, terms.lead_spread, num_draws, generator)
    return Chance(own, np.maximum(following, own))


def _sum_between(
    draws: Float[np.ndarray, "draw product day"], first: Int[np.ndarray, " product"], end: Int[np.ndarray, " product"]
) -> Float[np.ndarray, "draw product"]:
    """Add up each product's days from `first` to before `end`, as far as there are any."""
    days = np.arange(draws.shape[2])
    inside = ((days >= first[:, None]) & (days < end[:, None])).astype(np.float32)
    return np.einsum("dpt,pt->dp", draws, inside)


def _risk(need: Need, quantity: Numbers) -> Numbers:
    return (need.out_before | (need.need > quantity)).mean(axis=0)


def _keep_fresh(
    quantity: Numbers,
    draws: Float[np.ndarray, "draw product day"],
    need: Need,
    chance: Chance,
    terms: Terms,
    block: Numbers,
) -> tuple[Numbers, Bool[np.ndarray, " product"]]:
    """Order no more than will probably be sold before it spoils, what lies there already being sold first.

    Days beyond the draws count as their mean day does. Where the smallest allowed quantity is more, none is ordered.
    """
    short = np.flatnonzero(np.isfinite(terms.shelf_life) & (quantity > 0))
    if not len(short):
        return quantity, np.zeros(len(quantity), bool)
    part, num_days = draws[:, short], draws.shape[2]
    first = chance.comes[:, short]
    end = np.minimum(first + terms.shelf_life[short], num_days).astype(np.int32)
    until = np.concatenate([np.zeros((*part.shape[:2], 1), np.float32), part.cumsum(axis=2)], axis=2)
    seen = (
        np.take_along_axis(until, part_of[:, :, None], axis=2)[:, :, 0] for part_of in (end, np.minimum(first, end))
    )
    sold = next(seen) - next(seen)
    beyond = np.maximum(first + terms.shelf_life[short] - num_days, 0.0)
    sold = sold + beyond * part.mean(axis=2) - np.maximum(need.on_shelf[:, short], 0.0)
    most = np.quantile(sold, 1.0 - MOST_SHELF_LIFE, axis=0, method="lower")
    packs = np.floor(np.maximum(most, 0.0) / terms.pack[short]) * terms.pack[short]
    fresh = np.where(packs >= block[short], packs, 0.0)
    cut = quantity.copy()
    cut[short] = np.minimum(quantity[short], fresh)
    return cut, cut < quantity
