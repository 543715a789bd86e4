"""Forecast a shop's demand from its own history alone.

    history → a plan in memory (`setting`) → panels, in batches → each method's means at past origins and now
            → shares of the methods, and how far sums missed (`fit`) → a row per product and period (`serving`)

Methods that learn, shares and misses are found on up to `LEARNED_FROM` products; every product then is forecast by
them, with its own past, batch by batch. So what a batch needs bounds the memory, beside a few bytes for each day sold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from client.shop.calendar.kept import Kept
from client.shop.forecast.hierarchy import forecast_groups
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.life import State
from client.shop.forecast.period import By, Period
from client.shop.forecast.question import Of, Question
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.serving import forecast_all, places_of, with_names
from client.shop.forecast.setting import OnStep, Setting, say_closed
from client.shop.forecast.weight import Weighed
from client.shop.settings import Shop
from common.plan.schema import Plan


@dataclass(frozen=True)
class Joined:
    """A federation whose released model is among the methods.

    Attributes
    ----------
    weighed_on
        First and last days of those past horizons of which no model that was weighed had learned anything.
    """

    federation: str
    plan: str
    model_hash: str
    weighed_on: tuple[tuple[date, date], ...]


@dataclass(frozen=True)
class Outlook:
    """Forecasts of a shop.

    Attributes
    ----------
    table
        A row per product and period: product, name, period, first, last, open_days, partial, mean, q10 … q90,
        probability (of any sale), state, without (the mean without anybody's override). Of categories or the shop their
        name stands in place of product and name, and `products`, their number, in place of state.
    weighed
        Shares of the methods.
    weighed_on
        First and last days of the past horizons that methods were weighed on.
    left_out
        Method → why it has no part, in half a sentence.
    warnings
        In sentences.
    joined
        The federation whose released model is among the methods; None where there is none.
    """

    by: By
    origin: date
    last: date
    periods: tuple[Period, ...]
    table: pa.Table
    plan: Plan
    weighed: Weighed
    weighed_on: tuple[tuple[date, date], ...]
    measured: bool
    left_out: dict[str, str]
    warnings: tuple[str, ...]
    states: dict[State, int] = field(default_factory=dict)
    of: Of = "product"
    joined: Joined | None = None


def forecast_shop(
    history: Kept, shop: Shop, question: Question, *, on_step: OnStep = lambda what, share: None, today: date
) -> Outlook:
    """Forecast every product that is asked for.

    Raises
    ------
    ConfigError
        The question cannot be answered as it is put.
    DataError
        There is nothing to forecast from.
    """
    learnt = learn_shop(history, shop, question, today=today, on_step=on_step)
    return forecast_learnt(learnt, question, on_step=on_step)


def forecast_learnt(learnt: Learnt, question: Question, *, on_step: OnStep = lambda what, share: None) -> Outlook:
    """Forecast every product that is asked for, by what was learned for this question or a longer one.

    Raises
    ------
    ConfigError
        The question cannot be answered as it is put, or not by what was learned.
    """
    learnt = learnt.asked(question)
    setting = learnt.setting
    wanted = places_of(setting.sales, question.products)
    if question.of == "product":
        rows, states = forecast_all(setting, learnt.fitted, wanted, on_step)
        rows = with_names(rows, learnt.products)
    else:
        fitted = learnt.measuring((setting.periods[-1].last - setting.periods[0].first).days + 1).fitted
        rows, states = forecast_groups(setting, fitted, wanted, question.of, setting.plan.name, on_step)
    start, horizon = setting.days.start, setting.plan.model.horizon_days
    past = [(start + timedelta(day), start + timedelta(day + horizon - 1)) for day in setting.origins[:-1]]
    return Outlook(
        by=question.by,
        of=question.of,
        origin=setting.periods[0].first,
        last=setting.periods[-1].last,
        periods=setting.periods,
        table=rows,
        plan=setting.plan,
        weighed=learnt.fitted.weighed,
        weighed_on=tuple(past) if len(learnt.names) > 1 else (),
        measured=bool(past),
        left_out=learnt.left_out,
        warnings=(*learnt.warnings, *say_closed(setting)),
        states=states,
        joined=_describe_joined(setting) if FEDERATED in learnt.fitted.names else None,
    )


def _describe_joined(setting: Setting) -> Joined | None:
    released, horizon = setting.found.released, setting.plan.model.horizon_days
    if released is None:
        return None
    past = [setting.days.start + timedelta(days=day) for day in setting.origins[:-1]]
    reach = timedelta(days=min(horizon, released.plan.model.horizon_days) - 1)
    weighed = tuple((first, first + reach) for first in past if released.learner_at(first) is not None)
    return Joined(released.federation, released.plan.name, released.served.model_hash, weighed)


def take_top(outlook: Outlook, number: int | None) -> Outlook:
    """Order products or categories by their demand ahead, the greatest first, and keep so many; all if left out."""
    sums = outlook.table.group_by(outlook.of).aggregate([("mean", "sum")])
    names = sums.sort_by([("mean_sum", "descending"), (outlook.of, "ascending")])[outlook.of].slice(0, number)
    place = pc.index_in(outlook.table[outlook.of], value_set=names.combine_chunks())
    table = outlook.table.append_column("place", place).filter(pc.is_valid(place))
    return replace(outlook, table=table.sort_by([("place", "ascending"), ("first", "ascending")]).drop(["place"]))
