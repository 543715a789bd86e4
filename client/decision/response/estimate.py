"""How a shop's sales move with prices and promotions: what was found, for products, categories and the whole shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.decision.response.market import Market
from client.decision.response.pooling import Pooled, pool
from client.decision.response.regression import Fit, fit_response
from common.errors import DataError

LEAST_MOVES = 2  # of a price, from which on a product says anything of it
CATEGORY_SPREAD = 10.0  # a category's own calendar is hardly drawn to anything
SEED = 0


@dataclass(frozen=True)
class Estimate:
    """What was found.

    Attributes
    ----------
    columns
        Of the own columns: "price", "promotion", or both.
    moved
        Products whose price moved often enough to say something.
    promoted
        Products with a promotion.
    wanted
        Places of the products in `pooled.product`.
    offset
        What each product's category says of each day.
    """

    market: Market
    columns: tuple[str, ...]
    moved: int
    promoted: int
    own: Float[np.ndarray, "product day own"]
    offset: Float[np.ndarray, "product day"]
    fit: Fit
    pooled: Pooled
    wanted: Int[np.ndarray, " wanted"]


def estimate_response(market: Market, wanted: Sequence[int] = (), *, seed: int = SEED) -> Estimate:
    """Find the responses.

    Parameters
    ----------
    wanted
        Places of the products whose own response is asked for; all where none is named.

    Raises
    ------
    DataError
        No price ever moved and there was no promotion, so that nothing can be said.
    """
    columns, own, moved, promoted = choose_columns(market)
    offset = category_calendar(market, own)[market.group]
    fit = fit_response(market.units, market.counted, market.controls, own, offset=offset)
    places = np.array(sorted(wanted), int) if len(wanted) else np.arange(len(market.products))
    pooled = pool(fit, market.group, columns, num_categories=len(market.categories), wanted=places, seed=seed)
    return Estimate(market, columns, moved, promoted, own, offset, fit, pooled, places)


def choose_columns(market: Market) -> tuple[tuple[str, ...], Float[np.ndarray, "product day own"], int, int]:
    """Choose which responses can be told apart: to the price, to promotions, or both.

    Where prices moved in promotions alone, the two are one: the response to promotions as they were.
    """
    moves, promoted = market.moves() >= LEAST_MOVES, market.promoted()
    columns = (*(["price"] if moves.any() else []), *(["promotion"] if promoted.any() else []))
    if not columns:
        if np.isfinite(market.prices.by_day).any():
            raise DataError(
                f"No price moved {LEAST_MOVES} times between {market.first} and {market.last}, and no promotion is "
                "known; so nothing can be said of what another price would do. Try one out: hansa-client whatif "
                "--experiment plan.json."
            )
        raise DataError(
            "No price is known of any product, neither told nor paid, and no promotion; so nothing can be said of what "
            "another price would do. Try one out: hansa-client whatif --experiment plan.json."
        )
    parts = {"price": market.log_price(), "promotion": market.promotion * market.counted}
    own = np.stack([parts[name] for name in columns], axis=2)
    return columns, own, int(moves.sum()), int(promoted.sum())


def category_calendar(market: Market, own: Float[np.ndarray, "product day own"]) -> Float[np.ndarray, "category day"]:
    """Give the logarithm of what each category sells on each day by the calendar alone, prices held."""
    number = len(market.categories)
    member = (np.arange(number)[:, None] == market.group[None, :]).astype(float)
    units = member @ np.where(market.counted, market.units, 0.0)
    there = member @ market.counted
    usual = np.where(market.counted, market.units, 0.0).sum(axis=1) / np.maximum(market.counted.sum(axis=1), 1)
    weight = member @ (market.counted * usual[:, None])
    mean = (
        np.stack([member @ (market.counted * usual[:, None] * own[:, :, j]) for j in range(own.shape[2])], axis=2)
        / np.maximum(weight, 1e-9)[:, :, None]
    )
    expected = np.log(np.maximum(weight, 1e-9))
    fit = fit_response(
        units,
        there > 0,
        market.controls,
        mean,
        offset=np.where(there > 0, expected, 0.0),
        control_spread=CATEGORY_SPREAD,
    )
    return np.clip(fit.calendar - np.where(there > 0, expected, fit.calendar), -10.0, 10.0)
