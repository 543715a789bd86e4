"""What the calendar path is for: a calendar that says much is learned under noise, because its columns are whitened."""

from datetime import date

import numpy as np
import pytest
import torch

from common.data.panel import Panel
from common.model.demand_gru import entity_losses, freeze
from common.model.features import build_series, cut_forecast
from common.model.warm.start import start_model
from common.plan.schema import AnchorPlan, ModelPlan, TrainingPlan
from common.privacy.accounting import noise_multiplier_for
from common.privacy.mechanism import Mechanism
from simulation.engine.batch import Cohort, federate
from simulation.engine.seeded_noise import SeededNoise

ENTITIES, DAYS, ORIGIN, HORIZON = 300, 230, 200, 14
PLAN = ModelPlan(
    step="day",
    horizon_days=HORIZON,
    likelihood="log_normal",
    hidden_size=32,
    decoder_size=48,
    window_steps=60,
    positions=4,
    calendar=True,
    anchor=AnchorPlan(by_weekday=True, regime="promo"),
)
TRAINING = TrainingPlan(num_rounds=30, learning_rate=0.05, trained="calendar")


@pytest.fixture(scope="module")
def world() -> Panel:
    """Money of shops that sell half as much again on the day before they close, and close on days of their own."""
    draw = np.random.default_rng(3)
    closed = draw.random((ENTITIES, DAYS)) < 0.08
    before = np.roll(closed, -1, axis=1)
    curve = 6 + draw.normal(0, 0.3, (ENTITIES, 1)) + 0.5 * before + draw.normal(0, 0.1, closed.shape)
    nothing = np.zeros((*closed.shape, 0), np.float32)
    return Panel(
        start=date(2024, 1, 1),
        channels=(),
        covariates=("promo",),
        entities=np.arange(ENTITIES).astype(str).astype(object),
        merchants=np.repeat(np.arange(6), ENTITIES // 6).astype(str).astype(object),
        target=(np.exp(curve) * ~closed).astype(np.float32),
        observed=nothing,
        known=np.zeros((*closed.shape, 1), np.float32),
        static=np.zeros((ENTITIES, 0), np.float32),
        open=~closed,
        first_day=np.zeros(ENTITIES, np.int64),
        censored=np.zeros(closed.shape, bool),
    )


def learn(world: Panel, *, epsilon: float, whitened: bool = True) -> tuple[float, float]:
    """Give the loss of the days after the origin, before and after training at epsilon."""
    series = build_series(world, PLAN, ORIGIN)
    model = freeze(start_model(PLAN, series, seed=0, warm=True), "calendar")
    if not whitened:
        model.calendar.whitening.copy_(torch.eye(len(model.calendar.center)))
        model.calendar.center.zero_()
    ahead = cut_forecast(series)
    with torch.no_grad():
        before = entity_losses(model, model.likelihood, ahead).mean()
    noise = noise_multiplier_for(epsilon=epsilon, delta=1e-4, num_rounds=TRAINING.num_rounds)
    federate(
        model,
        series,
        Cohort(torch.arange(6).repeat_interleave(ENTITIES // 6), (64,) * 6),
        Mechanism(1.0, noise),
        training=TRAINING,
        cap=0.25,
        noise=SeededNoise(np.random.default_rng(1)),
        device=torch.device("cpu"),
        trusts_sum=True,
    )
    with torch.no_grad():
        return float(before), float(entity_losses(model, model.likelihood, ahead).mean())


@pytest.fixture(scope="module")
def learned(world: Panel) -> tuple[float, float]:
    return learn(world, epsilon=2.0)


def test_the_day_before_a_closed_one_is_learned_at_epsilon_2_of_a_secure_sum(
    world: Panel, learned: tuple[float, float]
) -> None:
    before, after = learned
    _, at_ease = learn(world, epsilon=1000.0)
    assert at_ease < before - 0.1
    assert before - after > 0.7 * (before - at_ease), "noise takes a quarter, of 300 shops"


def test_in_columns_that_are_not_whitened_it_is_not(world: Panel, learned: tuple[float, float]) -> None:
    _, raw = learn(world, epsilon=2.0, whitened=False)
    assert raw > learned[1] + 0.05
