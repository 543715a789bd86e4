"""Whether products of few days are forecast better by how others sold after their first sale than by a factor alone.

Each origin is forecast as if it were that day, twice: as a shop is served, and without what is borrowed from births.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from jaxtyping import Float

from client.shop.forecast.fit import choose_names, fit
from client.shop.forecast.level import PUT_RIGHT
from client.shop.forecast.life import State
from client.shop.forecast.period import Period
from client.shop.forecast.question import Question
from client.shop.forecast.serving import forecast_all
from client.shop.forecast.setting import set_up
from client.shop.history.history import History
from client.shop.settings import Shop
from common.errors import ConfigError

DAYS = 28
FLOOR = 0.05  # pieces, so that a forecast of nothing does not become impossible by one sale
TRIES = 2000  # resampled origins
WAYS = {"factor alone": False, "births too": True}


@dataclass(frozen=True)
class Judged:
    """How sums of 28 days of products in one state were forecast in one way.

    Attributes
    ----------
    deviance
        Mean Poisson deviance of a sum.
    wape
        Absolute errors of the mean over what was sold.
    coverage
        Share within the 80 % interval as reported.
    deviance_ratio, wape_ratio
        To the first way, with 95 % bounds over which origins there might have been.
    """

    state: State
    way: str
    sums: int
    deviance: float
    wape: float
    bias: float
    coverage: float
    deviance_ratio: tuple[float, float, float]
    wape_ratio: tuple[float, float, float]


def measure_births(
    history: History,
    shop: Shop,
    *,
    origins: Sequence[date],
    on_step: Callable[[date], None] = lambda origin: None,
) -> list[Judged]:
    """Measure it over origins.

    Raises
    ------
    ConfigError
        There is no origin, or the days after one are not in the history.
    """
    span = history.span()
    if not origins or span is None or max(origins) + timedelta(days=DAYS - 1) > span[1]:
        raise ConfigError(f"Give origins with {DAYS} days of sales after them; the history ends on {span and span[1]}.")
    found = {way: np.zeros((len(origins), len(PUT_RIGHT), 6)) for way in WAYS}
    for number, origin in enumerate(origins):
        for way, borrows in WAYS.items():
            found[way][number] = _judge(history, shop, origin, borrows=borrows)
        on_step(origin)
    base = found["factor alone"]
    return [
        _sum_up(state, way, sums[:, place], base[:, place])
        for place, state in enumerate(PUT_RIGHT)
        for way, sums in found.items()
    ]


def _judge(history: History, shop: Shop, origin: date, *, borrows: bool) -> Float[np.ndarray, "state measure"]:
    """Add up, of each state: deviances, errors, pieces sold, pieces forecast, sums, sums within their interval."""

    def quiet(what: str, share: float) -> None:
        del what, share

    question = Question(by="day", horizon=f"{DAYS}d", origin=origin)
    setting, _ = set_up(history, shop, question, today=origin, on_step=quiet)
    whole = Period(f"{DAYS} days", origin, origin + timedelta(days=DAYS - 1), DAYS)
    one = replace(setting, periods=(whole,))
    fitted = fit(one, choose_names("", one)[0], quiet, lengths=(DAYS,), borrows=borrows)
    table, _ = forecast_all(one, fitted, np.arange(len(one.sales.products)), quiet)
    mean, low, high = (table[name].to_numpy() for name in ("mean", "q10", "q90"))
    sold, told = _sold(history, table["product"].to_pylist(), origin), np.array(table["state"].to_pylist())
    measures = np.stack(
        [_deviance(sold, mean), np.abs(sold - mean), sold, mean, np.ones(len(sold)), (low <= sold) & (sold <= high)]
    )
    return np.stack([measures[:, told == state].sum(axis=1) for state in PUT_RIGHT])


def _sold(history: History, products: Sequence[str], origin: date) -> Float[np.ndarray, " product"]:
    place, sold = {name: number for number, name in enumerate(products)}, np.zeros(len(products))
    for batch in history.dense_daily(products, first=origin, last=origin + timedelta(days=DAYS - 1)):
        sold[[place[name] for name in batch.products]] = np.maximum(batch.units, 0.0).sum(axis=1)
    return sold


def _deviance(sold: np.ndarray, mean: np.ndarray) -> np.ndarray:
    said = mean + FLOOR
    logs = np.where(sold > 0, sold * np.log(np.maximum(sold, 1e-9) / said), 0.0)
    return np.asarray(2 * (logs - (sold - said)))


def _sum_up(state: State, way: str, own: np.ndarray, base: np.ndarray) -> Judged:
    total = own.sum(axis=0)
    chosen = np.random.default_rng(0).integers(0, len(own), (TRIES, len(own)))

    def ratio(measure: int) -> tuple[float, float, float]:
        tried, there = own[chosen, measure].sum(axis=1), base[chosen, measure].sum(axis=1)
        low, high = np.quantile(tried / np.maximum(there, 1e-9), (0.025, 0.975))
        return float(total[measure] / max(base[:, measure].sum(), 1e-9)), float(low), float(high)

    sums, pieces = max(total[4], 1.0), max(total[2], 1e-9)
    return Judged(
        state,
        way,
        int(total[4]),
        float(total[0] / sums),
        float(total[1] / pieces),
        float(total[3] / pieces),
        float(total[5] / sums),
        ratio(0),
        ratio(1),
    )
