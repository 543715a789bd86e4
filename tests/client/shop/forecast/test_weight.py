"""Shares of the methods, by several past horizons."""

import numpy as np

from client.shop.forecast.weight import SHARES, is_astray, mix, weigh, weigh_joined

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


def _joined(factor: float, *, silent: int, good: bool = True) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Own methods, and a model that says `factor` of the mean where they are far from it, or of other days' mean.

    Of the last `silent` horizons the model says nothing.
    """
    mean, actual = _horizons(8.0, seed=3)
    generator = np.random.default_rng(4)
    ahead = np.ones((1, *mean.shape[1:]))
    shape = 4.0 if good else 100.0
    near = [mean * generator.gamma(shape, 1 / shape, mean.shape) for _ in range(2)]
    said = factor * (mean if good else mean[:, ::-1, ::-1])
    said[len(said) - silent :] = np.nan
    means = {"anchor": near[0], "weekday_mean": near[1], "federated": said}
    return {name: np.concatenate([past, ahead]) for name, past in means.items()}, actual


def test_what_a_federation_released_is_heard_where_it_knows_better_and_by_what_it_may_speak_of_alone() -> None:
    for silent in (0, 2):
        means, actual = _joined(1.0, silent=silent)
        found = weigh_joined(means, actual, np.ones(actual.shape, bool), SIMPLE, joined="federated")
        assert found.weights["federated"] > 0.3, "where it began with an eighth"
        assert found.losses["federated"] < found.losses["alone"]


def test_what_a_federation_released_has_no_share_where_it_is_useless_or_may_not_speak() -> None:
    for factor, silent, good in ((1.0, 0, False), (3.0, 0, False), (3.0, 2, False), (1.0, 3, True)):
        means, actual = _joined(factor, silent=silent, good=good)
        counted = np.ones(actual.shape, bool)
        found = weigh_joined(means, actual, counted, SIMPLE, joined="federated")
        alone = weigh({name: mean for name, mean in means.items() if name != "federated"}, actual, counted, SIMPLE)
        assert found.weights == {**alone.weights, "federated": 0.0}


def test_where_one_says_nothing_the_others_share_what_it_has() -> None:
    means = {"a": np.full((1, 1, 2), 1.0), "b": np.full((1, 1, 2), 3.0), "c": np.array([[[10.0, np.nan]]])}
    assert np.allclose(mix(means, {"a": 0.4, "b": 0.4, "c": 0.2}), [[[3.6, 2.0]]])
    assert np.allclose(mix({"c": means["c"]}, {"c": 1.0}), [[[10.0, 0.0]]]), "where nobody says anything"


def test_a_released_model_that_says_many_times_as_much_is_astray_where_it_speaks() -> None:
    means, _ = _joined(20.0, silent=2)
    assert is_astray(means, "federated")
    assert not is_astray(_joined(2.0, silent=2)[0], "federated")
