"""Intervals of sums hold what they promise, for counts and amounts."""

import numpy as np
import pytest

from client.shop.forecast.spread import Periods, guess_spread, measure_spread

LEVELS = tuple(place / 10 for place in range(1, 10))


def _draw(generator: np.random.Generator, mean: np.ndarray, *, counts: bool) -> np.ndarray:
    """Demand that varies more than a Poisson, each product in its own measure."""
    lumps = np.linspace(0.2, 1.5, mean.shape[1])[None, :, None]
    level = generator.gamma(1 / lumps, lumps * mean)
    return generator.poisson(level).astype(float) if counts else level


@pytest.mark.parametrize("counts", [True, False])
def test_four_fifths_of_new_outcomes_lie_in_the_interval(counts: bool) -> None:
    """Seeded. Of 24,000 outcomes of 20 other draws .78 to .84 did."""
    generator = np.random.default_rng(5)
    mean = np.broadcast_to(np.geomspace(3.0, 60.0, 400)[None, :, None], (4, 400, 4)).copy()
    generator.shuffle(mean, axis=1)
    past = Periods(mean, _draw(generator, mean, counts=counts), np.ones(mean.shape, bool))
    spread = measure_spread(past, counts=counts, seed=0)
    factor = np.broadcast_to(spread.own_factor(past)[None, :, None], (15, 400, 4))
    ahead = np.broadcast_to(mean[:1], (15, 400, 4))
    quantiles = spread.quantiles(ahead, factor, LEVELS)
    came = _draw(generator, ahead, counts=counts)
    inside = (quantiles[..., 0] <= came) & (came <= quantiles[..., -1])
    assert 0.76 < inside.mean() < 0.86
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    if counts:
        assert (quantiles == np.rint(quantiles)).all()


def test_a_product_that_misses_by_more_has_the_wider_interval() -> None:
    generator = np.random.default_rng(6)
    mean = np.full((4, 60, 4), 20.0)
    actual = generator.poisson(mean).astype(float)
    actual[:, 0] = np.array([0.0, 60.0, 5.0, 15.0])
    past = Periods(mean, actual, np.ones(mean.shape, bool))
    spread = measure_spread(past, counts=True, seed=0)
    factor = spread.own_factor(past)
    assert factor[0] > 2 * np.median(factor)
    wide, usual = spread.quantiles(np.full(2, 20.0), factor[:2], (0.1, 0.9))
    assert wide[1] - wide[0] > usual[1] - usual[0]


def test_nothing_expected_is_nothing_at_every_level() -> None:
    spread = guess_spread(counts=True)
    assert not spread.quantiles(np.zeros(3), np.ones(3), LEVELS).any()
    assert not spread.probability(np.zeros(3), np.ones(3)).any()


def test_a_past_of_zeros_leaves_the_guess() -> None:
    nothing = np.zeros((2, 50, 4))
    spread = measure_spread(Periods(nothing + 1.0, nothing, nothing == 0), counts=True, seed=0)
    assert spread.log_ratios.tolist() == guess_spread(counts=True).log_ratios.tolist()


@pytest.mark.parametrize("products", [13, 400])
def test_one_order_of_a_million_pieces_moves_no_interval_of_other_products(products: int) -> None:
    """It came in one past horizon, and the next ones were forecast by it."""
    generator = np.random.default_rng(7)
    mean = np.broadcast_to(np.geomspace(0.3, 60.0, products)[None, :, None], (4, products, 4)).copy()
    actual = _draw(generator, mean, counts=True)
    counted = np.ones(mean.shape, bool)
    plain = measure_spread(Periods(mean, actual, counted), counts=True, seed=0)
    mean, actual = mean.copy(), actual.copy()
    actual[1, 0, 2] = 1e6
    mean[2:, 0] = 5e4
    whim = measure_spread(Periods(mean, actual, counted), counts=True, seed=0)
    others = mean[0, 1:, 0]
    np.testing.assert_allclose(np.log(whim.variance(others) / plain.variance(others)), 0.0, atol=np.log(2.0))
