"""How often sums of paths hold what they promise: 80 % intervals of products, categories and the shop, at past origins.

Each origin is forecast as if it were that day; what came then was not learned from. Beside the paths stand the same
draws with their days and products shuffled, which is what independent quantiles of days would give.

A count has no quantile below which exactly one tenth lies, so an interval of whole pieces holds more than it says, most
of all where 0 is in it. `coverage` is the share of sums in the interval that is reported;
`fair` splits its ends at random in
the way that a probability of exactly 80 % would lie within (the randomised transform of Czado, Gneiting & Held 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float

from client.shop.forecast.category import read_categories
from client.shop.forecast.path import Paths, draw_paths
from client.shop.history.history import History
from client.shop.settings import Shop
from common.errors import ConfigError

LOW, HIGH = 0.1, 0.9
TRIES = 1000  # resampled origins


@dataclass(frozen=True)
class Coverage:
    """Share of sums in their 80 % interval, with its own interval over which origins there might have been."""

    level: str
    of: str
    sums: int
    coverage: float
    fair: float
    low: float
    high: float


def measure_coverage(
    history: History,
    shop: Shop,
    *,
    origins: Sequence[date],
    days: int,
    num_draws: int = 200,
    on_step: Callable[[date], None] = lambda origin: None,
) -> list[Coverage]:
    """Measure it on sums of `days` days from each origin on, of paths twice as long, and of their second half.

    Raises
    ------
    ConfigError
        There is no origin, or the days after one are not in the history.
    """
    span = history.span()
    if not origins or span is None or max(origins) + timedelta(days=2 * days - 1) > span[1]:
        raise ConfigError(
            f"Give origins with {2 * days} days of sales after them; the history ends on {span and span[1]}."
        )
    found: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for origin in origins:
        for level, of, inside, fair in _judge(history, shop, origin, days, num_draws):
            found.setdefault((level, of), []).append((inside, fair))
        on_step(origin)
    return [_sum_up(level, of, parts) for (level, of), parts in found.items()]


def _judge(
    history: History, shop: Shop, origin: date, days: int, num_draws: int
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Judge one origin: for each level and kind of draws whether sums lie inside, as reported and fairly."""
    generator = np.random.default_rng(origin.toordinal())
    batches = list(draw_paths(history, shop, days=2 * days, num_draws=num_draws, origin=origin, today=origin))
    products = [name for batch in batches for name in batch.products]
    actual = _actual(history, products, origin, 2 * days)
    groups = read_categories(history).groups(products)
    for half in (slice(0, days), slice(days, 2 * days)):
        joint = np.concatenate([_sums(batch, half) for batch in batches], axis=1)
        alone = np.concatenate([_shuffled_sums(batch, half, generator) for batch in batches], axis=1)
        came, live = actual[:, half].sum(axis=1), joint.any(axis=0)
        for of, draws in (("paths", joint), ("independent days and products", alone)):
            yield ("product", of, *_inside(draws[:, live], came[live], generator))
            if (groups >= 0).any():
                member = (groups[:, None] == np.unique(groups[groups >= 0])).astype(float)
                yield ("category", of, *_inside(draws @ member, came @ member, generator))
            yield ("shop", of, *_inside(draws.sum(axis=1, keepdims=True), came.sum(keepdims=True), generator))


def _sums(batch: Paths, half: slice) -> Float[np.ndarray, "draw product"]:
    return np.asarray(batch.draws[:, :, half].sum(axis=2, dtype=np.float64))


def _shuffled_sums(batch: Paths, half: slice, generator: np.random.Generator) -> Float[np.ndarray, "draw product"]:
    """Add up days that do not hang together, of products that do not either."""
    total = np.zeros(batch.draws.shape[:2])
    for day in range(half.start, half.stop):
        total += generator.permuted(batch.draws[:, :, day], axis=0)
    return total


def _actual(history: History, products: Sequence[str], first: date, days: int) -> Float[np.ndarray, "product day"]:
    place = {name: number for number, name in enumerate(products)}
    found = np.zeros((len(products), days))
    for batch in history.dense_daily(products, first=first, last=first + timedelta(days=days - 1)):
        found[[place[name] for name in batch.products]] = batch.units
    return found


def _inside(
    draws: Float[np.ndarray, "draw sum"], came: Float[np.ndarray, " sum"], generator: np.random.Generator
) -> tuple[Bool[np.ndarray, " sum"], Bool[np.ndarray, " sum"]]:
    low, high = np.quantile(draws, (LOW, HIGH), axis=0)
    below, upto = (draws < came).mean(axis=0), (draws <= came).mean(axis=0)
    reached = below + generator.random(len(came)) * (upto - below)
    return (low <= came) & (came <= high), (reached >= LOW) & (reached <= HIGH)


def _sum_up(level: str, of: str, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Coverage:
    """Add the halves of each origin up; the interval is over origins, for sums of one origin miss together."""
    pairs = [np.concatenate([fair for _, fair in parts[place : place + 2]]) for place in range(0, len(parts), 2)]
    inside = np.concatenate([own for own, _ in parts])
    hits, number = np.array([own.sum() for own in pairs]), np.array([len(own) for own in pairs])
    chosen = np.random.default_rng(0).integers(0, len(pairs), (TRIES, len(pairs)))
    shares = hits[chosen].sum(axis=1) / number[chosen].sum(axis=1)
    low, high = np.quantile(shares, (0.025, 0.975))
    fair = float(hits.sum() / number.sum())
    return Coverage(level, of, int(number.sum()), float(inside.mean()), fair, float(low), float(high))
