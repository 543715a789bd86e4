"""What a shop's products say together: shop → category → product, each drawn towards what it belongs to.

    estimate of a product = its own response + what its category's weeks had in common + chance
    own response ~ N(category's, T),   category's ~ N(shop's, O),   shop's ~ N(what shops are like, wide)

All of it is drawn from its joint posterior by Gibbs sampling, so that an interval knows that the spreads T and O are
themselves known only so far; a product with little of its own gets its category's response, and the interval of one
product of that category.

References
----------
Gelman & Hill 2007, chapters 12 and 13; half-normal priors of the spreads: Gelman 2006, Bayesian Analysis 1:515.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from client.decision.response.regression import Fit, sum_lags

DRAWS, WARM_UP = 1500, 300
MOST_TOGETHER = 800  # products that spreads are found on, those that say most
GRID = np.geomspace(0.01, 3.0, 36)  # of a spread
SHOP_MEAN = {"price": -1.5, "promotion": 0.3}  # what shops are like: wide enough to count for little
SHOP_SPREAD = {"price": 2.0, "promotion": 1.0}
SPREAD_SCALE = {"price": 0.75, "promotion": 0.5}


@dataclass(frozen=True)
class Pooled:
    """Draws of everybody's response, all of one draw belonging together.

    Attributes
    ----------
    columns
        "price" (elasticity: what 1 % more on the price does, in per cent) and "promotion" (logarithm of the factor).
    product, category, shop
        Draws; a category's is the mean response of products like its own.
    spread
        Between products of a category.
    """

    columns: tuple[str, ...]
    product: Float[np.ndarray, "draw product own"]
    category: Float[np.ndarray, "draw category own"]
    shop: Float[np.ndarray, "draw own"]
    spread: Float[np.ndarray, "draw own"]


@dataclass
class _State:
    """Where the sampler stands."""

    category: np.ndarray
    shop: np.ndarray
    common: np.ndarray
    within: np.ndarray  # spread of products in a category
    between: np.ndarray  # spread of categories


def pool(
    fit: Fit,
    group: Int[np.ndarray, " product"],
    columns: Sequence[str],
    *,
    num_categories: int,
    wanted: Int[np.ndarray, " wanted"],
    seed: int,
) -> Pooled:
    """Draw the responses of categories, the shop, and of the products that are wanted.

    Parameters
    ----------
    group
        Place of each product's category.
    wanted
        Places of products.
    """
    draw = np.random.default_rng(seed)
    order = np.argsort(np.trace(fit.covariance, axis1=1, axis2=2), kind="stable")[:MOST_TOGETHER]
    estimate, variance, place = fit.coefficient[order], fit.covariance[order], group[order]
    shared = _common_variance(fit, group, num_categories)
    prior = tuple(np.array([table[name] for name in columns]) for table in (SHOP_MEAN, SHOP_SPREAD, SPREAD_SCALE))
    state = _begin(prior, num_categories)
    kept: list[tuple[np.ndarray, ...]] = []
    for step in range(WARM_UP + DRAWS):
        _step(state, estimate, variance, place, shared, prior, draw)
        if step >= WARM_UP:
            kept.append((state.category.copy(), state.shop.copy(), state.within.copy(), state.common.copy()))
    category, shop, within, common = (np.stack(each) for each in zip(*kept, strict=True))
    mine = fit.coefficient[wanted], np.linalg.inv(fit.covariance[wanted]), group[wanted]
    product = _draw_products(*mine, category, within, common, draw)
    return Pooled(tuple(columns), product, category, shop, within)


def _begin(prior: tuple[np.ndarray, ...], num_categories: int) -> _State:
    mean, _, scale = prior
    flat = np.tile(mean, (num_categories, 1))
    return _State(flat, mean.copy(), np.zeros_like(flat), scale / 2, scale / 2)


def _common_variance(fit: Fit, group: Int[np.ndarray, " product"], number: int) -> np.ndarray:
    """Give how much more a category's mean varies than if its products' weeks had nothing in common."""
    found = np.zeros((number, fit.coefficient.shape[1], fit.coefficient.shape[1]))
    weight = 1.0 / (np.einsum("pjj->pj", fit.covariance) + 0.25)
    for place in range(number):
        own = group == place
        if own.sum() < 2:
            continue
        share = weight[own] / weight[own].sum(axis=0)
        apart = np.einsum("pj,pjk,pk->jk", share, fit.covariance[own], share)
        more = np.maximum(togetherness(fit.influence[own], share) - 1.0, 0.0)
        found[place] = np.diag(more * np.diag(apart))
    return found


def togetherness(
    influence: Float[np.ndarray, "product week own"], share: Float[np.ndarray, "product own"]
) -> Float[np.ndarray, " own"]:
    """Give the variance of a weighted mean over what it were if products' weeks had nothing in common."""
    together = np.einsum("jj->j", sum_lags(np.einsum("pwj,pj->wj", influence, share)[None])[0])
    apart = np.einsum("pjj,pj->j", sum_lags(influence), share**2)
    return together / np.maximum(apart, 1e-300)


def _step(
    state: _State,
    estimate: np.ndarray,
    variance: np.ndarray,
    place: np.ndarray,
    shared: np.ndarray,
    prior: tuple[np.ndarray, ...],
    draw: np.random.Generator,
) -> None:
    """Take one step: spread of products, categories, what they have in common, spread of categories, shop."""
    mean, wide, scale = prior
    free = estimate - state.common[place]
    for column in range(len(mean)):
        state.within = _draw_within(state, free - state.category[place], variance, column, scale, draw)
    precision = np.linalg.inv(variance + np.diag(state.within**2))
    amount = _sum_by(precision, place, len(state.category))
    pull = _sum_by(np.einsum("pjk,pk->pj", precision, free), place, len(state.category))
    own = np.diag(state.between**-2.0)
    state.category = _draw_normal(amount + own, pull + state.shop * state.between**-2.0, draw)
    told = np.einsum("pjk,pk->pj", precision, estimate - state.category[place])
    known = np.linalg.inv(shared + 1e-8 * np.eye(len(mean)))
    state.common = _draw_normal(amount + known, _sum_by(told, place, len(state.category)), draw)
    away = ((state.category - state.shop) ** 2).sum(axis=0)
    state.between = _draw_spread(away, len(state.category), scale, draw)
    precise = len(state.category) * state.between**-2.0 + wide**-2.0
    centre = (state.category.sum(axis=0) * state.between**-2.0 + mean * wide**-2.0) / precise
    state.shop = centre + draw.standard_normal(len(mean)) / np.sqrt(precise)


def _sum_by(values: np.ndarray, place: np.ndarray, number: int) -> np.ndarray:
    total = np.zeros((number, *values.shape[1:]))
    np.add.at(total, place, values)
    return total


def _draw_normal(precision: np.ndarray, pull: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Draw from normal distributions of these precisions."""
    covariance = np.linalg.inv(precision)
    root = np.linalg.cholesky((covariance + np.swapaxes(covariance, 1, 2)) / 2)
    mean = np.einsum("cjk,ck->cj", covariance, pull)
    return mean + np.einsum("cjk,ck->cj", root, draw.standard_normal(mean.shape))


def _draw_within(
    state: _State,
    away: np.ndarray,
    variance: np.ndarray,
    column: int,
    scale: np.ndarray,
    draw: np.random.Generator,
) -> np.ndarray:
    """Draw the spread of products in one column from its posterior on a grid, the products' own responses out of it."""
    matrix = variance[None] + np.diag(state.within**2)
    matrix = np.repeat(matrix, len(GRID), axis=0)
    matrix[:, :, column, column] += (GRID**2 - state.within[column] ** 2)[:, None]
    determinant, square = _normal_parts(matrix, away)
    chance = -0.5 * (np.log(determinant) + square).sum(axis=1) - 0.5 * (GRID / scale[column]) ** 2 + np.log(GRID)
    found = state.within.copy()
    found[column] = _pick(chance, draw)
    return found


def _normal_parts(matrix: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give determinants and squared lengths for matrices of one or two columns."""
    if matrix.shape[-1] == 1:
        determinant = matrix[..., 0, 0]
        return determinant, away[:, 0] ** 2 / determinant
    a, b, c = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 1]
    determinant = np.maximum(a * c - b**2, 1e-12)
    x, y = away[:, 0], away[:, 1]
    return determinant, (c * x**2 - 2 * b * x * y + a * y**2) / determinant


def _draw_spread(square: np.ndarray, number: int, scale: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Draw the spread of so many known values in each column, on the grid."""
    chance = -number * np.log(GRID) - 0.5 * square[:, None] / GRID**2 - 0.5 * (GRID / scale[:, None]) ** 2
    return np.array([_pick(row + np.log(GRID), draw) for row in chance])


def _pick(logs: np.ndarray, draw: np.random.Generator) -> float:
    """Pick a value of the grid; it is even in the logarithm, so its widths are in `logs` already."""
    share = np.cumsum(np.exp(logs - logs.max()))
    return float(GRID[min(int(np.searchsorted(share, draw.random() * share[-1])), len(GRID) - 1)])


def _draw_products(
    estimate: np.ndarray,
    known: np.ndarray,
    group: np.ndarray,
    category: np.ndarray,
    within: np.ndarray,
    common: np.ndarray,
    draw: np.random.Generator,
) -> np.ndarray:
    """Draw each product's own response given its category's, draw by draw."""
    found = np.empty((len(within), *estimate.shape), np.float32)
    for step, spread in enumerate(within):
        own = spread**-2.0
        free = np.einsum("pjk,pk->pj", known, estimate - common[step][group])
        found[step] = _draw_normal(known + np.diag(own), free + category[step][group] * own, draw)
    return found
