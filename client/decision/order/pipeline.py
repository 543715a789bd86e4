"""What is on its way: on which day each order comes, in each draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.decision.order.lead import remaining_law


@dataclass(frozen=True)
class OnOrder:
    """Orders that have not come yet, the earliest of each product first.

    Attributes
    ----------
    product
        Its place among the products of a batch.
    mean, spread
        Of the lead time, in days.
    elapsed
        Days since it was ordered; where a supplier named a day, since the day that lies the mean lead time before it.
    """

    product: Int[np.ndarray, " order"]
    quantity: Float[np.ndarray, " order"]
    mean: Float[np.ndarray, " order"]
    spread: Float[np.ndarray, " order"]
    elapsed: Int[np.ndarray, " order"]

    def of(self, places: Int[np.ndarray, " place"]) -> OnOrder:
        """Give those of some products, by their place among them."""
        number = {place: each for each, place in enumerate(places.tolist())}
        rows = np.array([row for row, place in enumerate(self.product.tolist()) if place in number], int)
        parts = {name: part[rows] for name, part in vars(self).items()}
        return OnOrder(**{**parts, "product": np.array([number[place] for place in parts["product"].tolist()], int)})


def draw_arrivals(
    orders: OnOrder, shape: tuple[int, int, int], generator: np.random.Generator
) -> tuple[Float[np.ndarray, "draw product day"] | None, Int[np.ndarray, "draw product"]]:
    """Draw when everything on its way comes; of one product no order overtakes another.

    Parameters
    ----------
    shape
        Draws, products and days.

    Returns
    -------
    tuple
        Pieces by draw, product and day, None where nothing is on its way; and the day on which the last of it comes, 0
        where nothing does. What comes after the last day is in neither.
    """
    num_draws, num_products, num_days = shape
    latest = np.zeros((num_draws, num_products), np.int32)
    if not len(orders.product):
        return None, latest
    arriving = np.zeros(shape, np.float32)
    rank = _rank(orders.product)
    for number in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == number)
        product = orders.product[rows]
        days = np.maximum(latest[:, product], _draw_days(orders, rows, num_draws, generator))
        latest[:, product] = days
        inside = days < num_days
        draw, row = np.nonzero(inside)
        np.add.at(arriving, (draw, product[row], days[draw, row]), orders.quantity[rows][row].astype(np.float32))
    return arriving, latest


def _rank(product: Int[np.ndarray, " order"]) -> Int[np.ndarray, " order"]:
    """Count the orders of each product from 0 on, as they stand."""
    order = np.argsort(product, kind="stable")
    starts = np.r_[True, np.diff(product[order]) != 0]
    rank = np.empty(len(product), int)
    rank[order] = np.arange(len(product)) - np.maximum.accumulate(np.where(starts, np.arange(len(product)), 0))
    return rank


def _draw_days(
    orders: OnOrder, rows: Int[np.ndarray, " row"], num_draws: int, generator: np.random.Generator
) -> Int[np.ndarray, "draw row"]:
    levels = (np.argsort(generator.random((num_draws, len(rows))), axis=0) + 0.5) / num_draws
    laws = np.stack([orders.mean[rows], orders.spread[rows], orders.elapsed[rows]], axis=1)
    kinds, place = np.unique(laws, axis=0, return_inverse=True)
    days = np.empty(levels.shape, np.int32)
    for number, (mean, spread, elapsed) in enumerate(kinds):
        law = remaining_law(float(mean), float(spread), int(elapsed))
        those = place.ravel() == number
        days[:, those] = np.minimum(np.searchsorted(np.cumsum(law), levels[:, those]), len(law) - 1)
    return days
