import numpy as np
import pytest

from common.forecast.gain import DUST, FEWEST_ENTITIES, Gain, estimate_gain, say_share
from simulation.evaluation.bootstrap import measure_gain


def draw(number: int, *, seed: int = 0) -> np.ndarray:
    """Losses against, weights, and losses that are 5 % lower give or take a third."""
    generator = np.random.default_rng(seed)
    against = generator.gamma(2.0, 1.0, number)
    return np.stack([against * generator.normal(0.95, 0.3, number), against, generator.gamma(2.0, 1.0, number)])


# Origin: the percentile bootstrap of the same ratio, which is what simulations show.
def test_the_interval_is_that_of_a_bootstrap() -> None:
    drawn = draw(400)
    ours = estimate_gain(*drawn)
    theirs = measure_gain(drawn.T[:, None], resamples=4000, generator=np.random.default_rng(1))
    assert ours is not None
    assert theirs is not None
    assert (ours.value, ours.against, ours.gain) == pytest.approx((theirs.value, theirs.against, theirs.gain))
    assert ours.low == pytest.approx(theirs.low, abs=0.004)
    assert ours.high == pytest.approx(theirs.high, abs=0.004)


# 95 % of 400 intervals hold the truth; the standard deviation of that share is one percentage point.
def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    found = [estimate_gain(*draw(30, seed=seed)) for seed in range(400)]
    held = np.mean([gain is not None and gain.low <= 0.05 <= gain.high for gain in found])
    assert 0.91 < held < 0.98


def test_few_entities_have_no_interval_and_no_verdict() -> None:
    gain = estimate_gain(*draw(FEWEST_ENTITIES - 1))
    assert gain is not None
    assert (gain.low, gain.high, gain.verdict) == (None, None, "unclear")


def test_without_a_loss_or_a_weight_there_is_nothing_to_compare() -> None:
    ones, zeros = np.ones(12), np.zeros(12)
    assert estimate_gain(ones, zeros, ones) is None
    assert estimate_gain(ones, ones, zeros) is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 0.2, "better"),
        (-0.2, -0.1, "worse"),
        (-1.0, 1.0, "unclear"),
        (1e-6, 0.1, "better"),
        (1e-16, 1e-16, "unclear"),
        (-0.1, -1e-16, "unclear"),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, verdict: str) -> None:
    assert Gain(1.0, 1.0, 0.0, low, high).verdict == verdict


def test_a_share_is_written_with_as_many_digits_as_its_sign_takes() -> None:
    said = {0.034: "+3.4%", -0.041: "-4.1%", -0.0003: "-0.03%", -0.00049: "-0.05%", 0.0005: "+0.1%", 2e-6: "+0.0002%"}
    assert {share: say_share(share, signed=True) for share in said} == said
    assert [say_share(share, signed=True) for share in (0.0, -0.0, 1e-17)] == ["0.0%"] * 3
    assert (say_share(0.3), say_share(-0.3), say_share(0.0003)) == ("30.0%", "-30.0%", "0.03%")


@pytest.mark.parametrize("end", [*np.geomspace(1.001 * DUST, 0.1, 60), *-np.geomspace(1.001 * DUST, 0.1, 60)])
def test_an_interval_that_decides_never_reads_as_one_that_ends_at_zero(end: float) -> None:
    assert Gain(1.0, 1.0, 0.0, min(end, 2 * end), max(end, 2 * end)).verdict == ("better" if end > 0 else "worse")
    assert float(say_share(end, signed=True).strip("%")) * end > 0
