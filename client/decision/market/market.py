"""From a shop's history to what its market does: what `hansa-client trends` tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool

from client.decision.market.series import Series, count_days, list_series
from client.decision.market.surprise import Surprises, find_surprises
from client.decision.market.survey import Finding, survey
from client.feedback.forecast import Served
from client.feedback.past import Past, read_past
from client.shop.calendar.kept import Kept
from client.shop.calendar.promotion import promotions_between
from client.shop.settings import Shop
from common.errors import ConfigError

Step = Callable[[str, float], None]


@dataclass(frozen=True)
class Market:
    """What was found, and what it was found in."""

    past: Past
    series: tuple[Series, ...]
    findings: tuple[Finding, ...]
    surprises: Surprises


def read_market(
    history: Kept,
    shop: Shop,
    forecasts: Iterable[Served],
    *,
    products: Sequence[str] = (),
    most: int,
    until: date | None = None,
    on_step: Step = lambda what, share: None,
) -> Market:
    """Look at the shop, its categories and its best-selling products, or at some products alone.

    Parameters
    ----------
    most
        Products that are looked at where none is named.
    until
        The last day that is looked at; all if left out.

    Raises
    ------
    ConfigError
        A product that is named was never sold, or nothing is left.
    DataError
        Nothing was ever sold.
    """
    past = read_past(history, shop)
    promoted = find_promoted(history, past)
    if until is not None:
        past, promoted = _cut(past, promoted, until)
    rows = past.rows_of(products)
    if (rows < 0).any():
        unknown = products[int(np.flatnonzero(rows < 0)[0])]
        raise ConfigError(f"No product {unknown!r} was ever sold in this shop; see: hansa-client history.")
    on_step("reading the history", 1.0)
    counted = count_days(past, promoted)
    found = tuple(list_series(past, counted, products=rows.tolist(), most=most))
    findings = survey(past, found, on_step=on_step)
    surprises = find_surprises(past, counted, forecasts) if not products else Surprises((), 0, None, None)
    return Market(past, found, tuple(findings), surprises)


def find_promoted(history: Kept, past: Past) -> Bool[np.ndarray, "product day"]:
    """Tell on which days each product was on an offer."""
    rows = [row for row in history.records("promotions").to_pylist() if row["first_day"] is not None]
    if not rows:
        return np.zeros(past.units.shape, bool)
    categories = dict(zip(past.products, past.category, strict=True))
    found = promotions_between(rows, categories, past.first, past.last, past.products)
    return np.asarray(found[:, :, 0] > 0)


def _cut(past: Past, promoted: np.ndarray, until: date) -> tuple[Past, Bool[np.ndarray, "product day"]]:
    from dataclasses import replace

    number = past.column(until) + 1
    if number < 7:
        raise ConfigError(f"--until {until} leaves less than a week of the history; choose a later day.")
    kept = replace(past, units=past.units[:, :number], out=past.out[:, :number], open=past.open[:number])
    return kept, promoted[:, :number]
