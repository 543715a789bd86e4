"""Compare methods by what they cost where they serve the same share of demand.

A method that keeps less stock costs less and serves less, so costs alone say nothing. Each method is lived through at
many service levels; what it costs where it reaches a wanted share of demand is read off between two of them. Intervals
are of other products and other weeks: products are drawn anew, and weeks in blocks, since a cold spring lasts.

References
----------
B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 8 (blocks) and 13 (percentile interval).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.decision.stock.cost import StockCosts
from client.decision.stock.shelf import Flow
from common.forecast.gain import CONFIDENCE, FEWEST_ENTITIES

BLOCK_CYCLES = 4  # that are drawn together
PARTS = ("holding", "lost", "ordering")
FEWEST_BLOCKS = 5  # with fewer weeks are not drawn: the interval is of other products alone


@dataclass(frozen=True)
class Ledger:
    """What one method costs and serves, at every service level, by product and block of weeks.

    Attributes
    ----------
    cost
        Of each of `PARTS`.
    """

    cost: Float[np.ndarray, "part level product block"]
    served: Float[np.ndarray, "level product block"]
    wanted: Float[np.ndarray, "product block"]
    held: Float[np.ndarray, "level product block"]
    days: int

    def select(self, products: np.ndarray) -> Ledger:
        """Keep some products."""
        return Ledger(
            self.cost[:, :, products],
            self.served[:, products],
            self.wanted[products],
            self.held[:, products],
            self.days,
        )


@dataclass(frozen=True)
class Point:
    """One method where it serves the wanted share of demand.

    Attributes
    ----------
    cost
        A month of 30 days, in the costs' money; the sum of `parts`.
    parts
        What of it is holding, lost margin, and ordering.
    stock_days
        Pieces on the shelf over an average night, in days of average sales.
    service_level
        That it had to be asked for.
    """

    cost: float
    parts: dict[str, float]
    stock_days: float
    service_level: float


@dataclass(frozen=True)
class Saving:
    """By how much one method is cheaper than another that serves the same share of demand.

    Attributes
    ----------
    amount
        A month of 30 days, in the costs' money.
    share
        Of the other's cost.
    stock_share
        Of the other's pieces on the shelf.
    low, high, share_low, share_high, stock_low, stock_high
        95 % intervals; absent where there are too few products for one.
    """

    amount: float
    share: float
    stock_share: float
    low: float | None
    high: float | None
    share_low: float | None
    share_high: float | None
    stock_low: float | None
    stock_high: float | None

    @property
    def verdict(self) -> str:
        """Cheaper or dearer where the whole interval says so, unclear otherwise."""
        if self.share_low is None or self.share_high is None:
            return "unclear"
        return "cheaper" if self.share_low > 0 else "dearer" if self.share_high < 0 else "unclear"


def keep_ledger(flow: Flow, costs: StockCosts, *, cycle_days: int) -> Ledger:
    """Write down what a flow cost.

    Parameters
    ----------
    flow
        Its only leading axis is that of service levels.
    """
    lost = flow.wanted - flow.served
    per_day, per_piece = (np.asarray(part, float) for part in (costs.holding_per_unit_day, costs.lost_margin_per_unit))
    cost = np.stack([flow.held * _spread(per_day), lost * _spread(per_piece), flow.orders * costs.per_order])
    days = flow.wanted.shape[1] * cycle_days
    return Ledger(_block(cost), _block(flow.served), _block(flow.wanted), _block(flow.held), days)


def _spread(per_product: np.ndarray) -> np.ndarray:
    return per_product[:, None] if per_product.ndim else per_product


def _block(values: np.ndarray) -> np.ndarray:
    """Add cycles up to blocks; what does not fill one goes to the last."""
    blocks = max(values.shape[-1] // BLOCK_CYCLES, 1)
    return np.add.reduceat(values, np.arange(blocks) * BLOCK_CYCLES, axis=-1)


def read_point(ledger: Ledger, levels: Sequence[float], *, fill_rate: float) -> Point | None:
    """Give what a method costs where it serves `fill_rate` of demand; None where it never does."""
    products, blocks = ledger.wanted.shape
    totals = _totals(ledger, np.ones((1, products)), np.ones((1, blocks)))
    found = _read_off(totals, fill_rate)[0]
    if not np.isfinite(found[0]):
        return None
    month = 30 / ledger.days
    level = _read_off(_with(totals, np.broadcast_to(np.array(levels), totals.fill.shape)), fill_rate)[0, -1]
    parts = dict(zip(PARTS, (found[: len(PARTS)] * month).tolist(), strict=True))
    sales = ledger.wanted.sum()
    return Point(sum(parts.values()), parts, float(found[len(PARTS)] / sales), float(level))


def measure_saving(
    ours: Ledger, other: Ledger, *, fill_rate: float, resamples: int, generator: np.random.Generator
) -> Saving | None:
    """Compare two methods where both serve `fill_rate` of demand; None where one never does."""
    amount, share, stock = _savings(ours, other, *_everyone(ours), fill_rate)[0]
    if not np.isfinite(amount):
        return None
    ends: list[tuple[float | None, float | None]] = [(None, None)] * 3
    if len(ours.wanted) >= FEWEST_ENTITIES and resamples > 0:
        drawn = _savings(ours, other, *_draw(ours, resamples, generator), fill_rate)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(drawn, (tail, 1 - tail), axis=0)
        ends = list(zip(low.tolist(), high.tolist(), strict=True))
    return Saving(float(amount), float(share), float(stock), *ends[0], *ends[1], *ends[2])


@dataclass(frozen=True)
class _Totals:
    fill: Float[np.ndarray, "draw level"]
    values: Float[np.ndarray, "draw value level"]


def _with(totals: _Totals, more: np.ndarray) -> _Totals:
    return _Totals(totals.fill, np.concatenate([totals.values, more[:, None]], axis=1))


def _everyone(ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    products, blocks = ledger.wanted.shape
    return np.ones((1, products)), np.ones((1, blocks))


def _draw(ledger: Ledger, resamples: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw how often each product, and each block of weeks, is in each resample."""
    products, blocks = ledger.wanted.shape

    def count(number: int) -> np.ndarray:
        return generator.multinomial(number, np.full(number, 1 / number), size=resamples).astype(float)

    return count(products), count(blocks) if blocks >= FEWEST_BLOCKS else np.ones((resamples, blocks))


def _savings(
    ours: Ledger, other: Ledger, products: Float[np.ndarray, "draw product"], blocks: np.ndarray, fill_rate: float
) -> Float[np.ndarray, "draw 3"]:
    """Give the amount a month, its share, and the share of stock that are saved in each draw."""
    found = [_read_off(_totals(ledger, products, blocks), fill_rate) for ledger in (ours, other)]
    mine, theirs = (part[:, : len(PARTS)].sum(axis=1) for part in found)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - mine / theirs
        stock = 1 - found[0][:, len(PARTS)] / found[1][:, len(PARTS)]
    days = ours.days * blocks.sum(axis=1) / blocks.shape[1]
    return np.stack([(theirs - mine) * 30 / days, share, stock], axis=1)


def _totals(ledger: Ledger, products: Float[np.ndarray, "draw product"], blocks: np.ndarray) -> _Totals:
    """Add up over products and blocks, each as often as it was drawn."""
    parts = np.concatenate([ledger.cost, ledger.held[None], ledger.served[None]])

    def add(values: np.ndarray) -> np.ndarray:
        by_block = np.tensordot(products, values, axes=(1, values.ndim - 2))  # draw, …, block
        return np.einsum("d...b,db->d...", by_block, blocks)

    summed, wanted = add(parts), add(ledger.wanted)
    return _Totals(np.maximum.accumulate(summed[:, -1] / wanted[:, None], axis=1), summed[:, :-1])


def _read_off(totals: _Totals, fill_rate: float) -> Float[np.ndarray, "draw value"]:
    """Read values off where the share served is reached, along a straight line between two levels; NaN outside."""
    reached = totals.fill >= fill_rate
    after: Int[np.ndarray, " draw"] = reached.argmax(axis=1)
    inside = reached.any(axis=1) & (after > 0)
    before, place = np.maximum(after - 1, 0), np.arange(len(after))
    low, high = totals.fill[place, before], totals.fill[place, after]
    share = np.where(high > low, (fill_rate - low) / np.where(high > low, high - low, 1.0), 1.0)[:, None]
    values = totals.values
    found = values[place, :, before] * (1 - share) + values[place, :, after] * share
    result: np.ndarray = np.where(inside[:, None], found, np.nan)
    return result


def classify(demand: Float[np.ndarray, " product"], cuts: Mapping[str, float]) -> np.ndarray:
    """Name each product's class by the share of all demand that it and all greater ones make up.

    Parameters
    ----------
    demand
        Of each product before the first review, in money where prices are known.
    cuts
        Class → the share below which greater ones together may be, rising to 1.
    """
    order = np.argsort(-demand, kind="stable")
    before = np.cumsum(demand[order]) - demand[order]
    names, ends = np.array(list(cuts)), np.array(list(cuts.values()))
    found = np.empty(len(demand), dtype=names.dtype)
    found[order] = names[
        np.minimum(np.searchsorted(ends, before / max(demand.sum(), 1e-12), side="right"), len(ends) - 1)
    ]
    return found
