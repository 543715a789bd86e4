"""Whom to write to this week, who is held back so that the effect can be seen, and what it came to.

Nobody knows beforehand what a letter brings: some would have come anyway, some never will. What is known is what is at
stake. So a share of the list, chosen by a hash and the same for a quarter of a year, is not written to; later the two
groups are held against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from scipy.stats import norm

from client.decision.customer.outlook import Outlook
from client.decision.customer.purchase import Purchases
from common.errors import DataError

WRITTEN_TO = ("slipping away", "quiet", "big and rare", "regular")
MOST_OF_USUAL = 0.75  # of her usual chance: one who is in her rhythm needs no letter
SIGNIFICANCE, POWER = 0.05, 0.8
COLUMNS = ("customer", "written_on", "hold_out", "segment", "value_at_risk", "chance_90", "usual_chance_90")


@dataclass(frozen=True)
class Letters:
    """The list, those with the most at stake first.

    Attributes
    ----------
    table
        customer, written_on, hold_out, segment, value_at_risk, chance_90, usual_chance_90, order_value.
    uplift, gain
        The owner's own guess of how many in a hundred come because of a letter, and what that would bring; None where
        she gave none.
    smallest_seen
        Difference in the share that buys that would be told from chance in four of five cases.
    """

    table: pa.Table
    at_risk: float
    uplift: float | None
    gain: float | None
    smallest_seen: float | None

    @property
    def held_out(self) -> int:
        """Customers who are not written to."""
        return int(np.count_nonzero(self.table["hold_out"].to_numpy(zero_copy_only=False)))


def choose_letters(outlook: Outlook, *, most: int, hold_out: float, uplift: float | None) -> Letters:
    """Choose the customers with the most at stake whose chance has fallen, and hold some of them back."""
    table, segments = outlook.table, pa.array(WRITTEN_TO)
    usual = np.nan_to_num(table["usual_chance_90"].to_numpy())
    fallen = table["chance_90"].to_numpy() <= MOST_OF_USUAL * usual
    chosen = np.array([name in segments.to_pylist() for name in table["segment"].to_pylist()]) & fallen
    table = table.take(pa.array(np.flatnonzero(chosen)[:most]))
    names = table["customer"].to_pylist()
    held = np.array([is_held_out(name, outlook.origin, hold_out) for name in names], dtype=np.bool_)
    number = table.num_rows
    listed = pa.table(
        {
            "customer": table["customer"],
            "written_on": pa.array([outlook.origin] * number, pa.date32()),
            "hold_out": pa.array(held),
            **{name: table[name] for name in (*COLUMNS[3:], "order_value")},
        }
    )
    chance = table["chance_90"].to_numpy()
    gain = None if uplift is None else _gain(chance[~held], table["order_value"].to_numpy()[~held], uplift)
    at_risk = float(np.nan_to_num(table["value_at_risk"].to_numpy()).sum())
    return Letters(listed, at_risk, uplift, gain, _smallest_seen(chance, held))


def is_held_out(customer: str, origin: date, share: float) -> bool:
    """Say whether a customer is not written to in the quarter of a day; the same every week of it."""
    told = blake2b(f"{customer} {origin.year} {(origin.month - 1) // 3}".encode(), digest_size=8, person=b"hold-out")
    return int.from_bytes(told.digest(), "big") < share * 2.0**64


def _gain(chance: np.ndarray, order_value: np.ndarray, uplift: float) -> float:
    return float((np.minimum(uplift, 1.0 - chance) * order_value).sum())


def _smallest_seen(chance: np.ndarray, held: np.ndarray) -> float | None:
    written, kept = int((~held).sum()), int(held.sum())
    if not written or not kept:
        return None
    mean = float(chance.mean())
    both = norm.ppf(1 - SIGNIFICANCE / 2) + norm.ppf(POWER)
    return float(both * np.sqrt(mean * (1 - mean) * (1 / written + 1 / kept)))


@dataclass(frozen=True)
class Group:
    """Of the customers who were written to, or were not: how many, the share that bought since, money of each."""

    customers: int
    bought: float
    money: float


@dataclass(frozen=True)
class Effect:
    """What letters came to: both groups, and the differences with intervals that hold in 19 of 20 cases."""

    written_on: date
    days: int
    written: Group
    held: Group
    bought: tuple[float, float, float]
    money: tuple[float, float, float]


def measure_effect(purchases: Purchases, listed: pa.Table, *, until: date, origin: str) -> Effect:
    """Hold those who were written to against those who were not, from the day of the list to before `until`.

    Raises
    ------
    DataError
        The file is no list of letters, of several days, of other customers, or one of its groups is too small.
    """
    missing = [name for name in COLUMNS[:3] if name not in listed.column_names]
    if missing:
        raise DataError(f"{origin} has no column {missing[0]!r}; give a file that --write wrote.")
    days = {_as_date(value) for value in listed["written_on"].to_pylist()}
    first = days.pop() if len(days) == 1 else None
    if first is None:
        raise DataError(f"{origin} is not of one day; measure one list at a time.")
    names = np.array([str(name) for name in listed["customer"].to_pylist()], dtype=np.str_)
    place = np.minimum(np.searchsorted(purchases.customers, names), len(purchases.customers) - 1)
    if not (purchases.customers[place] == names).all():
        raise DataError(f"{origin} names customers whom this shop does not know; give the list of this shop.")
    begin, end = purchases.day_of(first), purchases.day_of(until)
    if end <= begin:
        raise DataError(f"No day after {first} is known yet; import what was sold since, then measure again.")
    held = np.array([str(value).lower() == "true" for value in listed["hold_out"].to_pylist()], dtype=np.bool_)
    if min(held.sum(), (~held).sum()) < 2:
        raise DataError(
            f"On the list of {origin} {held.sum()} of {len(held)} are held back; at least 2 in each group are needed."
        )
    bought = purchases.count(place, begin, end) > 0
    money = purchases.spend(place, begin, end)
    groups = [Group(int(own.sum()), float(bought[own].mean()), float(money[own].mean())) for own in (~held, held)]
    return Effect(first, end - begin, groups[0], groups[1], _differ(bought * 1.0, held), _differ(money, held))


def _differ(values: np.ndarray, held: np.ndarray) -> tuple[float, float, float]:
    """Give the difference of the means with its interval (Welch's error; Agresti and Caffo's extra pair for shares)."""
    written, kept = values[~held], values[held]
    is_share = bool(np.isin(values, [0.0, 1.0]).all())
    if is_share:
        told = [np.append(each, [0.0, 1.0]) for each in (written, kept)]
        middle = float(told[0].mean() - told[1].mean())
        error = float(np.sqrt(sum(each.mean() * (1 - each.mean()) / len(each) for each in told)))
    else:
        middle = float(written.mean() - kept.mean())
        error = float(np.sqrt(written.var(ddof=1) / len(written) + kept.var(ddof=1) / len(kept)))
    half = float(norm.ppf(1 - SIGNIFICANCE / 2)) * error
    return float(written.mean() - kept.mean()), middle - half, middle + half


def _as_date(value: object) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
