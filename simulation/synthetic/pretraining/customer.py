"""Invented customers: a buy-till-you-die world, different for every merchant.

Rates are gamma over customers, gaps between purchases Erlang; after each purchase a customer leaves with a
probability that is beta over customers (Fader, Hardie & Lee 2005, BG/NBD), or by time alone. What a network learns
on many such merchants is to read a purchase history as this model's posterior would, without being told which merchant
it is at. Unlike `simulation.synthetic`, nothing here is a function of a named merchant: each draw is another world.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator

from common.data.panel import Panel
from simulation.synthetic.pretraining.calendar import log_uniform, make_panel, open_calendar, yearly_wave

PURCHASES = 120  # of one customer at most
THINNING = 0.7  # purchases kept at average season


def draw_customers(generator: Generator, *, merchants: int, entities: int, days: int) -> Panel:
    """Draw `entities` customers of each of several merchants, over `days` days."""
    drawn = [_draw_merchant(generator, entities, days) for _ in range(merchants)]
    target, is_open = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return make_panel(target, is_open, start=date(2020, 1, 6), merchants=np.repeat(np.arange(merchants), entities))


def _draw_merchant(
    generator: Generator, customers: int, days: int
) -> tuple[Float[np.ndarray, "customer day"], Bool[np.ndarray, "customer day"]]:
    time = _purchase_times(generator, customers, days)
    first = np.arange(time.shape[1]) == 0
    day = np.minimum(time, days - 1).astype(int)
    season = np.exp(yearly_wave(generator, days) + generator.normal(0, 0.3) * np.arange(days) / 365)
    kept = (time < days) & (first | (generator.random(time.shape) < THINNING * season[day] / season.mean()))
    target = np.zeros((customers, days))
    np.add.at(target, (np.nonzero(kept)[0], day[kept]), 1)
    calendar = open_calendar(generator, days)
    return target * calendar, np.broadcast_to(calendar, target.shape)


def _purchase_times(generator: Generator, customers: int, days: int) -> Float[np.ndarray, "customer purchase"]:
    """Days of each customer's purchases, infinite after the last."""
    spread, regularity = generator.uniform(0.4, 2.0), generator.choice([1, 1, 1, 2, 3])
    rate = generator.gamma(spread, log_uniform(generator, 1 / 250, 1 / 12) / spread, customers)
    founding = generator.random(customers) < generator.uniform(0, 0.6)
    start = np.where(founding, generator.exponential(30, customers), generator.uniform(0, days, customers))
    gaps = generator.gamma(regularity, 1 / (regularity * np.maximum(rate, 1e-6))[:, None], (customers, PURCHASES - 1))
    time = start[:, None] + np.concatenate([np.zeros((customers, 1)), np.cumsum(gaps, axis=1)], axis=1)
    loyalty = generator.uniform(0.3, 3)
    leaving = generator.beta(loyalty, loyalty * log_uniform(generator, 3.0, 100.0), customers)
    left = np.cumsum(generator.random(time.shape) < leaving[:, None], axis=1)
    gone = np.concatenate([np.zeros((customers, 1), int), left[:, :-1]], axis=1) > 0
    end = start + generator.exponential(log_uniform(generator, 200.0, 2500.0), customers)
    gone[:, 1:] |= time[:, 1:] >= end[:, None]
    return np.where(gone, np.inf, time)
