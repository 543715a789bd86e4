"""One merchant's world: products, prices, promotions and the true rate of every product on every open day.

Time runs in open days, one per column. The log rate of a product adds up a level, a trend, a yearly wave, a
weekday profile and the price; "buzz", a slowly wandering interest, moves views at once and orders, if online,
some days later.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.random import Generator
from scipy.signal import lfilter

from simulation.synthetic.federation import (
    SyntheticSettings,
    merchant_generator,
    merchant_kind,
    merchant_name,
    open_dates,
    product_count,
)
from simulation.synthetic.kind import Kind

NEW_PRODUCT_SHARE: Final = 0.15
NEWEST_PRODUCT_DAYS: Final = 14  # open days that even the newest product has been on sale
BUZZ_MEMORY: Final = 0.8  # autocorrelation of log interest from one open day to the next
BUZZ_WARM_UP_DAYS: Final = 30  # until what is left of the start is below 0.2 %


@dataclass(frozen=True)
class Shop:
    """What is true of one merchant; rates are 0 before a product goes on sale."""

    name: str
    kind: Kind
    dates: pd.DatetimeIndex
    products: list[str]
    on_sale: Bool[np.ndarray, "product day"]
    promotion: Bool[np.ndarray, "product day"]
    price: Float[np.ndarray, "product day"]
    rate: Float[np.ndarray, "product day"]
    view_rate: Float[np.ndarray, "product day"]


def draw_shop(settings: SyntheticSettings, merchant: int) -> Shop:
    """Draw one merchant's world."""
    generator = merchant_generator(settings, merchant, stream=0)
    name, kind, dates = merchant_name(merchant), merchant_kind(merchant), open_dates(settings, merchant)
    shape = product_count(settings, merchant), len(dates)
    on_sale = _draw_on_sale(shape, generator)
    promotion = _draw_promotion(shape, generator, kind=kind)
    base_price, price = _draw_price(promotion, generator, kind=kind)
    elasticity = kind.elasticity * np.exp(0.2 * generator.standard_normal((shape[0], 1)))
    demand = on_sale * np.exp(
        _draw_level(shape[0], generator, kind=kind)
        + _draw_season(shape[0], generator, kind=kind, dates=dates)
        - elasticity * np.log(price / base_price)
    )
    buzz, ordering_buzz = _draw_buzz(shape, generator, kind=kind)
    return Shop(
        name=name,
        kind=kind,
        dates=dates,
        products=[f"{name}-product-{product:03d}" for product in range(shape[0])],
        on_sale=on_sale,
        promotion=promotion,
        price=price,
        rate=demand * ordering_buzz,
        view_rate=demand * buzz / kind.conversion,
    )


def _draw_on_sale(shape: tuple[int, int], generator: Generator) -> Bool[np.ndarray, "product day"]:
    latest = max(shape[1] - NEWEST_PRODUCT_DAYS, 0)
    launch = generator.integers(latest, size=shape[0], endpoint=True)
    launch[generator.random(shape[0]) >= NEW_PRODUCT_SHARE] = 0
    launch[0] = 0  # a shop never opens empty
    return np.arange(shape[1]) >= launch[:, None]


def _draw_promotion(shape: tuple[int, int], generator: Generator, *, kind: Kind) -> Bool[np.ndarray, "product day"]:
    # The merchant runs a campaign every few weeks; every product joins or sits it out.
    period, length = generator.integers(18, 36), generator.integers(5, 12)
    day = np.arange(shape[1]) + generator.integers(period)
    campaign = day // period
    joins = generator.random((shape[0], campaign[-1] + 1)) < kind.promotion_share
    return joins[:, campaign] & (day % period < length)


def _draw_price(
    promotion: Bool[np.ndarray, "product day"], generator: Generator, *, kind: Kind
) -> tuple[Float[np.ndarray, "product 1"], Float[np.ndarray, "product day"]]:
    products, days = promotion.shape
    base = np.round(np.exp(generator.normal(math.log(kind.price), 0.6, (products, 1))), 2)
    change_day = generator.integers(days, size=(products, 1))
    change = generator.uniform(-0.05, 0.1, (products, 1)) * (np.arange(days) >= change_day)
    discount = generator.uniform(0.1, 0.35, (products, 1)) * promotion
    return base, np.round(base * (1 + change) * (1 - discount), 2)


def _draw_level(products: int, generator: Generator, *, kind: Kind) -> Float[np.ndarray, "product 1"]:
    return generator.normal(math.log(kind.daily_units), kind.units_spread, (products, 1))


def _draw_season(
    products: int, generator: Generator, *, kind: Kind, dates: pd.DatetimeIndex
) -> Float[np.ndarray, "product day"]:
    peak = generator.normal(kind.season_peak, kind.season_spread, (products, 1))
    amplitude = kind.season * generator.uniform(0.6, 1.4, (products, 1))
    year = amplitude * np.cos(2 * math.pi * (dates.day_of_year.to_numpy() - peak) / 365.25)
    week = np.log(kind.weekday) + generator.normal(0, 0.05, 7) + generator.normal(0, 0.1, (products, 7))
    trend_per_year = generator.normal(0, 0.1) + generator.normal(0, 0.15, (products, 1))
    years = (dates - dates[0]).days.to_numpy() / 365.25
    return year + week[:, dates.day_of_week] + trend_per_year * years


def _draw_buzz(
    shape: tuple[int, int], generator: Generator, *, kind: Kind
) -> tuple[Float[np.ndarray, "product day"], Float[np.ndarray, "product day"]]:
    # Interest with mean 1, and the same interest as it reaches the orders.
    noise = generator.standard_normal((shape[0], BUZZ_WARM_UP_DAYS + shape[1]))
    wander = lfilter([math.sqrt(1 - BUZZ_MEMORY**2)], [1, -BUZZ_MEMORY], noise)
    buzz = np.exp(kind.buzz * wander - kind.buzz**2 / 2)
    delayed = lfilter(kind.lead, [1], buzz)
    return buzz[:, BUZZ_WARM_UP_DAYS:], delayed[:, BUZZ_WARM_UP_DAYS:]
