import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from common.model.demand_gru import DemandGRU, entity_losses, get_vector, set_vector
from common.model.features import Examples, Series, cut_training
from common.plan.schema import TrainingPlan
from common.privacy.mechanism import Mechanism
from server.round.optimizer import BETA_1, ServerState
from simulation.engine import batch as engine
from simulation.engine.batch import Cohort, Workers, federate, round_weights
from simulation.engine.seeded_noise import SeededNoise

Pick = Callable[[Examples, list[int]], Examples]
CPU = torch.device("cpu")
OPEN = Mechanism(clipping_norm=None, noise_multiplier=0.0)
CLIPPED = Mechanism(clipping_norm=0.05, noise_multiplier=0.0)
PRIVATE = Mechanism(clipping_norm=0.05, noise_multiplier=3.0)
WEIGHT = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.0], dtype=torch.float64)
COHORT = Cohort(torch.tensor([0, 0, 1, 1, 1]), (10, 30))


@pytest.fixture
def series(make_series: Callable[..., Series]) -> Series:
    return make_series()


@pytest.fixture
def model(series: Series, make_awake_model: Callable[..., DemandGRU]) -> DemandGRU:
    return make_awake_model(series)


@pytest.fixture
def examples(series: Series, to_double: Callable[[Examples], Examples]) -> Examples:
    return to_double(cut_training(series, 1))


def run(
    model: DemandGRU,
    series: Series,
    mechanism: Mechanism,
    *,
    cohort: Cohort = COHORT,
    rounds: int = 1,
    seed: int = 7,
    state: ServerState | None = None,
    on_round: Callable[[ServerState, float], None] = lambda state, loss: None,
) -> ServerState:
    return federate(
        model,
        series,
        cohort,
        mechanism,
        training=TrainingPlan(num_rounds=rounds),
        cap=1.0,
        noise=SeededNoise(np.random.default_rng(seed)),
        device=CPU,
        state=state,
        on_round=on_round,
    )


def sum_gradients(
    model: DemandGRU,
    cut: Callable[[int], Examples],
    weight_of: list[Tensor],
    mechanism: Mechanism,
    *,
    num_threads: int = 1,
) -> tuple[Tensor, float]:
    with closing(Workers(model, num_threads=num_threads)) as crew:
        return crew.sum_gradients(get_vector(model), cut, weight_of, mechanism)


def update_of_first_round(state: ServerState) -> Tensor:
    return state.first_moment / (1 - BETA_1)


# ------------------------------------------------------------------ one sum


def test_the_sum_is_a_plain_loop_over_clipped_and_weighted_entities(
    model: DemandGRU, examples: Examples, gradient_of_each: Callable[..., Tensor]
) -> None:
    gradients = gradient_of_each(model, examples)
    norms = gradients.norm(dim=1)
    clipping_norm = float(norms.median())  # so that some are clipped and some are not
    expected = torch.zeros_like(gradients[0])
    for weight, gradient, norm in zip(WEIGHT, gradients, norms, strict=True):
        expected += weight * gradient * min(1.0, clipping_norm / float(norm))
    total, loss = sum_gradients(model, [examples].__getitem__, [WEIGHT], Mechanism(clipping_norm, 0.0))
    torch.testing.assert_close(total, expected, rtol=1e-7, atol=1e-10)
    assert loss == pytest.approx(float(entity_losses(model, model.likelihood, examples).detach().mean()))


@pytest.mark.parametrize("mechanism", [OPEN, CLIPPED], ids=["open", "clipped"])
@pytest.mark.parametrize("chunks", [[[0], [1], [2], [3], [4]], [[0, 1, 2], [3, 4]], [[0, 1, 2, 3], [4]]])
def test_the_sum_does_not_depend_on_the_chunks(
    model: DemandGRU, examples: Examples, pick: Pick, mechanism: Mechanism, chunks: list[list[int]]
) -> None:
    whole, loss = sum_gradients(model, [examples].__getitem__, [WEIGHT], mechanism)
    parts = [pick(examples, chunk) for chunk in chunks]
    total, loss_in_parts = sum_gradients(model, parts.__getitem__, [WEIGHT[chunk] for chunk in chunks], mechanism)
    torch.testing.assert_close(total, whole, rtol=1e-10, atol=1e-13)
    assert loss_in_parts == pytest.approx(loss)


@pytest.mark.parametrize("mechanism", [OPEN, CLIPPED], ids=["open", "clipped"])
def test_threads_change_no_bit_of_the_sum(
    model: DemandGRU, examples: Examples, pick: Pick, mechanism: Mechanism
) -> None:
    parts = [pick(examples, [entity]) for entity in range(5)]
    shares = [WEIGHT[entity : entity + 1] for entity in range(5)]
    one, two = (
        sum_gradients(model, parts.__getitem__, shares, mechanism, num_threads=threads)[0] for threads in (1, 2)
    )
    assert torch.equal(one, two)


def test_without_privacy_the_sum_is_one_plain_backward_pass(model: DemandGRU, examples: Examples) -> None:
    (entity_losses(model, model.likelihood, examples) * WEIGHT).sum().backward()
    expected = torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])
    total, _ = sum_gradients(model, [examples].__getitem__, [WEIGHT], OPEN)
    torch.testing.assert_close(total, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_an_entity_that_is_not_finite_contributes_zero(
    model: DemandGRU, examples: Examples, pick: Pick, bad: float
) -> None:
    inputs = examples.inputs.clone()
    inputs[2, 5, 0] = bad
    total, _ = sum_gradients(model, [replace(examples, inputs=inputs)].__getitem__, [WEIGHT], CLIPPED)
    others = [0, 1, 3, 4]
    expected, _ = sum_gradients(model, [pick(examples, others)].__getitem__, [WEIGHT[others]], CLIPPED)
    torch.testing.assert_close(total, expected, rtol=1e-10, atol=1e-13)


def test_no_entity_moves_the_sum_by_more_than_its_weight_times_the_clipping_norm(
    model: DemandGRU, examples: Examples, pick: Pick
) -> None:
    tight = Mechanism(clipping_norm=1e-3, noise_multiplier=0.0)
    total, _ = sum_gradients(model, [examples].__getitem__, [WEIGHT], tight)
    for entity in range(5):
        left = [other for other in range(5) if other != entity]
        less, _ = sum_gradients(model, [pick(examples, left)].__getitem__, [WEIGHT[left]], tight)
        assert float((total - less).norm()) == pytest.approx(1e-3 * float(WEIGHT[entity]), abs=1e-11)


# ------------------------------------------------------------------ weights


# Worked by hand: by inverse variance 10² to 30², by size 1 to 3; an entity's share of its size class.
def test_an_entity_counts_its_merchant_s_weight_over_its_size_class() -> None:
    assert round_weights(COHORT, PRIVATE, cap=1.0).tolist() == pytest.approx([0.1 / 10, 0.9 / 30])
    assert round_weights(COHORT, OPEN, cap=1.0).tolist() == pytest.approx([0.25 / 10, 0.75 / 30])
    assert round_weights(COHORT, PRIVATE, cap=0.6).tolist() == pytest.approx([0.4 / 10, 0.6 / 30])


# ------------------------------------------------------------------ rounds


def test_the_update_of_a_round_is_the_weighted_sum_at_the_weights_of_the_round(
    model: DemandGRU, series: Series
) -> None:
    model = model.float()
    weight = round_weights(COHORT, CLIPPED, cap=1.0)[COHORT.merchant_of]
    expected, loss = sum_gradients(model, [cut_training(series, 1)].__getitem__, [weight], CLIPPED)
    losses: list[float] = []
    state = run(model, series, CLIPPED, on_round=lambda state, loss: losses.append(loss))
    torch.testing.assert_close(update_of_first_round(state), expected, rtol=1e-6, atol=1e-9)
    assert losses == [pytest.approx(loss)]


# The noises of two merchants, 3 · 0.05 / 10 weighing 0.1 and 3 · 0.05 / 30 weighing 0.9, add up to one.
# Chi-square over all parameters and eight rounds' seeds; false alarm 1 in a million for other seeds.
def test_the_noise_of_a_round_has_the_standard_deviation_of_all_merchants_together(
    model: DemandGRU, series: Series
) -> None:
    model = model.float()
    start = get_vector(model)
    std = 3.0 * 0.05 * math.sqrt((0.1 / 10) ** 2 + (0.9 / 30) ** 2)
    weight = round_weights(COHORT, PRIVATE, cap=1.0)[COHORT.merchant_of]
    signal, _ = sum_gradients(model, [cut_training(series, 1)].__getitem__, [weight], PRIVATE)
    noise = []
    for seed in range(8):
        set_vector(model, start)
        noise.append((update_of_first_round(run(model, series, PRIVATE, seed=seed)) - signal) / std)
    drawn = torch.cat(noise).numpy()
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], len(drawn))
    assert low < (drawn**2).sum() < high
    assert stats.kstest(drawn, "norm").pvalue > 1e-6


def test_the_averaged_model_is_left_in_the_model(model: DemandGRU, series: Series) -> None:
    model = model.float()
    state = run(model, series, CLIPPED, rounds=3)
    assert torch.equal(get_vector(model), state.average.float())
    assert state.round_number == 3


class PowerCutError(Exception):
    """Stop a run between two rounds."""


@pytest.mark.parametrize("window_steps", [12, 90], ids=["drawn windows", "whole history"])
@pytest.mark.parametrize("mechanism", [OPEN, CLIPPED, PRIVATE], ids=["open", "clipped", "private"])
def test_a_run_resumed_from_its_state_equals_an_undisturbed_one_bit_by_bit(
    make_series: Callable[..., Series],
    make_awake_model: Callable[..., DemandGRU],
    mechanism: Mechanism,
    window_steps: int,
) -> None:
    series = make_series(window_steps=window_steps)
    model = make_awake_model(series).float()
    start, kept = get_vector(model), []

    def cut_power_in_round_three(state: ServerState, loss: float) -> None:
        kept.append(state)
        if state.round_number == 3:
            raise PowerCutError

    undisturbed = run(model, series, mechanism, rounds=6)
    set_vector(model, start)
    with pytest.raises(PowerCutError):
        run(model, series, mechanism, rounds=6, on_round=cut_power_in_round_three)
    other = make_awake_model(series, seed=9).float()
    resumed = run(other, series, mechanism, rounds=6, state=kept[-1])
    for name, value in vars(undisturbed).items():
        assert value == vars(resumed)[name] if name == "round_number" else torch.equal(value, vars(resumed)[name])
    assert torch.equal(get_vector(other), undisturbed.average.float())


def test_a_run_that_is_over_stays_as_it_is(model: DemandGRU, series: Series) -> None:
    model = model.float()
    over = run(model, series, PRIVATE, rounds=2)
    assert run(model, series, PRIVATE, rounds=2, state=over) is over


def test_more_entities_than_a_chunk_holds_are_all_counted(
    monkeypatch: pytest.MonkeyPatch, model: DemandGRU, series: Series
) -> None:
    model = model.float()
    start = get_vector(model)
    whole = update_of_first_round(run(model, series, CLIPPED))
    monkeypatch.setattr(engine, "CHUNK_ENTITIES", 2)
    set_vector(model, start)
    parts = update_of_first_round(run(model, series, CLIPPED))
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-8)


def test_one_merchant_with_one_entity_is_a_federation(
    make_series: Callable[..., Series], make_awake_model: Callable[..., DemandGRU]
) -> None:
    series = make_series(num_entities=1)
    state = run(make_awake_model(series).float(), series, PRIVATE, cohort=Cohort(torch.tensor([0]), (1,)))
    assert torch.isfinite(state.parameters).all()


def test_a_merchant_without_entities_sends_only_noise(
    make_series: Callable[..., Series], make_awake_model: Callable[..., DemandGRU]
) -> None:
    series = make_series(num_entities=0)
    nobody = Cohort(torch.zeros(0, dtype=torch.int64), (8,))
    model = make_awake_model(series).float()
    start = get_vector(model).double()
    assert torch.equal(run(model, series, CLIPPED, cohort=nobody).parameters, start)
    noise = update_of_first_round(run(model, series, PRIVATE, cohort=nobody))
    assert float(noise.std()) == pytest.approx(3.0 * 0.05 / 8, rel=0.2)
