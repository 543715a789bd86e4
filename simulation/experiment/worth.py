"""What forecasts are worth as stock, on a plan's real demand: which products, which days, at which prices."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from jaxtyping import Float
from rich.box import SIMPLE
from rich.table import Table

from client.decision.stock.cost import HOLDING_SHARE, MARGIN_SHARE, StockCosts, cost_of_price
from client.decision.stock.frontier import Saving, classify
from client.decision.stock.own import is_rhythmic
from client.decision.stock.walk import Rhythm, Walk, plan_walk
from client.decision.stock.worth import CLASSES, OURS, RESAMPLES, Group, OnStep, compare, keep_ledgers, make_levels
from common.data.panel import Panel
from common.errors import ConfigError
from common.forecast.gain import say_share
from common.plan.schema import Plan
from simulation.origin.origin import load_panel

PRICE, PIECES = "price of a piece", "pieces"  # channels that are read beside the plan's own
COUNTED_DAYS = 27 * 7  # if no first review is given: half a year, once shelves are as usual
REHEARSAL_DAYS = 26 * 7
LIVELY_DAYS, LIVELY_WITHIN = 5, 365  # a product drawn at random was sold on so many days of the last year


@dataclass(frozen=True)
class Stocking:
    """What is asked.

    Attributes
    ----------
    first
        Day of the first review; half a year before the data ends if None.
    pieces
        Column whose sum is demand; the plan's target if "".
    price
        Column of the price of a piece, or a number; "" where it is unknown and a piece counts as one.
    busiest, random
        How many products: those sold on most days before the first review, and others drawn at random. All if both
        are 0.
    fill_rates
        Shares of demand at which costs are compared.
    """

    rhythm: Rhythm = field(default_factory=Rhythm)
    first: date | None = None
    pieces: str = ""
    price: str = ""
    currency: str = ""
    holding_share: float = HOLDING_SHARE
    margin_share: float = MARGIN_SHARE
    per_order: float = 0.0
    busiest: int = 0
    random: int = 0
    fill_rates: tuple[float, ...] = (0.9, 0.95, 0.98)
    backorders: bool = False
    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True)
class Worth:
    """The answer.

    Attributes
    ----------
    first, last
        Days that are counted.
    counted_weeks
        How many weeks those are.
    """

    plan: str
    products: int
    first: date
    last: date
    counted_weeks: float
    currency: str
    groups: tuple[Group, ...]


def measure_worth(plan: Plan, data_root: Path, asked: Stocking, *, on_step: OnStep = lambda what, share: None) -> Worth:
    """Live through a plan's last months with the stock that each method orders.

    Raises
    ------
    ConfigError
        The plan or what is asked does not fit a simulation of stock.
    DataError
        The plan's rows cannot be read.
    """
    _require_fit(plan, asked)
    reading = _read_more(plan, asked)
    panel = load_panel(reading, data_root)
    if asked.pieces:
        panel = _take_pieces(panel)
    first = _choose_first(panel, asked)
    prices = _prices(panel, asked, first)
    chosen, is_busiest = choose_products(panel, first, asked)
    walk = plan_walk(
        panel.select(chosen), asked.rhythm, first=first, rehearsals=REHEARSAL_DAYS // asked.rhythm.review_days
    )
    costs = cost_of_price(
        prices[chosen],
        holding_share=asked.holding_share,
        margin_share=asked.margin_share,
        per_order=asked.per_order,
        currency=asked.currency,
    )
    ledgers = keep_ledgers(
        walk,
        make_levels(walk, plan, on_step=on_step),
        costs,
        counts=plan.model.likelihood != "log_normal",
        backorders=asked.backorders,
    )
    on_step("drawing products and weeks anew", 0.0)
    sold = walk.demand[:, max(first - LIVELY_WITHIN, 0) : first].sum(axis=1) * prices[chosen]
    groups = compare(
        ledgers,
        _groups(sold, is_busiest),
        fill_rates=asked.fill_rates,
        resamples=asked.resamples,
        seed=asked.seed,
    )
    return _answer(plan, walk, costs, groups)


def _answer(plan: Plan, walk: Walk, costs: StockCosts, groups: tuple[Group, ...]) -> Worth:
    rhythm = walk.rhythm
    first = int(walk.reviews[walk.first]) + rhythm.warm_up_cycles * rhythm.review_days
    last = int(walk.reviews[-1]) + rhythm.review_days - 1
    start = walk.panel.start
    return Worth(
        plan.name,
        len(walk.panel.entities),
        start + timedelta(first),
        start + timedelta(last),
        (last - first + 1) / 7,
        costs.currency,
        groups,
    )


def _require_fit(plan: Plan, asked: Stocking) -> None:
    if plan.evaluation.task != "demand":
        raise ConfigError(f"The plan {plan.name} forecasts who buys; stock needs one of demand.")
    if not is_rhythmic(plan, asked.rhythm.review_days):
        raise ConfigError(
            f"The plan {plan.name} steps by weeks, so it is reviewed every 7, 14, … days; give such a --review-days."
        )


def _read_more(plan: Plan, asked: Stocking) -> Plan:
    """Read pieces and price beside what the plan reads."""
    written = plan.model_dump(mode="json")
    observed = written["data"]["observed"]
    if asked.pieces:
        observed[PIECES] = {"aggregate": "sum", "column": asked.pieces}
    if asked.price and _number(asked.price) is None:
        observed[PRICE] = {"aggregate": "mean", "column": asked.price}
    return Plan.model_validate_json(json.dumps(written))


def _take_pieces(panel: Panel) -> Panel:
    return replace(panel, target=panel.observed[:, :, panel.channels.index(PIECES)] * panel.open)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _choose_first(panel: Panel, asked: Stocking) -> int:
    rhythm = asked.rhythm
    if asked.first is None:
        uncounted = rhythm.warm_up_cycles * rhythm.review_days + rhythm.lead_days
        first = panel.num_days - COUNTED_DAYS - uncounted
        if first <= 0:
            raise ConfigError(f"The plan has {panel.num_days} days, too few for half a year of stock; give --first.")
        return first
    first = panel.day_of(asked.first)
    if not 0 < first < panel.num_days:
        raise ConfigError(f"--first {asked.first} lies outside the plan's days; choose a day after {panel.start}.")
    return first


def _prices(panel: Panel, asked: Stocking, first: int) -> Float[np.ndarray, " product"]:
    """Give each product's mean price before the first review; that of all where it had none."""
    fixed = _number(asked.price) if asked.price else 1.0
    if fixed is not None:
        return np.full(len(panel.entities), fixed)
    daily = panel.observed[:, :first, panel.channels.index(PRICE)]
    seen = (daily > 0).sum(axis=1)
    if not seen.any():
        raise ConfigError(f"--price {asked.price} is a column without an amount before the first review.")
    mean = daily.sum(axis=1, dtype=np.float64) / np.maximum(seen, 1)
    return np.where(seen > 0, mean, np.median(mean[seen > 0]))


def choose_products(panel: Panel, first: int, asked: Stocking) -> tuple[np.ndarray, np.ndarray | None]:
    """Choose products by what was sold before the first review, and tell which of them are the busiest.

    Returns
    -------
    tuple[np.ndarray, np.ndarray | None]
        Their places, and whether each is one of the busiest; None where all take part.
    """
    sold = (panel.target[:, :first] > 0) & panel.open[:, :first]
    days = sold.sum(axis=1)
    lively = sold[:, max(first - LIVELY_WITHIN, 0) :].sum(axis=1) >= LIVELY_DAYS
    if not lively.any():
        raise ConfigError(f"Nothing was sold on {LIVELY_DAYS} days of the year before the first review.")
    if not (asked.busiest or asked.random):
        return np.flatnonzero(lively), None
    most = np.argsort(-days, kind="stable")[: asked.busiest]
    others = np.setdiff1d(np.flatnonzero(lively), most)
    generator = np.random.default_rng(asked.seed)
    drawn = generator.choice(others, min(asked.random, len(others)), replace=False)
    chosen = np.sort(np.concatenate([most, drawn]))
    return chosen, np.isin(chosen, most)


def _groups(sold: np.ndarray, is_busiest: np.ndarray | None) -> dict[str, np.ndarray]:
    classes = classify(sold, CLASSES)
    groups = {"all": np.ones(len(sold), bool)}
    groups |= {f"class {name}": classes == name for name in CLASSES}
    if is_busiest is not None and 0 < is_busiest.sum() < len(sold):
        groups |= {"busiest": is_busiest, "at random": ~is_busiest}
    return groups


def make_worth_table(worth: Worth) -> Table:
    """Show for each group and share served what each method costs a month, and what is saved."""
    methods = tuple(worth.groups[0].at[0].points) if worth.groups else (OURS,)
    money = worth.currency or "pieces' worth"
    table = Table("products", "served", *methods, "cheaper than the best other", box=SIMPLE)
    table.title = f"Cost of stock a month, in {money}: {worth.first} to {worth.last}"
    for group in worth.groups:
        for place, at in enumerate(group.at):
            name = f"{group.name} ({group.products})" if place == 0 else ""
            costs = ["–" if point is None else f"{point.cost:,.0f}" for point in at.points.values()]
            table.add_row(name, f"{at.fill_rate:.0%}", *costs, say_saving(at.saving, at.best_other))
        table.add_section()
    return table


def say_saving(saving: Saving | None, other: str) -> str:
    """Say a saving in a few words."""
    if saving is None:
        return "–"
    said = say_share(saving.share, signed=True)
    if saving.share_low is not None and saving.share_high is not None:
        said += f" ({say_share(saving.share_low, signed=True)} to {say_share(saving.share_high, signed=True)})"
    return f"{said} than {other}; stock {say_share(saving.stock_share, signed=True)}"
