"""Who takes part in the synthetic federation, and when.

A merchant is a function of its number, the settings' ranges and the seed: size, kind and random streams do
not depend on how many merchants there are, so a federation can grow without changing anyone.
"""

import math
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator, SeedSequence

from common.errors import ConfigError
from simulation.synthetic.kind import KINDS, Kind

NEWCOMER_EVERY: Final = 6  # merchants 5, 11, 17, … opened only `newcomer_days` ago


@dataclass(frozen=True, kw_only=True)
class SyntheticSettings:
    """Size, span and seed of the synthetic federation.

    Parameters
    ----------
    merchants
        Number of merchants; kinds alternate, sizes are log-spaced.
    products_per_merchant_smallest, products_per_merchant_largest
        Range of assortments; merchant 0 has the smallest, merchant 1 the largest.
    customers_per_merchant_smallest, customers_per_merchant_largest
        Range of customer bases, in the same order.
    days
        Calendar days from `start`, closed days included.
    start
        First day.
    closed_weekday
        The weekday on which everyone is closed: 0 is Monday, 6 is Sunday.
    newcomer_days
        Calendar days of history of a new merchant (every sixth).
    seed
        The same seed gives the same frames exactly.
    stock_out_share
        Share of the days of each product on which it runs out of stock, up to one half; 0 is a world without stock.
    money
        Whether a world with stock counts money in place of pieces.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """

    merchants: int = 12
    products_per_merchant_smallest: int = 5
    products_per_merchant_largest: int = 200
    customers_per_merchant_smallest: int = 20
    customers_per_merchant_largest: int = 800
    days: int = 400
    start: date = date(2024, 1, 1)
    closed_weekday: int = 6
    newcomer_days: int = 56
    seed: int = 0
    stock_out_share: float = 0.0
    money: bool = False

    def __post_init__(self) -> None:
        _require(self.merchants >= 1, "merchants must be at least 1")
        for thing in ("products", "customers"):
            smallest, largest = (getattr(self, f"{thing}_per_merchant_{end}") for end in ("smallest", "largest"))
            _require(1 <= smallest <= largest, f"{thing}_per_merchant_smallest must lie in 1 … largest")
        _require(7 <= self.newcomer_days <= self.days, "newcomer_days must lie in 7 … days")
        _require(0 <= self.closed_weekday <= 6, "closed_weekday must lie in 0 (Monday) … 6 (Sunday)")
        _require(self.seed >= 0, "seed must not be negative")
        _require(0 <= self.stock_out_share <= 0.5, "stock_out_share must lie in 0 … 0.5")
        _require(self.stock_out_share > 0 or not self.money, "money needs a stock_out_share")


def merchant_name(merchant: int) -> str:
    """Name a merchant by its number."""
    return f"merchant-{merchant:03d}"


def merchant_kind(merchant: int) -> Kind:
    """Deal the kinds out in turn, shifted by one each time around so that no kind keeps to one size."""
    return KINDS[(merchant + merchant // len(KINDS)) % len(KINDS)]


def product_count(settings: SyntheticSettings, merchant: int) -> int:
    """Count a merchant's products."""
    smallest, largest = settings.products_per_merchant_smallest, settings.products_per_merchant_largest
    return _log_spaced(_size_position(merchant), smallest, largest)


def customer_count(settings: SyntheticSettings, merchant: int) -> int:
    """Count a merchant's customers."""
    smallest, largest = settings.customers_per_merchant_smallest, settings.customers_per_merchant_largest
    return _log_spaced(_size_position(merchant), smallest, largest)


def open_dates(settings: SyntheticSettings, merchant: int) -> pd.DatetimeIndex:
    """List the open days of a merchant's history."""
    dates = pd.date_range(settings.start, periods=settings.days, unit="us")
    if merchant % NEWCOMER_EVERY == NEWCOMER_EVERY - 1:
        dates = dates[-settings.newcomer_days :]
    return dates[dates.day_of_week != settings.closed_weekday]


def merchant_generator(settings: SyntheticSettings, merchant: int, *, stream: int) -> Generator:
    """Open one of a merchant's independent random streams."""
    return np.random.default_rng(SeedSequence(settings.seed, spawn_key=(merchant, stream)))


def _size_position(merchant: int) -> float:
    # 0 and 1, then the van der Corput sequence 1/2, 1/4, 3/4, 1/8, …: evenly spread for any federation.
    if merchant < 2:
        return float(merchant)
    bits = f"{merchant - 1:b}"
    return int(bits[::-1], 2) / (1 << len(bits))


def _log_spaced(position: float, smallest: int, largest: int) -> int:
    return round(smallest * math.pow(largest / smallest, position))


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ConfigError(f"Synthetic federation: {sentence}.")
