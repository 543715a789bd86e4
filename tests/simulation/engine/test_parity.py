"""The fast engine and the ClientApp path are one: equal to rounding, and under noise in distribution."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from common.data.panel import Panel
from common.model.demand_gru import DemandGRU, get_vector, make_model
from common.model.features import Series, build_series
from common.model.warm import start
from common.model.warm.start import save_warm, start_training, warm_path
from common.plan.schema import Plan
from common.privacy.accounting import epsilon_of, noise_multiplier_for
from common.privacy.clipping_rule import Automatic
from common.privacy.mechanism import Mechanism
from server.round import optimizer
from server.round.collection import RoundOutcome
from server.round.optimizer import BETA_1, ServerState, start_state
from simulation.engine.batch import Cohort, federate, round_weights
from simulation.engine.in_process import FIRST_NODE_ID, federate_flower
from simulation.engine.seeded_noise import SeededNoise

ENTITIES = (2, 3, 5, 9, 21)  # of each merchant
SIZE_CLASSES = (2, 4, 8, 16, 32)
CPU = torch.device("cpu")


class CountedNoise(SeededNoise):
    """Seeded noise that counts how often it was asked."""

    draws = 0

    def integers(self, size: int, std: float) -> Tensor:
        self.draws += 1
        return super().integers(size, std)


@dataclass
class Street:
    """Five shops of different size, and both ways to run their federation."""

    plan: Plan
    series: Series
    cohort: Cohort

    def model(self) -> DemandGRU:
        sizes = {"num_features": self.series.num_features, "num_future": self.series.num_future}
        return make_model(self.plan.model, **sizes, seed=0)

    def fast(
        self,
        mechanism: Mechanism,
        *,
        model: DemandGRU | None = None,
        state: ServerState | None = None,
        seed: int = 1,
        rounds: int | None = None,
    ) -> ServerState:
        """Run the fast engine, for `rounds` rounds from `state` where they are given."""
        heard: list[ServerState] = []
        training = self.plan.privacy.training
        federate(
            model or self.model(),
            self.series,
            self.cohort,
            mechanism,
            training=training,
            cap=self.plan.federation.weight_cap,
            noise=SeededNoise(np.random.default_rng(seed)),
            device=CPU,
            state=state,
            on_round=lambda state, loss: heard.append(state),
        )
        return heard[-1 if rounds is None else rounds - 1]

    def flower(
        self, mechanism: Mechanism, *, model: DemandGRU | None = None, seed: int = 1, **terms: Any
    ) -> ServerState:
        """Run the ClientApps and the ServerApp."""
        training, noise = self.plan.privacy.training, SeededNoise(np.random.default_rng(seed))
        terms = {"plan": self.plan, "training": training, "noise": noise, "device": CPU} | terms
        return federate_flower(model or self.model(), self.series, self.cohort, mechanism, **terms)


@pytest.fixture
def make_street(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel]) -> Callable[..., Street]:
    def make(**sections: Any) -> Street:
        plan = make_plan(**sections)
        owner = np.repeat(np.arange(len(ENTITIES)), ENTITIES)
        owner = np.random.default_rng(2).permutation(owner)  # nobody's entities stand side by side
        merchants = np.array([f"shop-{number}" for number in owner], dtype=object)
        panel = make_panel(num_entities=len(owner), merchants=merchants)
        return Street(plan, build_series(panel, plan.model, 60), Cohort(torch.from_numpy(owner), SIZE_CLASSES))

    return make


def gradient(before: ServerState, after: ServerState) -> Tensor:
    """Read a round's aggregated gradient off Adam's running mean."""
    return (after.first_moment - BETA_1 * before.first_moment) / (1 - BETA_1)


WITHOUT_NOISE = pytest.mark.parametrize(
    "mechanism",
    [Mechanism(1.0, 0.0), Mechanism(0.05, 0.0), Mechanism(None, 0.0)],
    ids=["wide", "tight", "none"],
)


def test_both_paths_train_the_same_part_of_a_model_that_starts_warm(
    make_street: Callable[..., Street],
    make_awake_model: Callable[..., DemandGRU],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(start, "FOLDER", tmp_path)
    training = {"num_rounds": 3, "trained": "output"}
    street = make_street(
        model={"direct": True}, privacy={"training": training}, federation={"start": "warm", "training": training}
    )
    save_warm(make_awake_model(street.series).float(), street.series, warm_path(street.plan.model))
    first, second = (start_training(street.plan, street.series, seed=0, private=False) for _ in range(2))
    mechanism = Mechanism(0.05, 0.0)
    fast, flower = street.fast(mechanism, model=first), street.flower(mechanism, model=second)
    assert len(fast.parameters) == sum(part.numel() for part in street.model().output.parameters())
    assert not torch.equal(fast.parameters, start_state(get_vector(street.model().output)).parameters)
    torch.testing.assert_close(fast.parameters, flower.parameters, rtol=1e-3, atol=1e-5)
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(tensor, second.state_dict()[name], rtol=1e-3, atol=1e-5)


@WITHOUT_NOISE
def test_without_noise_both_paths_find_the_same_gradient_in_every_round(
    make_street: Callable[..., Street], mechanism: Mechanism
) -> None:
    street = make_street(privacy={"training": {"num_rounds": 5}})
    weights = round_weights(street.cohort, mechanism, cap=street.plan.federation.weight_cap)
    lost = mechanism.lattice_step * float(weights @ torch.tensor(ENTITIES, dtype=torch.float64))
    states = [start_state(get_vector(street.model()))]
    street.flower(mechanism, on_round=lambda state, outcome: states.append(state))
    for before, after in pairwise(states):
        slow, fast = gradient(before, after), gradient(before, street.fast(mechanism, state=before, rounds=1))
        rounding = 1e-6 * torch.linalg.vector_norm(slow)  # of single precision, on either path
        assert bool(((fast - slow).abs() <= lost + rounding).all())
        assert torch.linalg.vector_norm(slow) > 0.01 * (mechanism.clipping_norm or 1.0)


def test_under_automatic_clipping_both_paths_find_the_same_gradient(make_street: Callable[..., Street]) -> None:
    street = make_street(privacy={"training": {"num_rounds": 2}})
    mechanism = Mechanism(0.5, 0.0, rule=Automatic())
    fast, slow = street.fast(mechanism), street.flower(mechanism)
    plain = street.fast(Mechanism(0.5, 0.0))
    assert (fast.first_moment - plain.first_moment).norm() > 0.1 * plain.first_moment.norm()
    torch.testing.assert_close(fast.first_moment, slow.first_moment, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["momentum", "adagrad", "yogi"])
def test_both_paths_step_with_the_plan_s_optimizer(make_street: Callable[..., Street], name: str) -> None:
    street = make_street(privacy={"training": {"num_rounds": 3, "optimizer": name}})
    fast, slow = street.fast(Mechanism(0.5, 0.0)), street.flower(Mechanism(0.5, 0.0))
    torch.testing.assert_close(fast.parameters, slow.parameters, rtol=1e-3, atol=1e-4)
    assert not torch.equal(fast.parameters, make_street().fast(Mechanism(0.5, 0.0), rounds=3).parameters)


# Adam divides a coordinate by its own size: one whose gradient is below the lattice's step moves as far as
# any other, wherever rounding sends it. So the divisor is held well above the lattice here.
@WITHOUT_NOISE
def test_without_noise_both_paths_end_at_the_same_parameters(
    make_street: Callable[..., Street], mechanism: Mechanism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizer, "EPSILON", 1e-3)
    street = make_street(privacy={"training": {"num_rounds": 5}})
    fast_model, slow_model = street.model(), street.model()
    start = get_vector(fast_model).double()
    fast, slow = street.fast(mechanism, model=fast_model), street.flower(mechanism, model=slow_model)
    assert fast.round_number == slow.round_number == 5
    for here, there in ((fast.parameters, slow.parameters), (fast.average, slow.average)):
        length = torch.linalg.vector_norm(there)
        assert torch.linalg.vector_norm(here - there) <= 1e-6 * length
        assert torch.linalg.vector_norm(there - start) > 0.01 * length
    assert torch.equal(get_vector(slow_model), slow.average.float())
    assert torch.equal(get_vector(fast_model), fast.average.float())


# False alarms, were the seeds not fixed: 1e-3 for each of the three KS tests; 1 % off in variance is 5.5
# standard deviations of an estimate from 600,000 numbers, 4e-8.
def test_with_noise_both_paths_add_the_same_gaussian(make_street: Callable[..., Street]) -> None:
    street = make_street(privacy={"training": {"num_rounds": 1}}, model={"hidden_size": 96, "decoder_size": 96})
    noisy, silent = Mechanism(0.5, 3.0), Mechanism(0.5, 0.0)
    start = start_state(get_vector(street.model()))
    means = [gradient(start, run(silent)) for run in (street.fast, street.flower)]
    seeds = range(10, 10 + math.ceil(600_000 / len(start.parameters)))
    fast = np.concatenate([gradient(start, street.fast(noisy, seed=seed)) - means[0] for seed in seeds])
    slow = np.concatenate([gradient(start, street.flower(noisy, seed=99 + seed)) - means[1] for seed in seeds])
    weights = round_weights(street.cohort, noisy, cap=street.plan.federation.weight_cap)
    std = 3.0 * 0.5 * math.sqrt(float(weights.square().sum()))
    assert fast.var() / std**2 == pytest.approx(1.0, abs=0.01)
    assert slow.var() / std**2 == pytest.approx(1.0, abs=0.01)
    assert abs(np.corrcoef(fast, slow)[0, 1]) < 4.5 / math.sqrt(len(fast))
    assert stats.ks_2samp(fast, slow).pvalue > 1e-3
    for noise in (fast, slow):
        assert stats.kstest(noise / std, "norm").pvalue > 1e-3


def test_both_paths_draw_as_much_noise_as_the_plan_pays_for(make_street: Callable[..., Street]) -> None:
    street = make_street(privacy={"training": {"num_rounds": 4}})
    rounds = street.plan.privacy.training.num_rounds
    mechanism = Mechanism(1.0, noise_multiplier_for(epsilon=2.0, delta=1e-5, num_rounds=rounds))
    noise = CountedNoise(np.random.default_rng(1))
    street.flower(mechanism, noise=noise)
    assert noise.draws == rounds * len(SIZE_CLASSES)
    spent = noise.draws / len(SIZE_CLASSES) * mechanism.mu_squared
    assert epsilon_of(math.sqrt(spent), 1e-5) == pytest.approx(2.0, rel=1e-6)
    assert epsilon_of(math.sqrt(spent), 1e-5) <= 2.0


def test_a_merchant_without_entities_takes_part_on_both_paths(make_street: Callable[..., Street]) -> None:
    street = make_street(privacy={"training": {"num_rounds": 1}})
    street.cohort = Cohort(street.cohort.merchant_of, (*SIZE_CLASSES, 8))
    start = start_state(get_vector(street.model()))
    fast, slow = (gradient(start, run(Mechanism(1.0, 0.0))) for run in (street.fast, street.flower))
    assert torch.linalg.vector_norm(fast - slow) <= 1e-6 * torch.linalg.vector_norm(slow)


def test_one_merchant_is_a_federation_on_both_paths(make_street: Callable[..., Street]) -> None:
    street = make_street(privacy={"training": {"num_rounds": 1}})
    street.cohort = Cohort(torch.zeros_like(street.cohort.merchant_of), (64,))
    start = start_state(get_vector(street.model()))
    fast, slow = (gradient(start, run(Mechanism(1.0, 0.0))) for run in (street.fast, street.flower))
    assert torch.linalg.vector_norm(fast - slow) <= 1e-6 * torch.linalg.vector_norm(slow)


def test_a_run_goes_on_from_a_state_and_reports_every_round(make_street: Callable[..., Street]) -> None:
    street = make_street(privacy={"training": {"num_rounds": 3}})
    heard: list[tuple[ServerState, RoundOutcome]] = []
    whole = street.flower(Mechanism(1.0, 0.0), on_round=lambda *news: heard.append(news))
    rest = street.flower(Mechanism(1.0, 0.0), state=heard[0][0])
    assert torch.equal(rest.average, whole.average)
    assert [state.round_number for state, _ in heard] == [1, 2, 3]
    assert set(heard[0][1].replies) == {FIRST_NODE_ID + number for number in range(len(SIZE_CLASSES))}
