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
from client.shop.forecast.known import Known, find_closed, look_ahead
from client.shop.forecast.level import Levels, measure_levels, put_right
from client.shop.forecast.life import State
from client.shop.forecast.panel import Days, build_panel
from client.shop.forecast.past import see_as_of
from client.shop.forecast.period import LONGEST_DAYS, ONE_DAY, By, Period, cut_periods, read_horizon
from client.shop.forecast.plan import STEP_DAYS, make_plan
from client.shop.forecast.sales import Sales, read_sales
from client.shop.forecast.spread import Periods, Spread, guess_spread, measure_spread
from client.shop.forecast.weight import Weighed, find_astray, mix, weigh
from client.shop.settings import Shop
from common.data.panel import Panel
from common.errors import ConfigError, DataError
from common.forecast.metric import QUANTILE_LEVELS
from common.forecast.table import QUANTILES
from common.plan.schema import Plan

SHORTEST_PAST_DAYS = 14  # of a panel; before the first sale nothing is open
LONGEST_PAST_DAYS = 3 * 371  # older days say little, and cost as much as newer ones
LEARNED_FROM = TOGETHER = 1000  # products of a batch
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
    """Everything that is the same for all products.

    Attributes
    ----------
    first_sale
        Index of the day of the shop's first sale.
    periods
        They may begin later than the forecast does, where days before them are not known.
    """

    sales: Sales
    known: Known
    plan: Plan
    days: Days
    first_sale: int
    origins: tuple[int, ...]
    periods: tuple[Period, ...]

    def batch(self, chosen: Int[np.ndarray, " product"]) -> Batch:
        """Lay some products out."""
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
        return Batch(panel, self.plan, self.origins, self.first_sale)


@dataclass(frozen=True)
class _Fitted:
    """What was found once for the shop, and the products that it was found on."""

    names: tuple[str, ...]
    astray: tuple[str, ...]
    learned: Learned
    weighed: Weighed
    levels: Levels
    spreads: Mapping[int, Spread]
    places: Int[np.ndarray, " product"]
    batch: Batch
    served: Means


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
    wanted = _places_of(setting.sales, question.products)
    fitted = _fit(setting, names, on_step)
    rows, states = _forecast_all(setting, fitted, wanted, on_step)
    start, horizon = setting.days.start, setting.plan.model.horizon_days
    past = [(start + timedelta(day), start + timedelta(day + horizon - 1)) for day in setting.origins[:-1]]
    return Outlook(
        by=question.by,
        origin=setting.periods[0].first,
        last=setting.periods[-1].last,
        periods=setting.periods,
        table=_with_names(rows, history.products()),
        plan=setting.plan,
        weighed=fitted.weighed,
        weighed_on=tuple(past) if len(names) > 1 else (),
        measured=bool(past),
        left_out={**left_out, **dict.fromkeys(fitted.astray, "said many times more or less than all others")},
        warnings=(*warnings, *_say_closed(setting)),
        states=states,
    )


def _set_up(
    history: Kept, shop: Shop, question: Question, *, today: date, on_step: OnStep
) -> tuple[_Setting, list[str]]:
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
    asked = question.origin or span[1] + ONE_DAY
    if asked <= span[0]:
        raise ConfigError(f"--from {asked} lies on or before the first sale, on {span[0]}; choose a later day.")
    last = read_horizon(question.horizon, question.by, asked)
    origin = min(asked, span[1] + ONE_DAY)
    horizon = -(-((last - origin).days + 1) // STEP_DAYS) * STEP_DAYS
    if horizon > LONGEST_DAYS + STEP_DAYS:
        raise ConfigError(
            f"The history ends on {span[1]}, and {last} lies too long after it to be forecast; bring newer exports, or "
            "leave --from out."
        )
    start = origin - timedelta(days=min(max((origin - span[0]).days, SHORTEST_PAST_DAYS), LONGEST_PAST_DAYS))
    sold = history.products().filter(pc.is_valid(pc.field("first_day")))["product"].to_pylist()
    sales = read_sales(history, sold, lambda share: on_step("reading the history", share)).before(origin)
    if not sales.units.any():
        raise DataError(
            f"Nothing but quantities of 0 was sold before {origin}, so there is nothing to forecast from; see which "
            "column holds the quantity in shop.toml."
        )
    end = origin + timedelta(days=horizon - 1)
    look = [sales.products[place] for place in _choose_learned(sales)]
    known_then = see_as_of(history, origin) if origin <= span[1] else history
    kinds = guess_kinds(known_then, shop)
    known, ahead = look_ahead(known_then, shop, kinds, first=start, last=end, origin=origin, products=look)
    closed = find_closed(ahead, kinds, days_sold=len(np.unique(sales.day)))
    days = Days(start, (origin - start).days, closed, known.shared_names, known.shared(ahead))
    plan = make_plan(
        shop,
        start=start,
        origin=origin,
        horizon_days=horizon,
        counts=sales.are_counts,
        closed=tuple(start + timedelta(days=int(day)) for day in np.flatnonzero(days.closed)),
        known=(*known.shared_names, *known.own_names),
    )
    first_sale = max((span[0] - start).days, 0)
    origins = _choose_origins(first_sale, days.origin, horizon)
    setting = _Setting(sales, known, plan, days, first_sale, origins, cut_periods(question.by, asked, last))
    return setting, [*_say_dates(span, question.origin, asked, today), *(each.sentence for each in ahead.findings)]


def _say_dates(span: tuple[date, date], asked: date | None, origin: date, today: date) -> list[str]:
    gap = (origin - span[1]).days - 1
    if gap > 0:
        return [
            f"Nothing is known of the {gap} days between the last sale on {span[1]} and {origin}, so the forecast "
            "looks over them; bring newer exports, or leave --from out."
        ]
    if asked is None and (today - origin).days > LONG_AGO_DAYS:
        return [
            f"The history ends on {span[1]}, so the forecast begins on {origin}; bring newer exports to look ahead."
        ]
    return []


def _choose_origins(first_sale: int, day: int, horizon: int) -> tuple[int, ...]:
    """Choose past origins that leave a past to learn from, oldest first, and the one that counts.

    Where some leave enough for trees, the others are left out.
    """
    spacing = SPACING_DAYS if horizon >= SPACING_DAYS else horizon
    past = [day - horizon - spacing * back for back in range(PAST_ORIGINS)]
    for least in (horizon + TREES_PAST_DAYS, LEAST_PAST_DAYS):
        kept = [begin for begin in past if begin - first_sale >= least]
        if kept:
            return (*kept[::-1], day)
    return (day,)


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
    library, model = missing_library(name), setting.plan.model
    past = setting.origins[0] - setting.first_sale
    if library:
        return f"needs {library}, which is not installed: pip install 'hansa[forecast]'"
    if name == "warm" and model.likelihood != "negative_binomial":
        return "knows demand in whole pieces only"
    if name == "lightgbm" and past < model.horizon_days + TREES_PAST_DAYS:
        return "needs a longer history"
    if name == "auto_ets" and past < model.step_days:
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


def _fit(setting: _Setting, names: tuple[str, ...], on_step: OnStep) -> _Fitted:
    """Fit on who is learned from, weigh the candidates, and measure how far sums of them missed."""
    places = _choose_learned(setting.sales)
    batch, counts = setting.batch(places), setting.sales.are_counts
    learned = learn(batch, names, seed=SEED, on_step=lambda share: on_step("learning", share))
    means = forecast_means(batch, learned, names)
    astray = find_astray(means) if len(names) > 2 else ()
    names = tuple(name for name in names if name not in astray)
    means = {name: means[name] for name in names}
    actual, counted = batch.actual(), batch.counted()[:-1]
    weighed = weigh(means, actual, counted, tuple(SIMPLE))
    served = mix(means, weighed.weights)
    levels = measure_levels(served[:-1], actual, counted, batch.past_states())
    served = _correct(served, batch, levels)
    lengths = sorted({period.days for period in setting.periods})
    spreads = {days: _measure(served, batch, days, counts=counts) for days in lengths}
    return _Fitted(names, astray, learned, weighed, levels, spreads, places, batch, served)


def _measure(served: Means, batch: Batch, days: int, *, counts: bool) -> Spread:
    if len(batch.origins) == 1:
        return guess_spread(counts=counts)
    return measure_spread(_sum_up(served, batch, days), counts=counts, seed=SEED + days)


def _correct(served: Means, batch: Batch, levels: Levels) -> Means:
    """Put the levels right at every origin, by what each product was then."""
    told = [*batch.past_states(), batch.states()]
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
    """Forecast in batches; who was learned from has been forecast already."""
    parts, states = list[pa.Table](), dict[State, int]()
    for batch, served, share in _batches(setting, fitted, wanted):
        own = batch.states()
        columns = [_describe(period, setting, fitted, served, batch) for period in setting.periods]
        parts.append(_lay_out(setting, batch.panel, columns, own))
        for state in own:
            states[state] = states.get(state, 0) + 1
        on_step("forecasting", share)
    return pa.concat_tables(parts), states


def _batches(
    setting: _Setting, fitted: _Fitted, wanted: Int[np.ndarray, " product"]
) -> Iterator[tuple[Batch, Means, float]]:
    """Give batches of products, what is served of each, and the share that is done then."""
    if np.isin(wanted, fitted.places).all():
        own = np.searchsorted(fitted.places, wanted)
        yield replace(fitted.batch, panel=fitted.batch.panel.select(own)), fitted.served[:, own], 1.0
        return
    used = tuple(name for name in fitted.names if fitted.weighed.weights[name] > 0)
    for first in range(0, len(wanted), TOGETHER):
        batch = setting.batch(wanted[first : first + TOGETHER])
        served = mix(forecast_means(batch, fitted.learned, used), fitted.weighed.weights)
        yield batch, _correct(served, batch, fitted.levels), min(first + TOGETHER, len(wanted)) / len(wanted)


@dataclass(frozen=True)
class _Column:
    """What is said of one period."""

    mean: Float[np.ndarray, " product"]
    quantiles: Float[np.ndarray, "product level"]
    probability: Float[np.ndarray, " product"]
    open_days: int


def _describe(period: Period, setting: _Setting, fitted: _Fitted, served: Means, batch: Batch) -> _Column:
    first, spread = (period.first - setting.known.origin).days, fitted.spreads[period.days]
    mean = served[-1, :, first : first + period.days].sum(axis=1)
    factor = np.ones(len(mean))
    if len(batch.origins) > 1:
        factor = spread.own_factor(_sum_up(served, batch, period.days))
    factor = factor * fitted.levels.widths_of(batch.states())
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
    first, last = ((day - setting.days.start).days for day in (setting.periods[0].first, setting.periods[-1].last))
    ahead = setting.days.closed[first : last + 1]
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
