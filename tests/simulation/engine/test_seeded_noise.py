import numpy as np
import pytest
import torch
from scipy import stats

from common.privacy.mechanism import Mechanism
from simulation.engine.seeded_noise import SeededNoise


def test_the_same_seed_gives_the_same_noise() -> None:
    first = SeededNoise(np.random.default_rng(7)).integers(100, 1e6)
    assert torch.equal(first, SeededNoise(np.random.default_rng(7)).integers(100, 1e6))


def test_rounds_drawn_from_one_generator_differ() -> None:
    noise = SeededNoise(np.random.default_rng(7))
    assert not torch.equal(noise.integers(100, 1e6), noise.integers(100, 1e6))


# Seeded, so it either always passes or never.
def test_seeded_noise_is_gaussian_with_the_right_spread() -> None:
    noise = SeededNoise(np.random.default_rng(7)).integers(200_000, 1e6).numpy() / 1e6
    assert stats.kstest(noise, "norm").pvalue > 0.01
    assert noise.std() == pytest.approx(1.0, rel=0.005)


def test_a_mechanism_takes_seeded_noise_as_it_takes_any_other() -> None:
    mechanism = Mechanism(clipping_norm=1.0, noise_multiplier=1.0)
    released = mechanism.release(torch.zeros(4, dtype=torch.int64), SeededNoise(np.random.default_rng(7)))
    expected = np.rint(2**24 * np.random.default_rng(7).standard_normal(4)).astype(np.int64)
    assert released.tolist() == expected.tolist()
