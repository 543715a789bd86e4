"""Invented products and stores: levels that drift, weekdays, seasons, promotions, gaps between sales, late starts.

Every merchant is another world, every entity varies around its merchant. Counts are negative binomial, down to one
sale in two months; money is log-normal around the same kind of curve.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator

from common.data.panel import Panel
from simulation.synthetic.pretraining.calendar import log_uniform, make_panel, open_calendar, yearly_wave

UNREST = 0.1, 1.5  # of a world of money: by how much its levels move, from a supermarket's calm to a fashion shop's
MONEY_NOISE = 0.03, 0.3  # standard deviation of a day's logarithm


def draw_products(generator: Generator, *, merchants: int, entities: int, days: int, regime: str, money: bool) -> Panel:
    """Draw `entities` series of each of several merchants; `regime` names the promotion, or is empty for none."""
    first_weekday = generator.integers(7)
    drawn = [_draw_merchant(generator, entities, days, promoted=bool(regime), money=money) for _ in range(merchants)]
    target, is_open, promotion = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return make_panel(
        target,
        is_open,
        start=date(2020, 1, 6 + first_weekday),
        merchants=np.repeat(np.arange(merchants), entities),
        regime=(regime, promotion) if regime else None,
    )


def _draw_merchant(
    generator: Generator, entities: int, days: int, *, promoted: bool, money: bool
) -> tuple[Float[np.ndarray, "entity day"], Bool[np.ndarray, "entity day"], Float[np.ndarray, "entity day"]]:
    promotion = _promotions(generator, entities, days) * promoted
    effect = np.abs(generator.normal(generator.uniform(0, 0.8), 0.15, (entities, 1)))
    level = np.log(log_uniform(generator, 300.0, 10_000.0) if money else log_uniform(generator, 0.03, 20.0))
    curve = level + generator.normal(0, 0.4 if money else 0.8, (entities, 1)) + effect * promotion
    unrest = log_uniform(generator, *UNREST) if money else 1.0
    curve += _weekdays(generator, entities, days) + unrest * _drift(generator, entities, days)
    curve += unrest * yearly_wave(generator, days) * generator.uniform(0.5, 1.5, (entities, 1))
    calendar = np.broadcast_to(open_calendar(generator, days), curve.shape)
    target = _money(generator, curve) if money else _counts(generator, curve)
    return target * _on_sale(generator, entities, days) * calendar, calendar, promotion


def _promotions(generator: Generator, entities: int, days: int) -> Float[np.ndarray, "entity day"]:
    """Draw campaigns of some days, for the whole merchant or for each entity by itself."""
    together = generator.random() < 0.5
    length, share = generator.integers(3, 15), generator.uniform(0.05, 0.5)
    blocks = generator.random((1 if together else entities, days // length + 2)) < share
    shift = generator.integers(length)
    campaigns = np.repeat(blocks, length, axis=1)[:, shift : shift + days]
    return np.broadcast_to(campaigns, (entities, days)).astype(float)


def _weekdays(generator: Generator, entities: int, days: int) -> Float[np.ndarray, "entity day"]:
    profile = generator.normal(0, generator.uniform(0.05, 0.5), (1, 7)) + generator.normal(0, 0.1, (entities, 7))
    return profile[:, np.arange(days) % 7]


def _drift(generator: Generator, entities: int, days: int) -> Float[np.ndarray, "entity day"]:
    """Draw a trend, and a level that walks: some days a little, at times a jump."""
    trend = generator.normal(0, 0.25, (entities, 1)) * np.arange(days) / 365
    steps = generator.normal(0, log_uniform(generator, 0.002, 0.03), (entities, days))
    jumps = generator.normal(0, 0.5, (entities, days)) * (generator.random((entities, days)) < 1 / 600)
    return trend + np.cumsum(steps + jumps, axis=1)


def _on_sale(generator: Generator, entities: int, days: int) -> Bool[np.ndarray, "entity day"]:
    """Draw late starts for a third, and an end for a tenth."""
    day = np.arange(days)
    start = np.where(generator.random(entities) < 1 / 3, generator.uniform(0, days, entities), 0)
    end = np.where(generator.random(entities) < 0.1, generator.uniform(days / 2, days, entities), days)
    return (day >= start[:, None]) & (day < end[:, None])


def _counts(generator: Generator, curve: Float[np.ndarray, "entity day"]) -> Float[np.ndarray, "entity day"]:
    size = np.exp(generator.uniform(np.log(0.3), np.log(15), (len(curve), 1)))
    mean = np.exp(np.minimum(curve, 8.0))
    return generator.negative_binomial(size, size / (size + mean)).astype(float)


def _money(generator: Generator, curve: Float[np.ndarray, "entity day"]) -> Float[np.ndarray, "entity day"]:
    """Add noise to the logarithm, part of which lasts some days."""
    scale, persistence = log_uniform(generator, *MONEY_NOISE), generator.uniform(0, 0.8)
    noise = generator.normal(0, scale, curve.shape)
    for day in range(1, curve.shape[1]):
        noise[:, day] = persistence * noise[:, day - 1] + np.sqrt(1 - persistence**2) * noise[:, day]
    return np.exp(np.minimum(curve + noise, 14.0))
