"""Under trust in a secure sum the fast engine is a plain sum over everyone, with as much noise as is claimed."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from common.errors import ConfigError
from common.model.demand_gru import DemandGRU, get_vector, set_vector
from common.model.features import Series, cut_training
from common.plan.schema import TrainingPlan
from common.privacy.mechanism import Mechanism
from server.round.optimizer import BETA_1
from simulation.engine.batch import Cohort, federate
from simulation.engine.seeded_noise import SeededNoise
from simulation.engine.shared_noise import noise_surplus, shared_noise_std, sum_weights, usual_share

SIZE_CLASSES = (1, 2, 4, 8, 400, 1)  # one is nearly everything: a cap would show
COHORT = Cohort(torch.tensor([0, 1, 2, 3, 4]), SIZE_CLASSES)
CLIPPED, PRIVATE = Mechanism(0.05, 0.0), Mechanism(0.05, 3.0)
STEP = 2.0**-24  # of the lattice, in units of the clipping norm


@pytest.fixture
def series(make_series: Callable[..., Series]) -> Series:
    return make_series()


@pytest.fixture
def model(series: Series, make_awake_model: Callable[..., DemandGRU]) -> DemandGRU:
    return make_awake_model(series).float()


def update_of_first_round(model: DemandGRU, series: Series, mechanism: Mechanism, *, seed: int = 7) -> Tensor:
    """Run one round and read its aggregated gradient off Adam's running mean; the model is left as it was."""
    start = get_vector(model)
    state = federate(
        model,
        series,
        COHORT,
        mechanism,
        training=TrainingPlan(num_rounds=1),
        cap=0.25,
        noise=SeededNoise(np.random.default_rng(seed)),
        device=torch.device("cpu"),
        trusts_sum=True,
    )
    set_vector(model, start)
    return state.first_moment / (1 - BETA_1)


def test_without_noise_an_update_is_the_plain_sum_over_everyone_by_all_size_classes(
    model: DemandGRU,
    series: Series,
    gradient_of_each: Callable[..., Tensor],
) -> None:
    update = update_of_first_round(model, series, CLIPPED)
    gradients = gradient_of_each(model, cut_training(series, 1)).double()
    shortened = gradients * (CLIPPED.clipping_norm / gradients.norm(dim=1, keepdim=True)).clamp(max=1.0)
    torch.testing.assert_close(update, shortened.sum(0) / sum(SIZE_CLASSES), rtol=1e-5, atol=1e-9)


# Six members: one may collude, four must stay, so three share the noise and the six of them add 6/3 of it.
# Chi-square over all parameters and eight rounds' seeds; false alarm 1 in a million for other seeds.
def test_the_noise_of_a_round_has_the_variance_that_is_claimed(model: DemandGRU, series: Series) -> None:
    std = 3.0 * 0.05 * math.sqrt(6 / 3) / sum(SIZE_CLASSES)
    signal = update_of_first_round(model, series, CLIPPED)
    noise = [(update_of_first_round(model, series, PRIVATE, seed=seed) - signal) / std for seed in range(8)]
    drawn = torch.cat(noise).numpy()
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], len(drawn))
    assert low < (drawn**2).sum() < high
    assert stats.kstest(drawn, "norm").pvalue > 1e-6
    assert shared_noise_std(SIZE_CLASSES, PRIVATE) == pytest.approx(std, rel=1e-12)


# What members really add: integers on the lattice, each with the noise multiplier sigma / sqrt(h).
def test_the_claim_is_what_members_add_up_to_on_the_lattice() -> None:
    members, size = 20, 40_000
    share = Mechanism(0.05, 3.0 / math.sqrt(usual_share(members)))
    noise = SeededNoise(np.random.default_rng(3))
    total = sum((share.release(torch.zeros(size, dtype=torch.int64), noise) for _ in range(members)), start=0)
    drawn = total.double().numpy() * STEP * 0.05 / (members * 10) / shared_noise_std((10,) * members, PRIVATE)
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], size)
    assert low < (drawn**2).sum() < high


def test_a_plan_that_says_among_how_many_noise_is_shared_is_followed() -> None:
    assert noise_surplus(20, 5) == pytest.approx(4.0)
    assert shared_noise_std((10,) * 20, PRIVATE, 5) == pytest.approx(0.15 * 2 / 200)


def test_every_cohort_of_a_long_roster_has_noise_of_its_own() -> None:
    assert noise_surplus(1000) == pytest.approx(10 * noise_surplus(100))
    assert noise_surplus(300) == pytest.approx(300 / (200 - 99))
    assert shared_noise_std((10,) * 1000, PRIVATE) == pytest.approx(0.15 * math.sqrt(10 * 100 / 34) / 10_000)


# The protocol's page: 1.3 for 5 merchants, 1.6 for 20, 1.7 for 100, where noise of one's own adds 2.2, 4.5 and 10.
@pytest.mark.parametrize(("members", "std"), [(5, 1.3), (20, 1.6), (100, 1.7)])
def test_the_noise_of_a_sum_hardly_grows_with_its_members(members: int, std: float) -> None:
    assert math.sqrt(noise_surplus(members)) == pytest.approx(std, abs=0.05)


def test_a_merchant_among_two_adds_all_its_noise_for_the_other_may_collude() -> None:
    assert (usual_share(2), usual_share(3)) == (1, 2)


def test_one_merchant_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="hides a merchant among others, and here is one"):
        shared_noise_std((8,), PRIVATE)


def test_every_entity_counts_the_same_wherever_it_is() -> None:
    assert sum_weights((1, 3, 16)).tolist() == pytest.approx([1 / 20] * 3)
