"""What is known ahead of a shop, day by day: holidays, sales days, events, promotions, prices, closures.

Known to a date: a record that the shop learnt of later than the day on which it forecasts is not in it, and where
something ends before the forecast does, a finding says so. Nothing that is not known becomes a silent zero.

All of it is the shop's own calendar, made of what the owner told and of public tables. No number of it is derived from
what was sold, but which days count as closed (`client.shop.calendar.day_kind`), and that is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float

from client.data.check.report import Finding
from client.shop.calendar.day_kind import DayKinds
from client.shop.calendar.kept import Kept
from client.shop.settings import Shop

BY_PRODUCT = ("promotion", "discount", "price")


@dataclass(frozen=True)
class Ahead:
    """Covariates of a span of days, past or future.

    Attributes
    ----------
    names
        Of the shared covariates: what is the same for every product.
    shared
        0 or 1 for each day.
    products
        As they were asked for.
    by_product
        `BY_PRODUCT` in the last axis: whether there is a promotion, its discount as a share of the price, and the price
        in the shop's currency. NaN: no price is known of that product, on that day or before.
    is_open
        Whether the shop is open.
    findings
        What ends before the span does, what is not known, and what to do, worst first.
    """

    first: date
    last: date
    names: tuple[str, ...]
    shared: Float[np.ndarray, "day covariate"]
    products: tuple[str, ...]
    by_product: Float[np.ndarray, "product day 3"]
    is_open: Bool[np.ndarray, " day"]
    findings: tuple[Finding, ...]


def ahead_of(
    history: Kept,
    shop: Shop,
    first: date,
    last: date,
    products: Sequence[str],
    *,
    told_by: date | None = None,
    kinds: DayKinds | None = None,
) -> Ahead:
    """Say what is known of every day from `first` to `last`, both included.

    Parameters
    ----------
    told_by
        The day on which it is asked: what the shop learnt of later is left out, and what lies from it on is ahead. The
        day after the last sale if left out.
    kinds
        As `guess_kinds` gives them, where they are at hand already.

    Raises
    ------
    DataError
        Something is missing ahead, and `missing_ahead = "refuse"`; or the span ends before it begins.
    """
    raise NotImplementedError
