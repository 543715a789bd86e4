"""Pooling: a product with little of its own goes by its category, one with much by itself."""

import numpy as np

from client.decision.response.pooling import pool
from client.decision.response.regression import Fit


def make_fit(estimate: np.ndarray, error: np.ndarray) -> Fit:
    number, own = estimate.shape
    covariance = error[:, :, None] * error[:, None, :] * np.eye(own)
    influence = np.random.default_rng(0).standard_normal((number, 100, own)) * error[:, None] / 10
    days = np.zeros((number, 1))
    return Fit(estimate, covariance, influence, np.full(number, 50.0), days, days)


def test_little_of_ones_own_goes_by_the_category_and_much_by_itself() -> None:
    draw = np.random.default_rng(1)
    estimate = np.concatenate([-2.0 + 0.1 * draw.standard_normal(30), [4.0, -1.0]])[:, None]
    error = np.concatenate([np.full(30, 0.1), [5.0, 0.02]])[:, None]
    pooled = pool(
        make_fit(estimate, error), np.zeros(32, int), ("price",), num_categories=1, wanted=np.array([30, 31]), seed=1
    )
    vague, sharp = pooled.product[:, 0, 0], pooled.product[:, 1, 0]
    assert abs(np.median(vague) + 2.0) < 0.15
    assert abs(np.median(sharp) + 1.0) < 0.05


def test_a_category_without_any_product_that_moved_goes_by_the_shop_and_is_wider() -> None:
    draw = np.random.default_rng(2)
    estimate = np.concatenate([-1.5 + 0.2 * draw.standard_normal(40), np.zeros(5)])[:, None]
    error = np.concatenate([np.full(40, 0.1), np.full(5, 20.0)])[:, None]
    group = np.concatenate([np.arange(40) % 4, np.full(5, 4)])
    pooled = pool(make_fit(estimate, error), group, ("price",), num_categories=5, wanted=np.array([0]), seed=1)
    assert abs(np.median(pooled.category[:, 4, 0]) + 1.5) < 0.2
    assert pooled.category[:, 4, 0].std() > 1.5 * pooled.category[:, 0, 0].std()


def test_the_spread_between_products_is_found() -> None:
    draw = np.random.default_rng(3)
    truth = -1.5 + 0.6 * draw.standard_normal(120)
    estimate = (truth + 0.2 * draw.standard_normal(120))[:, None]
    pooled = pool(
        make_fit(estimate, np.full((120, 1), 0.2)),
        np.zeros(120, int),
        ("price",),
        num_categories=1,
        wanted=np.arange(120),
        seed=1,
    )
    assert 0.5 < np.median(pooled.spread) < 0.7
    low, high = np.quantile(pooled.product[:, :, 0], (0.05, 0.95), axis=0)
    assert 0.8 < ((low <= truth) & (truth <= high)).mean() <= 0.98


def test_two_columns_are_pooled_together() -> None:
    draw = np.random.default_rng(4)
    truth = np.array([-1.5, 0.4]) + 0.2 * draw.standard_normal((40, 2))
    pooled = pool(
        make_fit(truth, np.full((40, 2), 0.15)),
        np.arange(40) % 2,
        ("price", "promotion"),
        num_categories=2,
        wanted=np.arange(3),
        seed=1,
    )
    assert np.allclose(np.median(pooled.category, axis=0), [[-1.5, 0.4]] * 2, atol=0.15)
