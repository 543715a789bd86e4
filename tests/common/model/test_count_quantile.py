import numpy as np
import pytest
from scipy import stats

from common.model.count_quantile import count_quantiles

LEVELS = np.arange(1, 10) / 10


@pytest.mark.parametrize("scale", [0.01, 0.5, 3.0, 40.0, 2000.0])
def test_quantiles_are_those_of_scipy(scale: float) -> None:
    generator = np.random.default_rng(3)
    mean, size = generator.gamma(0.7, scale, (20, 14)) + 1e-4, np.exp(generator.uniform(-4.0, 6.0, (20, 14)))
    levels = np.broadcast_to(LEVELS, (20, 14, 9))
    whole = stats.nbinom.ppf(levels, size[..., None], (size / (size + mean))[..., None])
    np.testing.assert_array_equal(count_quantiles(levels, mean, size), whole)


def test_what_is_said_of_a_count_depends_on_no_other_beside_it() -> None:
    generator = np.random.default_rng(4)
    mean, size = generator.gamma(0.7, 5.0, 50), np.exp(generator.uniform(-2.0, 2.0, 50))
    whole = count_quantiles(np.broadcast_to(LEVELS, (50, 9)), mean, size)
    for row in range(50):
        alone = count_quantiles(LEVELS[None], mean[row : row + 1], size[row : row + 1])
        np.testing.assert_array_equal(alone[0], whole[row])


def test_nothing_to_say_and_levels_near_one() -> None:
    assert count_quantiles(np.zeros((0, 9)), np.zeros(0), np.zeros(0)).shape == (0, 9)
    high = count_quantiles(np.array([[0.5, 0.999]]), np.array([3.0]), np.array([2.0]))
    np.testing.assert_array_equal(high, stats.nbinom.ppf([[0.5, 0.999]], 2.0, 0.4))
