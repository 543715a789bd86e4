"""Read who bought what for how much from a shop's history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from client.decision.customer.purchase import Purchases, make_purchases
from client.language.speech import t
from client.shop.calendar.day_after import day_after
from client.shop.settings import Shop
from common.errors import DataError

LEAST_DAYS = 30
MANY_CUSTOMERS, CROWD_SHARE = 50, 0.1  # one of so many with such a share of the lines is hardly a person
MISSING_SOME = 0.01  # of lines without money, from which on it is said
_SALES = """
    SELECT customer, day, coalesce(currency, '') AS currency, coalesce(sum(amount), 0)::DOUBLE AS amount,
        count(amount) AS known, count(*) AS lines
    FROM sales WHERE state = 'sold' AND day IS NOT NULL AND product <> '' GROUP BY ALL
"""
# An order number that two customers have (of two channels) tells of neither.
_RETURNS = """
    WITH ordered AS (
        SELECT "order", min(customer) AS customer, min(day) AS day FROM sales
        WHERE "order" <> '' AND customer <> '' AND day IS NOT NULL GROUP BY "order" HAVING count(DISTINCT customer) = 1
    )
    SELECT coalesce(nullif(r.customer, ''), o.customer) AS customer, coalesce(r.day, o.day) AS day,
        coalesce(r.currency, '') AS currency, sum(abs(r.amount))::DOUBLE AS amount
    FROM returns r LEFT JOIN ordered o ON r."order" = o."order" AND r."order" <> ''
    WHERE r.amount IS NOT NULL GROUP BY ALL
"""


@runtime_checkable  # annotations are checked in tests
class Asked(Protocol):
    """A history that answers SQL over its records, as `client.shop.history` does."""

    def ask(self, query: str) -> pa.Table:
        """Answer a query."""
        ...


def read_purchases(history: Asked, shop: Shop) -> tuple[Purchases, tuple[str, ...]]:
    """Read the purchases of all customers that are known, and what makes them doubtful, in sentences.

    Raises
    ------
    DataError
        There is no sale, or none names a customer; or no day is left after the last one.
    """
    sales = history.ask(_SALES)
    if not sales.num_rows:
        raise DataError("The history holds no sale yet; bring some in with: hansa-client import")
    lines, known = sales["lines"].to_numpy(), sales["known"].to_numpy()
    days, who = _days(sales), np.array(sales["customer"].to_pylist(), dtype=np.str_)
    named = who != ""
    if not named.any():
        raise DataError(
            f"None of the {lines.sum():,} lines sold names a customer, so nobody can be told apart; bring an export "
            'with a column of the customer (e-mail or number) and name it in shop.toml: columns = { customer = "…" }'
        )
    day_after(date.fromordinal(int(days.max())))  # refused where there is none
    money, unpriced = _worth(sales, shop)
    purchases = make_purchases(
        who[named],
        days[named] - days.min(),
        money[named],
        start=date.fromordinal(int(days.min())),
        num_days=int(days.max() - days.min()) + 1,
        back=_read_back(history, shop, int(days.min())),
        lines_without_customer=float(lines[~named].sum() / lines.sum()),
    )
    missing = float((lines - known + known * unpriced)[named].sum() / lines[named].sum())
    most = float(np.bincount(np.unique(who[named], return_inverse=True)[1], lines[named]).max() / lines.sum())
    crowd = most if len(purchases.customers) >= MANY_CUSTOMERS else 0.0
    return purchases, tuple(_doubts(missing, purchases.lines_without_customer, crowd))


def _doubts(missing: float, nobody: float, most: float) -> list[str]:
    said = []
    if most >= CROWD_SHARE:
        said.append(
            t(
                "One customer has {most:.0%} of the lines sold, which looks like guests or the till under "
                "one name; leave the cell of the customer empty for them in the export.",
                most=most,
            )
        )
    if nobody >= MISSING_SOME:
        said.append(
            t(
                "{nobody:.0%} of the lines sold name no customer (guests, the till); they are left out here.",
                nobody=nobody,
            )
        )
    if missing >= MISSING_SOME:
        said.append(
            t(
                "{missing:.0%} of the customers' lines have no price in the shop's currency and count as "
                "nothing in money.",
                missing=missing,
            )
        )
    return said


def _days(table: pa.Table) -> np.ndarray:
    """Give days as ordinals of the calendar."""
    return table["day"].to_numpy().astype("datetime64[D]").astype(np.int64) + date(1970, 1, 1).toordinal()


def _worth(table: pa.Table, shop: Shop) -> tuple[np.ndarray, np.ndarray]:
    """Give money in the shop's currency, 0 where nobody says what it is worth, and where that is."""
    rates: Mapping[str, float] = {"": 1.0, **shop.rates, shop.currency: 1.0}
    rate = np.array([rates.get(code, np.nan) for code in table["currency"].to_pylist()], dtype=np.float64)
    unknown = np.isnan(rate)
    return table["amount"].to_numpy() * np.where(unknown, 0.0, rate), unknown


def _read_back(history: Asked, shop: Shop, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = history.ask(_RETURNS)
    known = np.array([bool(who) and day is not None for who, day in zip(
        table["customer"].to_pylist(), table["day"].to_pylist(), strict=True
    )], dtype=np.bool_)  # fmt: skip
    table = table.filter(pa.array(known))
    who = np.array(table["customer"].to_pylist(), dtype=np.str_)
    return who, np.maximum(_days(table) - first, 0), _worth(table, shop)[0]
