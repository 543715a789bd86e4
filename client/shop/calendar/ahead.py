"""What is known ahead of a shop, day by day: holidays, sales days, events, promotions, prices, closures.

Known to a date: a record that the shop learnt of later than the day on which it forecasts is not in it, and where
something ends before the forecast does, a finding says so. Nothing that is not known becomes a silent zero.

All of it is the shop's own calendar, made of what the owner told and of public tables. No number of it is derived from
what was sold, but which days count as closed (`client.shop.calendar.day_kind`), and that is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from client.data.check.report import Finding
from client.language.speech import t
from client.language.trouble import say_trouble
from client.shop.calendar.day_after import day_after
from client.shop.calendar.day_kind import DayKinds, guess_kinds
from client.shop.calendar.kept import Kept
from client.shop.calendar.price import Prices, prices_between
from client.shop.calendar.promotion import known_by, last_day_of, promotions_between
from client.shop.settings import Shop
from common.calendar.public_holiday import fault_of_place, holidays_between, moves_working_days
from common.calendar.shopping_day import SHOPPING_DAYS, is_shopping_day
from common.errors import DataError

BY_PRODUCT = ("promotion", "discount", "price")
MOST_EVENTS = 12  # with a column of their own, those with most days; the others share one
OTHER_EVENT = "another event"
YEAR = timedelta(days=364)  # the same weekday a year later
NEAR = timedelta(days=14)  # of a closure told for this year, that answers for last year's


@dataclass(frozen=True)
class Ahead:
    """Covariates of a span of days, past or future.

    Attributes
    ----------
    names
        Of the shared covariates: what is the same for every product. They are the same for every span of one history.
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


def origin_of(history: Kept) -> date:
    """Give the first day to forecast if nothing else is said: the day after the last sale.

    Raises
    ------
    DataError
        Nothing was ever sold.
    """
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold, so there is nothing to forecast from; import sales first.")
    return day_after(span[1])


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
    if last < first:
        raise DataError(f"There is no day from {first} to {last}; give the last day behind the first.")
    told_by = told_by or origin_of(history)
    kinds = kinds or guess_kinds(history, shop)
    events, promotions = (known_by(history.records(kind), told_by) for kind in ("events", "promotions"))
    prices = prices_between(history.records("prices"), shop, first, last, products)
    shared = {**_public_days(shop, first, last), **_event_days(events, first, last)}
    offers = promotions_between(promotions, _categories(history), first, last, products)
    missing = [
        *_missing_prices(prices, shop, last, told_by, len(products)),
        *_missing_holidays(shop, first, last, told_by),
    ]
    if missing and shop.missing_ahead == "refuse":
        raise DataError(f'{missing[0].sentence} It is refused, since shop.toml says missing_ahead = "refuse".')
    findings = [
        *missing,
        *_missing_offers(promotions, last, told_by),
        *_missing_events(events, last, told_by),
        *_missing_closures(kinds, first, last, told_by),
    ]
    return Ahead(
        first=first,
        last=last,
        names=tuple(shared),
        shared=np.stack(list(shared.values()), axis=1).astype(np.float32),
        products=tuple(products),
        by_product=np.concatenate([offers, prices.by_day[:, :, None]], axis=2),
        is_open=kinds.is_open(first, last),
        findings=tuple(sorted(findings, key=lambda finding: ("fault", "warning", "note").index(finding.severity))),
    )


def _categories(history: Kept) -> dict[str, str]:
    table = history.products()
    return dict(zip(table["product"].to_pylist(), (name or "" for name in table["category"].to_pylist()), strict=True))


def _public_days(shop: Shop, first: date, last: date) -> dict[str, Bool[np.ndarray, " day"]]:
    found: dict[str, Bool[np.ndarray, " day"]] = {}
    if shop.country and not fault_of_place(shop.country, shop.subdivision):
        calendar = holidays_between(shop.country, shop.subdivision, first, last)
        found = {
            "holiday": calendar.is_holiday,
            "day before a holiday": calendar.is_before,
            "day after a holiday": calendar.is_after,
        }
        if moves_working_days(shop.country):
            found["worked weekend"] = calendar.is_worked
    return found | {name: is_shopping_day(name, first, last) for name in SHOPPING_DAYS}


def _event_days(events: Sequence[Mapping[str, Any]], first: date, last: date) -> dict[str, Bool[np.ndarray, " day"]]:
    """Mark the days of each event by its name, whichever of them fall into the span."""
    days = Counter[str]()
    for row in events:
        days[row["name"] or OTHER_EVENT] += (last_day_of(row) - row["first_day"]).days + 1
    named = sorted(sorted(days), key=lambda name: -days[name])[:MOST_EVENTS]
    shown = sorted(named) + ([OTHER_EVENT] if len(days) > len(named) and OTHER_EVENT not in named else [])
    found = {f"event {name}": np.zeros((last - first).days + 1, bool) for name in shown}
    for row in events:
        name = row["name"] if row["name"] in named else OTHER_EVENT
        found[f"event {name}"][
            max((row["first_day"] - first).days, 0) : max((last_day_of(row) - first).days + 1, 0)
        ] = True
    return found


def _missing_prices(prices: Prices, shop: Shop, last: date, told_by: date, num_products: int) -> Iterator[Finding]:
    for currency in prices.unknown_currencies:
        yield Finding(
            "warning",
            "price_currency",
            t(
                "Prices in {currency} are left out, since shop.toml has no rate of it; write rates.{currency} there.",
                currency=currency,
            ),
        )
    if prices.ends and last >= told_by:
        end = min(prices.ends.values())
        yield Finding(
            "warning",
            "prices_end",
            t(
                "Prices of {ends} of {num_products} products are known to {end}; the forecast goes to "
                "{last}: the last price of each goes on after its end. Import the prices that will hold, or "
                "let them have no end.",
                ends=len(prices.ends),
                num_products=num_products,
                end=end,
                last=last,
            ),
        )


def _missing_holidays(shop: Shop, first: date, last: date, told_by: date) -> Iterator[Finding]:
    if not shop.country or last < told_by:
        return
    fault = fault_of_place(shop.country, shop.subdivision)
    if fault:
        yield Finding("warning", "holidays_place", t("No public holiday is known: {fault}.", fault=say_trouble(fault)))
        return
    calendar = holidays_between(shop.country, shop.subdivision, max(first, told_by), last)
    for year in calendar.unknown_years:
        yield Finding(
            "warning",
            "holidays_unknown",
            t(
                "Public holidays of {country} in {year} are not known here; its days count as ordinary ones. "
                "Bring the package `holidays` up to date, or import them as events.",
                country=shop.country,
                year=year,
            ),
        )
    for year in calendar.unannounced_years:
        yield Finding(
            "warning",
            "holidays_unannounced",
            t(
                "Which weekends {country} works for days off in {year} is not announced, or not known here "
                "yet; its holidays by law are. Bring the package `holidays` up to date when it is.",
                country=shop.country,
                year=year,
            ),
        )
    yield from (Finding("note", "holidays_doubt", say_trouble(sentence)) for sentence in calendar.doubts)


def _missing_offers(promotions: Sequence[Mapping[str, Any]], last: date, told_by: date) -> Iterator[Finding]:
    if not promotions or last < told_by:
        return
    end = max(map(last_day_of, promotions))
    if end < last:
        yield Finding(
            "warning",
            "promotions_end",
            t(
                "Promotions are known to {end}; the forecast goes to {last}: the days after count as without "
                "any. Import those that are planned.",
                end=end,
                last=last,
            ),
        )


def _missing_events(events: Sequence[Mapping[str, Any]], last: date, told_by: date) -> Iterator[Finding]:
    """Say which events that came before are known of no day ahead."""
    if last < told_by:
        return
    ends: dict[str, date] = {}
    for row in events:
        ends[row["name"]] = max(ends.get(row["name"], date.min), last_day_of(row))
    over = {name: end for name, end in ends.items() if end < told_by}
    if over:
        name = max(over, key=lambda name: over[name])
        yield Finding(
            "note",
            "events_end",
            t(
                "{over} of {ends} events are known of no day ahead, the latest {name}, over since {over_2}; "
                "if one comes again by {last}, import it.",
                over=len(over),
                ends=len(ends),
                name=name or t("without a name"),
                over_2=over[name],
                last=last,
            ),
        )


def _missing_closures(kinds: DayKinds, first: date, last: date, told_by: date) -> Iterator[Finding]:
    """Ask of closures that fell on these days a year ago whether they come again."""
    begins = max(first, told_by)
    ahead = [day for each in kinds.closures if each.source == "told" for day in each.days if day >= begins - NEAR]
    for closure in kinds.closures:
        again = [day + YEAR for day in closure.days if begins <= day + YEAR <= last]
        is_once = closure.source == "guess" and closure.why == "a closure"
        if not again or not is_once or any(abs(day - again[0]) <= NEAR for day in ahead):
            continue
        yield Finding(
            "note",
            "closure_again",
            t(
                "A year ago the shop seems to have been closed from {again} to {again_2}; if it will be so "
                "again, write closed_dates into shop.toml or import a closure: now these days count as open.",
                again=again[0] - YEAR,
                again_2=again[-1] - YEAR,
            ),
        )
