"""Order what a batch of products needs, and cut all batches together to one budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from zlib import crc32

import numpy as np
from jaxtyping import Bool, Float, Int

from client.decision.order.budget import fit_budget
from client.decision.order.gathering import Gathered
from client.decision.order.need import Need
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Ordered, Terms, propose

GOLDEN = (5**0.5 - 1) / 2  # whose multiples are spread over [0, 1) the most evenly, every how many days ever


@dataclass(frozen=True)
class Part:
    """What a batch of products needs.

    Attributes
    ----------
    places
        Of the products among those that were gathered.
    dead
        Pieces on hand beyond all that is expected to be sold for long.
    ended
        Whether it seems to be sold no longer, so that none is ordered.
    """

    places: Int[np.ndarray, " product"]
    ordered: Ordered
    terms: Terms
    dead: Float[np.ndarray, " product"]
    ended: Bool[np.ndarray, " product"]


def order_batch(
    known: Gathered,
    places: Int[np.ndarray, " product"],
    draws: Float[np.ndarray, "draw product day"],
    sells: Float[np.ndarray, " product"],
    generator: np.random.Generator,
) -> Part:
    """Propose for a batch; of what nothing tells how many there are, up to how many to fill up.

    Parameters
    ----------
    sells
        What is expected to be sold for so long that the rest is dead.
    """
    terms, hand = known.terms.of(places), np.nan_to_num(known.on_hand[places])
    needed = terms.days()
    if draws.shape[2] < needed:
        draws = np.concatenate([draws, draws[:, :, -(needed - draws.shape[2]) :]], axis=2)
    turn = np.array([_turn(known.products[place], known.order_day[place]) for place in places])
    ordered = propose(draws[:, :, :needed], hand, known.orders.of(places), terms, generator, turn=turn)
    uncounted = np.flatnonzero(np.isnan(known.on_hand[places]))
    if len(uncounted) and not terms.waits:
        ordered = _fill_up(
            ordered, uncounted, draws[:, :, :needed], known.orders.of(places[uncounted]), terms, generator
        )
    return Part(places, ordered, terms, np.maximum(hand - sells, 0.0), np.zeros(len(places), bool))


def _fill_up(
    ordered: Ordered,
    places: np.ndarray,
    draws: np.ndarray,
    orders: OnOrder,
    terms: Terms,
    generator: np.random.Generator,
) -> Ordered:
    """Give levels that serve what is asked for before the goods come, too.

    From an empty shelf those sales are lost and need no pieces; a shelf that is filled up to its level serves them.
    """
    waiting = replace(terms.of(places), waits=True)
    filled = propose(draws[:, places], np.zeros(len(places)), orders, waiting, generator)
    level, up_to, safety = ordered.level.copy(), ordered.up_to.copy(), ordered.safety.copy()
    level[places], up_to[places], safety[places] = filled.level, filled.up_to, filled.safety
    return replace(ordered, level=level, up_to=up_to, safety=safety)


def order_no_more(part: Part, ended: np.ndarray) -> Part:
    """Order none of what is sold no longer, however large its last customers were."""
    ordered = part.ordered
    fewer = replace(
        ordered,
        quantity=np.where(ended, 0.0, ordered.quantity),
        level=np.where(ended, 0.0, ordered.level),
        up_to=np.where(ended, 0.0, ordered.up_to),
        safety=np.where(ended, 0.0, ordered.safety),
    )
    return replace(part, ordered=fewer, ended=ended)


def _turn(product: str, day: date) -> float:
    """Give a number between 0 and 1 that is evenly spread over days, and the same whenever this order is asked for."""
    return (crc32(product.encode()) / 2**32 + day.toordinal() * GOLDEN) % 1.0


def fit_all(found: Sequence[Part], known: Gathered, budget: float | None) -> list[np.ndarray]:
    """Cut all batches together to one budget."""
    wanted = [np.where(np.isfinite(known.on_hand[part.places]), part.ordered.quantity, 0.0) for part in found]
    if budget is None:
        return wanted
    join = np.concatenate
    needs = [part.ordered.need for part in found]
    need = Need(
        join([each.need for each in needs], axis=1),
        join([each.asked for each in needs], axis=1),
        join([each.on_shelf for each in needs], axis=1),
        join([each.out_before for each in needs], axis=1),
        join([each.asked_before for each in needs], axis=1),
    )
    block = join([part.ordered.block for part in found])
    places = np.concatenate([part.places for part in found])
    fitted = fit_budget(join(wanted), need, block, known.terms.of(places), known.unit_cost[places], budget)
    return np.split(fitted, np.cumsum([len(part.places) for part in found])[:-1])
