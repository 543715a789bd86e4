"""Answer what another price or a promotion would bring, from a shop's history.

history → days and prices as arrays (`market`) → responses, pooled (`estimate`) → what speaks against them (`doubt`)
→ units if nothing changes, by the shop's own forecast → units, revenue and profit after (`scenario`)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from client.decision.response.doubt import Doubt, find_doubts
from client.decision.response.estimate import Estimate, estimate_response
from client.decision.response.experiment import Experiment, Followed, read_out
from client.decision.response.market import read_market
from client.decision.response.question import Ask, choose_products
from client.decision.response.scenario import (
    Amount,
    Change,
    Curve,
    Goods,
    Outcome,
    beyond,
    draw_curve,
    gather,
    play,
    require_seen,
    summarise,
)
from client.shop.calendar.day_after import day_after
from client.shop.calendar.kept import Kept
from client.shop.forecast.outlook import forecast_shop
from client.shop.forecast.question import Question
from client.shop.settings import Shop
from common.errors import ConfigError, DataError

USUAL_DAYS, LONGEST_DAYS = 28, 366
OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes
    ----------
    who
        Whom it is about, in words.
    response
        By column: elasticity of the price, and the factor of a promotion; of one product its own, of several the mean
        of their response weighted by units.
    table
        A row for each product: product, name, category, price_now, price_new, units_before, units_after, units_low,
        units_high, revenue_before, revenue_after, profit_before, profit_after, elasticity, elasticity_low,
        elasticity_high, borrowed.
    left_out
        Products without a known price, or whose new price lies beyond what was seen: they count as they are.
    followed
        How far an experiment was followed, where the answer comes from one; then it is cause.
    """

    who: str
    first: date
    last: date
    ask: Ask
    estimate: Estimate
    goods: Goods
    response: dict[str, Amount]
    outcome: Outcome | None
    before: dict[str, float]
    after: dict[str, Amount]
    left_out: tuple[str, ...]
    curve: Curve | None
    doubts: tuple[Doubt, ...]
    table: pa.Table
    followed: Followed | None

    @property
    def has_cost(self) -> bool:
        """Whether the cost of every piece is known."""
        return bool(np.isfinite(self.goods.cost).all())

    @property
    def is_doubtful(self) -> bool:
        """Whether something speaks against reading it as what a price does; then no best price is named."""
        return any(each.found for each in self.doubts)

    @property
    def is_cause(self) -> bool:
        """Whether prices were set by chance, so that what followed is their effect."""
        return self.followed is not None


def answer(
    history: Kept,
    shop: Shop,
    ask: Ask,
    *,
    today: date,
    plan: Experiment | None = None,
    on_step: OnStep = lambda what, share: None,
) -> Answer:
    """Answer a question.

    Raises
    ------
    ConfigError
        It cannot be answered as it is put.
    DataError
        Nothing can be said from this history.
    """
    market = read_market(history, shop)
    on_step("reading the history", 1.0)
    first, last = _span_of(ask, market.last)
    products, who = choose_products(market, history, ask)
    rows = {name: row for row, name in enumerate(market.products)}
    estimate = estimate_response(market, [rows[name] for name in products if name in rows])
    on_step("comparing prices and sales", 1.0)
    followed = None
    if plan is not None:
        estimate, followed = read_out(estimate, plan)
    units = _forecast(history, shop, products, first, last, today=today, on_step=on_step)
    table = history.products()
    categories = dict(zip(table["product"].to_pylist(), table["category"].to_pylist(), strict=True))
    goods = gather(estimate, products, categories, units, cost=ask.cost, cost_share=ask.cost_share)
    if not np.isfinite(goods.now).any():
        raise DataError(f"No price is known of {who}: none was told, and nothing was ever paid for it; import prices.")
    if ask.change is not None:
        require_seen(goods, ask.change, estimate.columns)
    outcome, left_out = _play(goods, ask, estimate)
    before = _money_before(goods)
    return Answer(
        who=who,
        first=first,
        last=last,
        ask=ask,
        estimate=estimate,
        goods=goods,
        response=_responses(goods, estimate.columns),
        outcome=outcome,
        before=before,
        after=_money_after(outcome),
        left_out=tuple(left_out),
        curve=draw_curve(goods, estimate.columns),
        doubts=() if followed else find_doubts(estimate),
        table=_lay_out(goods, outcome, estimate.columns, table),
        followed=followed,
    )


def _span_of(ask: Ask, last_sale: date) -> tuple[date, date]:
    first = ask.first or day_after(last_sale)
    last = ask.last or first + timedelta(days=USUAL_DAYS - 1)
    if last < first:
        raise ConfigError(f"--to {last} lies before the first day, {first}; give a later one.")
    if (last - first).days >= LONGEST_DAYS:
        raise ConfigError(f"From {first} to {last} is more than a year; ask for a shorter time.")
    return first, last


def _forecast(
    history: Kept, shop: Shop, products: Sequence[str], first: date, last: date, *, today: date, on_step: OnStep
) -> dict[str, float]:
    """Give the units that the shop's own forecast expects of each product on these days."""
    question = Question("day", f"{(last - first).days + 1}d", first, tuple(products))
    rows = forecast_shop(history, shop, question, today=today, on_step=on_step).table
    sums = rows.group_by("product", use_threads=False).aggregate([("mean", "sum")])
    return dict(zip(sums["product"].to_pylist(), sums["mean_sum"].to_pylist(), strict=True))


def _play(goods: Goods, ask: Ask, estimate: Estimate) -> tuple[Outcome | None, list[str]]:
    """Play the change; who cannot follow it stays as it is."""
    if ask.change is None:
        return None, []
    outcome = play(goods, ask.change, estimate.columns)
    stays = np.zeros(len(goods.products), bool)
    if "price" in estimate.columns and len(goods.products) > 1:
        stays[beyond(goods, ask.change)] = True
    stays |= ~np.isfinite(goods.now)
    if stays.all():
        raise ConfigError("The new price lies beyond those that were seen of every one of these products.")
    calm = play(goods, Change(), estimate.columns)
    parts = {
        name: np.where(stays, getattr(calm, name), getattr(outcome, name))
        for name in ("price", "units", "revenue", "profit")
    }
    return Outcome(**parts), [name for name, stay in zip(goods.products, stays, strict=True) if stay]


def _money_before(goods: Goods) -> dict[str, float]:
    found = {"units": float(goods.units.sum()), "revenue": float(np.nansum(goods.units * goods.now))}
    if np.isfinite(goods.cost).all():
        found["profit"] = float(np.nansum(goods.units * (goods.now - goods.cost)))
    return found


def _money_after(outcome: Outcome | None) -> dict[str, Amount]:
    if outcome is None:
        return {}
    parts = {"units": outcome.units, "revenue": outcome.revenue}
    if np.isfinite(outcome.profit).any():
        parts["profit"] = outcome.profit
    return {name: summarise(np.nansum(draws, axis=1)) for name, draws in parts.items()}


def _responses(goods: Goods, columns: Sequence[str]) -> dict[str, Amount]:
    weight = np.maximum(goods.units, 1e-9)
    mean = np.einsum("dpj,p->dj", goods.draws, weight / weight.sum())
    found = {name: summarise(mean[:, place]) for place, name in enumerate(columns)}
    if "promotion" in found:
        found["promotion"] = summarise(np.exp(mean[:, list(columns).index("promotion")]))
    return found


def _lay_out(goods: Goods, outcome: Outcome | None, columns: Sequence[str], products: pa.Table) -> pa.Table:
    told = {row["product"]: row for row in products.to_pylist()}
    names = list(goods.products)
    after = outcome or Outcome(
        goods.now, *(np.broadcast_to(values, (1, len(names))) for values in (
            goods.units, goods.units * goods.now, goods.units * (goods.now - goods.cost)
        ))
    )  # fmt: skip
    low, middle, high = np.quantile(after.units, (0.05, 0.5, 0.95), axis=0)
    nothing = np.full(len(names), np.nan)
    own = goods.draws[:, :, list(columns).index("price")] if "price" in columns else None
    elastic = [nothing] * 3 if own is None else [np.median(own, axis=0), *np.quantile(own, (0.05, 0.95), axis=0)]
    numbers = {
        "price_now": goods.now,
        "price_new": after.price,
        "units_before": goods.units,
        "units_after": middle,
        "units_low": low,
        "units_high": high,
        "revenue_before": goods.units * goods.now,
        "revenue_after": np.median(after.revenue, axis=0),
        "profit_before": goods.units * (goods.now - goods.cost),
        "profit_after": np.median(after.profit, axis=0),
        "elasticity": elastic[0],
        "elasticity_low": elastic[1],
        "elasticity_high": elastic[2],
    }
    return pa.table(
        {
            "product": pa.array(names, pa.string()),
            "name": pa.array([told[name]["name"] or "" for name in names], pa.string()),
            "category": pa.array([told[name]["category"] or "" for name in names], pa.string()),
            **{name: pa.array(values, pa.float64(), from_pandas=True) for name, values in numbers.items()},
            "borrowed": pa.array(goods.borrowed),
        }
    )
