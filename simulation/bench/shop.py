"""Invented merchants of one size, so that only their number differs between two measurements."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import torch

from common.data.panel import Panel
from common.model.demand_gru import DemandGRU, draw_model
from common.model.features import Series, build_series
from common.plan.schema import ModelPlan
from simulation.engine.batch import Cohort

ENTITIES_PER_MERCHANT, STEPS, HIDDEN_SIZE = 50, 104, 32
HORIZON_DAYS = 7


def model_plan() -> ModelPlan:
    """Describe the model of every measurement but `step`: 104 daily steps, forecasts from 8 of them."""
    return ModelPlan(
        step="day",
        horizon_days=HORIZON_DAYS,
        likelihood="negative_binomial",
        hidden_size=HIDDEN_SIZE,
        decoder_size=HIDDEN_SIZE,
        window_steps=STEPS,
        positions=8,
        season=False,
    )


def draw_series(merchants: int, *, seed: int = 0) -> Series:
    """Draw the features of all entities of some merchants."""
    return build_series(draw_panel(merchants * ENTITIES_PER_MERCHANT, seed=seed), model_plan(), STEPS + HORIZON_DAYS)


@cache
def one_merchant() -> Series:
    """Give the features of one merchant's entities, drawn once in a process."""
    return draw_series(1)


def draw_panel(entities: int, *, days: int = STEPS + 2 * HORIZON_DAYS, seed: int = 0) -> Panel:
    """Draw daily demand with a weekly rhythm; nobody is born late and nothing is ever closed."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(2.0, 1.5, (entities, 1)) * (1 + 0.5 * np.sin(np.arange(days) * 2 * np.pi / 7))
    target = generator.poisson(rate).astype(np.float32)
    return Panel(
        start=date(2024, 1, 1),
        channels=("spend",),
        covariates=("promotion",),
        entities=np.array([f"product-{number}" for number in range(entities)], dtype=object),
        merchants=np.full(entities, "shop", dtype=object),
        target=target,
        observed=(target * 3.0)[:, :, None],
        known=generator.integers(0, 2, (entities, days, 1)).astype(np.float32),
        static=np.zeros((entities, 0), np.float32),
        open=np.ones((entities, days), dtype=bool),
        first_day=np.zeros(entities, dtype=np.int64),
        censored=np.zeros((entities, days), dtype=bool),
    )


def make_cohort(merchants: int) -> Cohort:
    """Put every merchant into the same size class."""
    owner = torch.arange(merchants).repeat_interleave(ENTITIES_PER_MERCHANT)
    return Cohort(owner, (64,) * merchants)


def new_model(series: Series) -> DemandGRU:
    """Make the model, its output moved away from zero, at which no gradient reaches the rest."""
    model = draw_model(series.plan, series, seed=0)
    torch.nn.init.normal_(model.output.weight, std=0.1)
    return model
