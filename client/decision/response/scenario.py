"""What another price or a promotion would bring: units, revenue and profit, by products, from draws of their response.

Units at the prices as they are come from the shop's own forecast; they are multiplied by the response. Nothing is said
of a price beyond those that were seen: of the product itself, or, as a share of the usual price, of its category where
the product's own never moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.decision.response.estimate import LEAST_MOVES, Estimate
from client.decision.response.market import MOVED
from client.language.speech import mark
from common.errors import ConfigError, DataError

LEVELS = (0.05, 0.95)  # of an interval of 90 %
STEPS = 41  # prices between the lowest and the highest seen
TOLERANCE = 0.005  # of a logarithm, beside the range
OUTER = (0.02, 0.98)  # of a product's days: its lowest and its highest price, beside single odd orders
MOST_LOG = 4.0


@dataclass(frozen=True)
class Change:
    """What is asked.

    Attributes
    ----------
    price
        The new price of one product; None where it is a share.
    factor
        What the price is multiplied by.
    promotion
        Whether it is a promotion, shown as such.
    """

    price: float | None = None
    factor: float = 1.0
    promotion: bool = False


@dataclass(frozen=True)
class Goods:
    """The products that are asked about, and what is known of each.

    Attributes
    ----------
    draws
        Of each product's response.
    usual, now
        Prices: in the middle of the past, and those of its last day without a promotion; NaN where none is known.
    lowest, highest
        Prices that something can be said of.
    borrowed
        Whether the product's own price never moved, so that all that is known of it is its category's.
    units
        That will be sold on the days asked about if nothing changes.
    cost
        Of one piece; NaN where it is not known.
    """

    products: tuple[str, ...]
    draws: Float[np.ndarray, "draw product own"]
    usual: Float[np.ndarray, " product"]
    now: Float[np.ndarray, " product"]
    lowest: Float[np.ndarray, " product"]
    highest: Float[np.ndarray, " product"]
    borrowed: np.ndarray
    units: Float[np.ndarray, " product"]
    cost: Float[np.ndarray, " product"]


@dataclass(frozen=True)
class Amount:
    """A number with its interval of 90 %."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """Draws of what a change brings, of each product.

    Attributes
    ----------
    price
        The new one.
    """

    price: Float[np.ndarray, " product"]
    units: Float[np.ndarray, "draw product"]
    revenue: Float[np.ndarray, "draw product"]
    profit: Float[np.ndarray, "draw product"]


@dataclass(frozen=True)
class Curve:
    """What each price within the range would bring, all products together.

    Attributes
    ----------
    price
        Of one product; a share of the price now where there are several.
    best
        Place of the one that is expected to bring the most profit, or revenue where no cost is known.
    at_edge
        "lowest" or "highest" where the best is the end of what was seen; else "".
    gain
        What the best brings more than now.
    """

    price: Float[np.ndarray, " step"]
    units: tuple[Amount, ...]
    money: tuple[Amount, ...]
    best: int
    best_range: tuple[float, float]
    at_edge: str
    gain: Amount


def summarise(draws: Float[np.ndarray, " draw"]) -> Amount:
    """Give the middle and the interval of 90 %; a mean would follow the few draws of a wild response."""
    low, middle, high = np.quantile(draws, (LEVELS[0], 0.5, LEVELS[1]))
    return Amount(float(middle), float(low), float(high))


def gather(
    estimate: Estimate, products: Sequence[str], categories: Mapping[str, str], units: Mapping[str, float],
    *, cost: float | None = None, cost_share: float | None = None, seed: int = 1,
) -> Goods:  # fmt: skip
    """Gather what is known of some products; one that sold too rarely has its category's response.

    Parameters
    ----------
    categories
        Of the products; "" where there is none.
    units
        That will be sold of each if nothing changes.
    cost, cost_share
        Of one piece, as money or as a share of its price now.
    """
    market, rows = estimate.market, {name: row for row, name in enumerate(estimate.market.products)}
    places = [rows.get(name, -1) for name in products]
    draw = np.random.default_rng(seed)
    logs, moves = market.log_price(), market.moves()
    ranges = [_category_range(estimate, logs, number) for number in range(len(market.categories))]
    whole = (min(each[0] for each in ranges), max(each[1] for each in ranges))
    usual, now = market.usual_price(), market.price_now()
    found = np.full((4, len(products)), np.nan)
    draws, borrowed = [], []
    for place, (name, row) in enumerate(zip(products, places, strict=True)):
        group = _group_of(estimate, categories.get(name, ""), row)
        draws.append(_draws_of(estimate, row, group, draw))
        own_moves = row >= 0 and bool(moves[row] >= LEAST_MOVES)
        low, high = ranges[group] if group >= 0 else whole
        if own_moves:
            own_low, own_high = np.quantile(logs[row][market.counted[row]], OUTER).tolist()
            own_moves = own_high - own_low > MOVED  # else single odd orders moved it
            low, high = (own_low, own_high) if own_moves else (low, high)
        borrowed.append(not own_moves)
        if row >= 0:
            found[:, place] = usual[row], now[row], usual[row] * np.exp(low), usual[row] * np.exp(high)
    usual_of, now_of, lowest, highest = found
    lowest, highest = np.fmin(lowest, now_of), np.fmax(highest, now_of)
    each = np.full(len(products), np.nan)
    if cost is not None or cost_share is not None:
        each = np.full(len(products), cost) if cost is not None else now_of * float(cost_share or 0.0)
    base = np.array([units.get(name, 0.0) for name in products])
    return Goods(
        tuple(products), np.stack(draws, axis=1), usual_of, now_of, lowest, highest, np.array(borrowed), base, each
    )


def _group_of(estimate: Estimate, category: str, row: int) -> int:
    if row >= 0:
        return int(estimate.market.group[row])
    names = estimate.market.categories
    return names.index(category) if category in names else -1


def _draws_of(estimate: Estimate, row: int, group: int, draw: np.random.Generator) -> np.ndarray:
    pooled = estimate.pooled
    where = np.flatnonzero(estimate.wanted == row) if row >= 0 else np.zeros(0, int)
    if len(where):
        return pooled.product[:, int(where[0])].astype(float)
    centre = pooled.category[:, group] if group >= 0 else pooled.shop
    return centre + pooled.spread * draw.standard_normal(centre.shape)


def _category_range(estimate: Estimate, logs: Float[np.ndarray, "product day"], group: int) -> tuple[float, float]:
    """Give the range of an ordinary product of a category whose price moved, as logarithms over the usual price."""
    market = estimate.market
    own = np.flatnonzero((market.group == group) & (market.moves() >= LEAST_MOVES))
    if not len(own):
        return 0.0, 0.0
    ranges = [np.quantile(logs[row][market.counted[row]], OUTER) for row in own]
    low, high = np.median(ranges, axis=0)
    return float(low), float(high)


def new_prices(goods: Goods, change: Change) -> Float[np.ndarray, " product"]:
    """Give the price of each product after the change."""
    return np.full(len(goods.products), change.price) if change.price is not None else goods.now * change.factor


def require_seen(goods: Goods, change: Change, columns: Sequence[str]) -> None:
    """Refuse what nothing was ever seen of.

    Raises
    ------
    ConfigError
        The price lies beyond those that were seen.
    DataError
        Prices hardly moved outside promotions.
    """
    if "price" not in columns:
        if not change.promotion:
            raise DataError(
                "No price moved twice or more outside promotions, so what a lasting price would do cannot be told; "
                "ask for a promotion with --discount, or try prices out: hansa-client whatif --experiment plan.json."
            )
        return
    if change.price is None and change.factor == 1.0:
        return
    price = new_prices(goods, change)
    for row, name in enumerate(goods.products):
        low, high = goods.lowest[row], goods.highest[row]
        if np.isfinite(low) and not np.log(low) - TOLERANCE <= np.log(price[row]) <= np.log(high) + TOLERANCE:
            whose = f"of {name}" if not goods.borrowed[row] else f"like those of {name}"
            if len(goods.products) == 1:
                raise ConfigError(
                    f"Prices {whose} were only seen between {low:.2f} and {high:.2f}; at {price[row]:.2f} nothing can "
                    "be said. Ask for one within, or try it out: hansa-client whatif --experiment plan.json."
                )


def beyond(goods: Goods, change: Change) -> Int[np.ndarray, " beyond"]:
    """Give the places of the products whose new price lies beyond those seen, or that have no price."""
    price = np.log(new_prices(goods, change))
    inside = (price >= np.log(goods.lowest) - TOLERANCE) & (price <= np.log(goods.highest) + TOLERANCE)
    return np.flatnonzero(~inside)


def play(goods: Goods, change: Change, columns: Sequence[str]) -> Outcome:
    """Give draws of what a change brings."""
    price = new_prices(goods, change)
    logs = np.log(price / goods.now)
    move = {"price": np.nan_to_num(logs), "promotion": np.full(len(price), float(change.promotion))}
    response = sum(goods.draws[:, :, j] * move[name] for j, name in enumerate(columns))
    units = goods.units * np.exp(np.clip(response, -MOST_LOG, MOST_LOG))
    return Outcome(price, units, units * price, units * (price - goods.cost))


def draw_curve(goods: Goods, columns: Sequence[str]) -> Curve | None:
    """Give what each price within the range brings; None where prices never moved, or none is known."""
    known = np.isfinite(goods.now) & np.isfinite(goods.lowest)
    if "price" not in columns or not known.any():
        return None
    single = len(goods.products) == 1
    low, high = np.log(goods.lowest / goods.now)[known], np.log(goods.highest / goods.now)[known]
    first, last = (float(low[0]), float(high[0])) if single else (float(np.median(low)), float(np.median(high)))
    if last - first < TOLERANCE:
        return None
    factors = np.exp(np.linspace(first, last, STEPS))
    outcomes = [play(goods, Change(factor=float(factor)), columns) for factor in (*factors, 1.0)]
    has_cost = bool(np.isfinite(goods.cost[known]).all())
    money = [(each.profit if has_cost else each.revenue)[:, known].sum(axis=1) for each in outcomes]
    best = int(np.argmax([np.median(draws) for draws in money[:-1]]))
    each_best = np.stack(money[:-1], axis=1).argmax(axis=1)
    shown = factors * goods.now[0] if single else factors
    return Curve(
        price=shown,
        units=tuple(summarise(each.units[:, known].sum(axis=1)) for each in outcomes[:-1]),
        money=tuple(summarise(draws) for draws in money[:-1]),
        best=best,
        best_range=tuple(shown[np.quantile(each_best, LEVELS).astype(int)]),
        at_edge=mark("lowest") if best == 0 else mark("highest") if best == STEPS - 1 else "",
        gain=summarise(money[best] - money[-1]),
    )
