"""Who will buy, who is leaving and what is at stake: the answer for one shop, a row for each customer.

Notable here: risk is measured against the customer's own rhythm. `usual` is what BG/NBD says of her as if she had not
left and her silence told nothing of her rate; the risk is the share of that chance that is gone. Money at risk is what
she would bring in the months ahead in her rhythm, less what she is now expected to bring. Both can be held against
what comes. A customer who bought once has no rhythm yet, and neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from scipy.special import expit, logit

from client.decision.customer.ahead import Ahead, Progress, draw_ahead, learn_from, look_ahead
from client.decision.customer.purchase import Purchases
from client.decision.customer.reading import LEAST_DAYS
from client.decision.customer.segment import SEGMENTS, name_segments
from client.language.count import count_days
from client.language.speech import t, tn
from common.errors import DataError

RISK_DAYS = 90
FEW_CUSTOMERS = 50
EDGE = 1e-6


@dataclass(frozen=True)
class Sum:
    """Of the customers of one segment: how many, what they are expected to bring, and what is at risk.

    `low` and `high` hold what they bring in four cases of five.
    """

    segment: str
    customers: int
    orders: float
    money: float
    low: float
    high: float
    at_risk: float


@dataclass(frozen=True)
class Outlook:
    """What `hansa-client customers` answers.

    Attributes
    ----------
    origin
        The first day that is not known.
    table
        A row for each customer, those with the most money at risk first.
    sums
        By segment; the last is of all.
    """

    origin: date
    horizon_days: int
    ahead: Ahead
    months: Ahead
    table: pa.Table
    sums: tuple[Sum, ...]
    warnings: tuple[str, ...]


def foresee_customers(
    purchases: Purchases,
    origin: date,
    horizon_days: int,
    *,
    on_step: Progress = lambda what, share: None,
    doubts: tuple[str, ...] = (),
    seed: int = 0,
) -> Outlook:
    """Answer for all customers who bought before a day; nothing from that day on is looked at.

    Raises
    ------
    DataError
        Too few days are known before it.
    """
    day = purchases.day_of(origin)
    if day < LEAST_DAYS:
        raise DataError(
            f"Before {origin} the history knows {count_days(max(day, 0))} of sales; who comes again can be told from "
            f"{LEAST_DAYS} days on: bring older exports with hansa-client import, or ask again later."
        )
    known = purchases.before(day)
    pasts = learn_from(known)
    ahead = look_ahead(known, horizon_days, pasts=pasts, on_step=on_step)
    months = ahead
    if horizon_days != RISK_DAYS:
        months = look_ahead(known, RISK_DAYS, pasts=pasts, on_step=on_step)
    usual_chance, usual_orders = find_usual(months)
    table, money = _lay_out(known, ahead, months, usual_chance, usual_orders, np.random.default_rng(seed))
    sums = _sum_up(table, money)
    order = np.lexsort((-table["value"].to_numpy(), -np.nan_to_num(table["value_at_risk"].to_numpy())))
    warnings = (*doubts, *_doubts(ahead))
    return Outlook(origin, horizon_days, ahead, months, table.take(pa.array(order)), sums, warnings)


def find_usual(months: Ahead) -> tuple[Float[np.ndarray, " some"], Float[np.ndarray, " some"]]:
    """Give the chance and the purchases of the months ahead in each customer's own rhythm, at the season's level."""
    model, level = months.served.model, months.served.level.value
    again, last, _ = months.served.times
    plain = np.clip(model.buys_if_there(again, last, float(months.horizon_days)), EDGE, 1 - EDGE)
    chance = expit(logit(plain) + level)
    orders = (model.shape + again) / (model.scale + last) * months.horizon_days
    return chance, orders * chance / plain


def _lay_out(
    purchases: Purchases,
    ahead: Ahead,
    months: Ahead,
    usual_chance: np.ndarray,
    usual_orders: np.ndarray,
    generator: np.random.Generator,
) -> tuple[pa.Table, Float[np.ndarray, "draw some"]]:
    past, again = ahead.past, ahead.past.again
    model, (_, last, _) = months.served.model, months.served.times
    silent = model.silent(again, last, past.silence.astype(np.float64))
    segment = name_segments(
        past, silent=silent, chance=months.chance, usual=usual_chance, order_value=ahead.order_value
    )
    orders_range, money_range, money = draw_ahead(ahead, generator)
    has_rhythm = again > 0
    usual_value = usual_orders * months.order_value
    risk = np.clip(1.0 - months.chance / usual_chance, 0.0, 1.0)
    at_risk = np.maximum(usual_value - months.money, 0.0)
    columns = {
        "customer": pa.array(purchases.customers[past.who].tolist()),
        "segment": pa.array(segment.tolist()),
        "first": _dates(purchases, past.first),
        "last": _dates(purchases, past.last),
        "purchases": pa.array(past.count),
        "spent": pa.array(past.spend.round(2)),
        "silent_days": pa.array(past.silence),
        "usual_gap_days": _if_known((past.last - past.first) / np.maximum(again, 1), has_rhythm, 1),
        "chance": pa.array(ahead.chance.round(4)),
        "orders": pa.array(ahead.orders.round(4)),
        "orders_low": pa.array(orders_range[0]),
        "orders_high": pa.array(orders_range[1]),
        "value": pa.array(ahead.money.round(2)),
        "value_low": pa.array(money_range[0].round(2)),
        "value_high": pa.array(money_range[1].round(2)),
        "order_value": pa.array(ahead.order_value.round(2)),
        "chance_90": pa.array(months.chance.round(4)),
        "usual_chance_90": _if_known(usual_chance, has_rhythm, 4),
        "risk": _if_known(risk, has_rhythm, 4),
        "value_90": pa.array(months.money.round(2)),
        "usual_value_90": _if_known(usual_value, has_rhythm, 2),
        "value_at_risk": _if_known(at_risk, has_rhythm, 2),
    }
    return pa.table(columns), money


def _dates(purchases: Purchases, days: np.ndarray) -> pa.Array:
    return pa.array(np.datetime64(purchases.start, "D") + days, pa.date32())


def _if_known(values: np.ndarray, is_known: np.ndarray, digits: int) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.float64).round(digits), mask=~is_known)


def _sum_up(table: pa.Table, money: Float[np.ndarray, "draw some"]) -> tuple[Sum, ...]:
    segment = np.array(table["segment"].to_pylist())
    return tuple(
        _sum_one(name, table, money, segment == name if name != "all" else np.ones(len(segment), dtype=np.bool_))
        for name in (*SEGMENTS, "all")
    )


def _sum_one(name: str, table: pa.Table, money: np.ndarray, own: np.ndarray) -> Sum:
    values = {column: np.nan_to_num(table[column].to_numpy())[own] for column in ("orders", "value", "value_at_risk")}
    low, high = np.quantile(money[:, own].sum(axis=1, dtype=np.float64), [0.1, 0.9])
    sums = {column: float(value.sum()) for column, value in values.items()}
    return Sum(name, int(own.sum()), sums["orders"], sums["value"], float(low), float(high), sums["value_at_risk"])


def _doubts(ahead: Ahead) -> list[str]:
    said, number = [], len(ahead.past.who)
    if not ahead.judged:
        said.append(t("The history is too short to hold anything said here against what came; take it as a guess."))
    if number < FEW_CUSTOMERS:
        said.append(
            tn(
                "1 customer is too few to learn from; take what is said as a guess.",
                "{number} customers are few to learn from; take what is said of each as a guess.",
                number,
            )
        )
    return said
