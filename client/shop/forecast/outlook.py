"""Forecast a shop's demand from its own history alone.

    history → a plan in memory → panels, in batches → each method's means at past origins and now
            → shares of the methods (`weight`), and how far sums missed (`spread`) → a row per product and period

Methods that learn, shares and misses are found on up to `LEARNED_FROM` products; every product then is forecast by
them, with its own past, batch by batch. So what a batch needs bounds the memory, beside a few bytes for each day sold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from client.shop.calendar.day_kind import guess_kinds
from client.shop.calendar.kept import Kept
from client.shop.forecast.candidate import (
    CLASSIC,
    NAMES,
    SIMPLE,
    Batch,
    Learned,
    Means,
    forecast_means,
    learn,
    missing_library,
)
from client.shop.forecast.known import Known, look_ahead
from client.shop.forecast.level import measure_levels, put_right
from client.shop.forecast.life import State, tell_states
from client.shop.forecast.panel import Days, build_panel
from client.shop.forecast.period import By, Period, cut_periods, read_horizon
from client.shop.forecast.plan import STEP_DAYS, make_plan
from client.shop.forecast.sales import Sales, read_sales
from client.shop.forecast.spread import Periods, Spread, guess_spread, measure_spread
from client.shop.forecast.weight import Weighed, mix, weigh
from client.shop.settings import Shop
from common.data.panel import Panel
from common.errors import ConfigError, DataError
from common.forecast.metric import QUANTILE_LEVELS
from common.forecast.table import QUANTILES
from common.plan.schema import Plan

LONGEST_PAST_DAYS = 3 * 371  # older days say little, and cost as much as newer ones
LEARNED_FROM = 2000  # products
TOGETHER = 1000  # products of a batch
PAST_ORIGINS, SPACING_DAYS = 4, 28
LEAST_PAST_DAYS = 42  # before the first past origin, for simple methods
TREES_PAST_DAYS = 56  # and one horizon, for trees
LONG_AGO_DAYS = 31  # a history that ended earlier than that before today is old
SEED = 0

OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class Question:
    """What a shop wants to know.

    Attributes
    ----------
    horizon
        As `client.shop.forecast.period.read_horizon` reads it; "" for the usual one.
    origin
        The first day that is forecast; the day after the last sale if left out.
    products
        All if empty.
    method
        One candidate to serve alone; the weighed average if empty.
    """

    by: By = "week"
    horizon: str = ""
    origin: date | None = None
    products: tuple[str, ...] = ()
    method: str = ""


@dataclass(frozen=True)
class Outlook:
    """Forecasts of a shop.

    Attributes
    ----------
    table
        A row per product and period: product, name, period, first, last, open_days, partial, mean, q10 … q90,
        probability (of any sale), state.
    weighed
        Shares of the methods.
    weighed_on
        First and last days of the past horizons that methods were weighed on.
    left_out
        Method → why it has no part, in half a sentence.
    warnings
        In sentences.
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


@dataclass(frozen=True)
class _Setting:
    """Everything that is the same for all products."""

    sales: Sales
    known: Known
    plan: Plan
    days: Days
    origins: tuple[int, ...]
    periods: tuple[Period, ...]
    by: By

    def batch(self, chosen: Int[np.ndarray, " product"]) -> Batch:
        names = [self.sales.products[place] for place in chosen]
        ahead, kinds = self.known.ask(names), self.known.kinds
        panel = build_panel(
            self.sales,
            chosen,
            self.days,
            is_out=kinds.is_out(names, self.known.first, self.known.last),
            own=self.known.own(ahead) if self.known.own_names else None,
            own_names=self.known.own_names,
        )
        return Batch(panel, self.plan, self.origins)


@dataclass(frozen=True)
class _Fitted:
    """What was found once for the shop."""

    names: tuple[str, ...]
    learned: Learned
    weighed: Weighed
    levels: Mapping[State, float]
    spreads: Mapping[int, Spread]


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
    setting, warnings = _set_up(history, shop, question, today=today, on_step=on_step)
    names, left_out = _choose_names(question.method, setting)
    fitted = _fit(setting, names, question.method, on_step)
    wanted = _places_of(setting.sales, question.products)
    rows, states = _forecast_all(setting, fitted, wanted, on_step)
    origin, first = setting.known.origin, setting.days.start
    horizon = setting.plan.model.horizon_days
    weighed_on = [(first + timedelta(day), first + timedelta(day + horizon - 1)) for day in setting.origins[:-1]]
    table = _with_names(rows, history.products())
    return Outlook(
        by=question.by,
        origin=origin,
        last=setting.periods[-1].last,
        periods=setting.periods,
        table=table,
        plan=setting.plan,
        weighed=fitted.weighed,
        weighed_on=tuple(weighed_on) if not question.method else (),
        measured=bool(weighed_on),
        left_out=left_out,
        warnings=(*warnings, *_say_closed(setting)),
        states=states,
    )


def _set_up(
    history: Kept, shop: Shop, question: Question, *, today: date, on_step: OnStep
) -> tuple[_Setting, list[str]]:
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
    origin = question.origin or span[1] + timedelta(days=1)
    if origin <= span[0]:
        raise ConfigError(f"--from {origin} lies before the first sale on {span[0]}; choose a later day.")
    last = read_horizon(question.horizon, question.by, origin)
    start = max(span[0], origin - timedelta(days=LONGEST_PAST_DAYS))
    horizon = -(-((last - origin).days + 1) // STEP_DAYS) * STEP_DAYS
    end = origin + timedelta(days=horizon - 1)
    catalogue = history.products().filter(pc.is_valid(pc.field("first_day")))
    sales = read_sales(history, catalogue["product"].to_pylist(), lambda share: on_step("reading the history", share))
    sales = sales.before(origin)
    kinds = guess_kinds(history, shop)
    look = [sales.products[place] for place in _choose_learned(sales)[:TOGETHER]]
    known, ahead = look_ahead(history, shop, kinds, first=start, last=end, origin=origin, products=look)
    days = Days(start, (origin - start).days, ~ahead.is_open, known.shared_names, known.shared(ahead))
    closed = tuple(start + timedelta(days=int(day)) for day in np.flatnonzero(days.closed))
    plan = make_plan(
        shop,
        start=start,
        origin=origin,
        horizon_days=horizon,
        counts=sales.are_counts,
        closed=closed,
        known=(*known.shared_names, *known.own_names),
    )
    periods = cut_periods(question.by, origin, last)
    setting = _Setting(sales, known, plan, days, _choose_origins(days.origin, horizon), periods, question.by)
    return setting, [*_say_dates(span, question.origin, origin, today), *(each.sentence for each in ahead.findings)]


def _say_dates(span: tuple[date, date], asked: date | None, origin: date, today: date) -> list[str]:
    gap = (origin - span[1]).days - 1
    if gap > 0:
        return [
            f"Nothing is known of the {gap} days between the last sale on {span[1]} and {origin}, where the forecast "
            "begins; bring newer exports, or leave --from out."
        ]
    if asked is None and (today - origin).days > LONG_AGO_DAYS:
        return [
            f"The history ends on {span[1]}, so the forecast begins on {origin}; bring newer exports to look ahead."
        ]
    return []


def _choose_origins(day: int, horizon: int) -> tuple[int, ...]:
    """Choose past origins that leave a past to learn from, oldest first, and the one that counts."""
    spacing = SPACING_DAYS if horizon >= SPACING_DAYS else horizon
    past = [day - horizon - spacing * back for back in range(PAST_ORIGINS)]
    least = LEAST_PAST_DAYS + (TREES_PAST_DAYS + horizon if day >= 2 * horizon + TREES_PAST_DAYS + SPACING_DAYS else 0)
    kept = [begin for begin in past if begin >= least] or [begin for begin in past if begin >= LEAST_PAST_DAYS]
    return (*kept[::-1], day)


def _choose_names(method: str, setting: _Setting) -> tuple[tuple[str, ...], dict[str, str]]:
    """Choose the candidates that can be used here, and say why others cannot."""
    if method and method not in NAMES:
        raise ConfigError(f"There is no method {method!r} for --method; there are {', '.join(NAMES)}.")
    wanted = (method,) if method else tuple(name for name in NAMES if name not in CLASSIC)
    obstacles = {name: _say_obstacle(name, setting) for name in wanted}
    left_out = {name: why for name, why in obstacles.items() if why}
    if method and left_out:
        raise ConfigError(f"{method} {left_out[method]}; leave --method out.")
    return tuple(name for name in wanted if name not in left_out), left_out


def _say_obstacle(name: str, setting: _Setting) -> str:
    library, origins, model = missing_library(name), setting.origins, setting.plan.model
    if library:
        return f"needs {library}, which is not installed: pip install 'hansa[forecast]'"
    if name == "warm" and model.likelihood != "negative_binomial":
        return "knows demand in whole pieces only"
    if name == "lightgbm" and origins[0] < model.horizon_days + TREES_PAST_DAYS:
        return "needs a longer history"
    if name in ("anchor", "warm", "lightgbm") and origins[0] < model.step_days:
        return "needs a week of history"
    return ""


def _choose_learned(sales: Sales) -> Int[np.ndarray, " product"]:
    """Choose who is learned from: everyone, or of many the half that sold most often and as many others at random."""
    number = len(sales.products)
    if number <= LEARNED_FROM:
        return np.arange(number)
    lengths = np.diff(np.concatenate([[0], sales.ends]))
    most = np.argsort(-lengths, kind="stable")
    others = np.random.default_rng(SEED).choice(most[LEARNED_FROM // 2 :], LEARNED_FROM // 2, replace=False)
    return np.sort(np.concatenate([most[: LEARNED_FROM // 2], others]))


def _fit(setting: _Setting, names: tuple[str, ...], method: str, on_step: OnStep) -> _Fitted:
    """Fit on who is learned from, weigh the candidates, and measure how far sums of them missed."""
    batch = setting.batch(_choose_learned(setting.sales))
    learned = learn(batch, names, seed=SEED, on_step=lambda share: on_step("learning", share))
    means = forecast_means(batch, learned, names)
    lengths = sorted({period.days for period in setting.periods})
    counts = setting.sales.are_counts
    if len(batch.origins) == 1:
        weighed = weigh(means, means[names[0]][:0], np.zeros((0, 1, 1), bool), tuple(SIMPLE))
        return _Fitted(names, learned, weighed, {}, {days: guess_spread(counts=counts) for days in lengths})
    actual, counted = batch.actual(), batch.counted()[:-1]
    weighed = weigh(means, actual, counted, tuple(SIMPLE))
    served = mix(means, weighed.weights)
    states = [tell_states(batch.panel, day, batch.horizon) for day in batch.origins[:-1]]
    levels = measure_levels(served[:-1], actual, counted, states)
    served = _correct(served, batch, levels)
    spreads = {days: measure_spread(_sum_up(served, batch, days), counts=counts, seed=SEED + days) for days in lengths}
    return _Fitted(names, learned, weighed, levels, spreads)


def _correct(served: Means, batch: Batch, levels: Mapping[State, float]) -> Means:
    """Put the levels right at every origin, by what each product was then."""
    told = [tell_states(batch.panel, day, batch.horizon) for day in batch.origins]
    return np.stack([put_right(mean, states, levels) for mean, states in zip(served, told, strict=True)])


def _sum_up(served: Means, batch: Batch, days: int) -> Periods:
    """Add past horizons up over so many days each."""
    counted = batch.counted()[:-1]

    def add(values: np.ndarray) -> np.ndarray:
        whole = values.shape[2] // days
        return values[:, :, : whole * days].reshape(*values.shape[:2], whole, days).sum(axis=3)

    return Periods(add(served[:-1]), add(batch.actual() * counted), add(counted) > 0)


def _places_of(sales: Sales, products: Sequence[str]) -> Int[np.ndarray, " product"]:
    if not products:
        return np.arange(len(sales.products))
    places = {name: place for place, name in enumerate(sales.products)}
    unknown = [name for name in products if name not in places]
    if unknown:
        raise ConfigError(f"No product {unknown[0]!r} was ever sold in this shop; see: hansa-client history.")
    return np.array(sorted({places[name] for name in products}))


def _forecast_all(
    setting: _Setting, fitted: _Fitted, wanted: Int[np.ndarray, " product"], on_step: OnStep
) -> tuple[pa.Table, dict[State, int]]:
    """Forecast in batches."""
    parts, states = list[pa.Table](), dict[State, int]()
    for first in range(0, len(wanted), TOGETHER):
        chosen = wanted[first : first + TOGETHER]
        batch = setting.batch(chosen)
        table, own = _forecast_batch(setting, fitted, batch)
        parts.append(table)
        for state in own:
            states[state] = states.get(state, 0) + 1
        on_step("forecasting", min(first + TOGETHER, len(wanted)) / len(wanted))
    return pa.concat_tables(parts), states


def _forecast_batch(setting: _Setting, fitted: _Fitted, batch: Batch) -> tuple[pa.Table, list[State]]:
    used = tuple(name for name in fitted.names if fitted.weighed.weights[name] > 0)
    served = mix(forecast_means(batch, fitted.learned, used), fitted.weighed.weights)
    served = _correct(served, batch, fitted.levels)
    states = tell_states(batch.panel, setting.days.origin, batch.horizon)
    columns = [_describe(period, setting, fitted.spreads[period.days], served, batch) for period in setting.periods]
    return _lay_out(setting, batch.panel, columns, states), states


@dataclass(frozen=True)
class _Column:
    """What is said of one period."""

    mean: Float[np.ndarray, " product"]
    quantiles: Float[np.ndarray, "product level"]
    probability: Float[np.ndarray, " product"]
    open_days: int


def _describe(period: Period, setting: _Setting, spread: Spread, served: Means, batch: Batch) -> _Column:
    first = (period.first - setting.known.origin).days
    mean = served[-1, :, first : first + period.days].sum(axis=1)
    factor = np.ones(len(mean))
    if len(batch.origins) > 1:
        factor = spread.own_factor(_sum_up(served, batch, period.days))
    closed = setting.days.closed[setting.days.origin + first :][: period.days]
    probability = spread.probability(mean, factor)
    return _Column(mean, spread.quantiles(mean, factor, QUANTILE_LEVELS), probability, int((~closed).sum()))


def _lay_out(setting: _Setting, panel: Panel, columns: Sequence[_Column], states: Sequence[State]) -> pa.Table:
    """Lay a batch out in rows: product by product, period by period."""
    number, periods = len(panel.entities), setting.periods

    def repeat(values: Sequence[object]) -> list[object]:
        return list(values) * number

    means = np.stack([column.mean for column in columns], axis=1)
    quantiles = np.stack([column.quantiles for column in columns], axis=1)
    probability = np.stack([column.probability for column in columns], axis=1)
    return pa.table(
        {
            "product": np.repeat(panel.entities.astype(str), len(periods)),
            "period": pa.array(repeat([period.name for period in periods]), pa.string()),
            "first": pa.array(repeat([period.first for period in periods]), pa.date32()),
            "last": pa.array(repeat([period.last for period in periods]), pa.date32()),
            "open_days": pa.array(repeat([column.open_days for column in columns]), pa.int64()),
            "partial": pa.array(repeat([period.is_partial for period in periods]), pa.bool_()),
            "mean": means.ravel(),
            **{name: quantiles[:, :, place].ravel() for place, name in enumerate(QUANTILES)},
            "probability": probability.ravel(),
            "state": pa.array(np.repeat(np.array(states), len(periods)), pa.string()),
        }
    )


def _with_names(table: pa.Table, products: pa.Table) -> pa.Table:
    """Put what each product is called beside it."""
    place = pc.index_in(table["product"], value_set=products["product"].combine_chunks())
    return table.add_column(1, "name", pc.fill_null(pc.take(products["name"], place), ""))


def _say_closed(setting: _Setting) -> Iterator[str]:
    """Say which days ahead are closed."""
    ahead = setting.days.closed[setting.days.origin :][: (setting.periods[-1].last - setting.known.origin).days + 1]
    if ahead.all():
        yield "The shop is closed on every day of the forecast, so all of it is zero; see the days in shop.toml."
    elif ahead.any():
        yield f"The shop is closed on {int(ahead.sum())} of the {len(ahead)} days ahead; they are forecast zero."


def take_top(outlook: Outlook, number: int | None) -> Outlook:
    """Order the products by their demand ahead, the greatest first, and keep so many; all if left out."""
    sums = outlook.table.group_by("product").aggregate([("mean", "sum")])
    names = sums.sort_by([("mean_sum", "descending"), ("product", "ascending")])["product"].slice(0, number)
    place = pc.index_in(outlook.table["product"], value_set=names.combine_chunks())
    table = outlook.table.append_column("place", place).filter(pc.is_valid(place))
    return replace(outlook, table=table.sort_by([("place", "ascending"), ("first", "ascending")]).drop(["place"]))
