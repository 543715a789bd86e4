"""Shares of the methods, by several past horizons."""

import numpy as np

from client.shop.forecast.weight import SHARES, mix, weigh

SIMPLE = ("weekday_mean", "moving_average")


def _horizons(level: float, *, seed: int, origins: int = 3, products: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    mean = level * generator.gamma(4.0, 0.25, (origins, products, 28))
    return mean, generator.poisson(mean).astype(float)


def test_what_knows_the_mean_gets_nearly_all_and_what_is_far_off_nearly_nothing() -> None:
    mean, actual = _horizons(8.0, seed=0)
    ahead = np.ones((1, *mean.shape[1:]))
    means = {"anchor": np.concatenate([mean, ahead]), "weekday_mean": np.concatenate([3 * mean[:, ::-1], ahead])}
    found = weigh(means, actual, np.ones(actual.shape, bool), SIMPLE)
    assert found.weights["anchor"] > 0.9
    assert abs(sum(found.weights.values()) - 1) < 1e-9
    assert found.reason == ""


def test_an_average_that_is_worse_than_a_simple_method_beyond_chance_is_not_served() -> None:
    """Each horizon has another learned method that fits: the others mislead, and the simple one is steady."""
    mean, actual = _horizons(8.0, seed=1, origins=4)
    lucky, unlucky = mean.copy(), mean.copy()
    lucky[::2] *= 8.0
    unlucky[1::2] *= 8.0
    ahead = np.ones((1, *mean.shape[1:]))
    means = {"weekday_mean": mean * 1.02, "lightgbm": lucky, "warm": unlucky}
    found = weigh(
        {name: np.concatenate([said, ahead]) for name, said in means.items()},
        actual,
        np.ones(actual.shape, bool),
        SIMPLE,
    )
    best = min(found.losses["weekday_mean"], found.losses["average"])
    assert found.losses["average"] <= 1.05 * best or found.weights["weekday_mean"] == 1.0


def test_without_a_past_every_method_has_its_usual_share() -> None:
    nothing = np.zeros((0, 2, 28))
    means = {name: np.ones((1, 2, 28)) for name in ("anchor", "weekday_mean", "lightgbm")}
    weights = weigh(means, nothing, nothing > 0, SIMPLE).weights
    assert np.isclose(weights["lightgbm"], SHARES["lightgbm"] * weights["anchor"])
    assert np.allclose(mix(means, weights), 1.0)


def test_one_product_is_weighed_too_and_no_method_serves_because_it_comes_first() -> None:
    mean, actual = _horizons(5.0, seed=2, products=1)
    ahead = np.ones((1, *mean.shape[1:]))
    means = {"seasonal_naive": np.concatenate([4 * mean, ahead]), "anchor": np.concatenate([mean, ahead])}
    assert weigh(means, actual, np.ones(actual.shape, bool), ()).weights["anchor"] > 0.75
