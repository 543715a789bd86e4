"""What days out of stock do to a forecast: a world whose true demand is known, and what three merchants know of it.

    demand          what was wanted, which nobody sees; the method's own bias
    sold            what was sold, taken for what was wanted
    out of stock    what was sold, and on which days there was no more

Each method forecasts the same horizons from each of the three, and its mean is held against what was wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import torch
from rich.table import Table

from client.data.rows import read_frame, require_whole
from common.data.panel import Panel
from common.forecast.method import Method
from common.plan.schema import Plan
from simulation.method.method import Progress, run_method
from simulation.origin.origin import make_trial
from simulation.synthetic.federation import SyntheticSettings
from simulation.synthetic.panel import draw_panel

KNOWN = ("demand", "sold", "out of stock")
COLUMN = "out_of_stock"
CPU = torch.device("cpu")

OnForecast = Callable[[str, str], None]


@dataclass(frozen=True)
class Bias:
    """Sum of a method's forecast means over the sum of true demand, less 1.

    Attributes
    ----------
    by_origin
        The same of each origin alone.
    """

    method: str
    known: str
    bias: float
    by_origin: tuple[float, ...]


@dataclass(frozen=True)
class World:
    """An invented world that runs out of stock.

    Attributes
    ----------
    share
        Of the days of every product, on which it is out of stock.
    products
        Of the largest merchant.
    merchants
        How many there are: those with the most products; all if 0.
    """

    share: float = 0.2
    products: int = 200
    seed: int = 0
    merchants: int = 0


def draw_stocked(plan: Plan, world: World) -> pd.DataFrame:
    """Draw a world of pieces or of money, as the plan's likelihood has it."""
    settings = SyntheticSettings(
        products_per_merchant_largest=world.products,
        seed=world.seed,
        stock_out_share=world.share,
        money=plan.model.likelihood == "log_normal",
    )
    rows = draw_panel(settings)
    products = rows.groupby("merchant")["product"].nunique().sort_values(ascending=False, kind="stable")
    return rows[rows["merchant"].isin(products.index[: world.merchants or None])]


def know(plan: Plan, known: str) -> Plan:
    """Write the plan of a merchant that knows this much."""
    written = plan.model_dump(mode="json")
    written["data"]["target"] = {"aggregate": "sum", "column": "demand" if known == "demand" else "units"}
    written["data"]["out_of_stock"] = COLUMN if known == "out of stock" else ""
    return Plan.model_validate_json(json.dumps(written))


def lay_out_rows(rows: pd.DataFrame, plan: Plan) -> Panel:
    """Lay the world out as a merchant that knows what `plan` says reads it."""
    return require_whole(read_frame(rows, plan.data, ahead_from=plan.evaluation.origins[-1])).panel


def measure_biases(
    plan: Plan,
    methods: Sequence[str],
    origins: Sequence[date],
    world: World,
    *,
    on_forecast: OnForecast = lambda method, known: None,
) -> list[Bias]:
    """Forecast every origin by every method from each of `KNOWN`; the world's seed is that of weights and noise too."""
    rows = draw_stocked(plan, world)
    panels = {known: lay_out_rows(rows, know(plan, known)) for known in KNOWN}
    found = []
    for name in methods:
        for known in KNOWN:
            on_forecast(name, known)
            sums = [_sums(name, known, know(plan, known), panels, origin, world.seed) for origin in origins]
            forecast, wanted = np.array(sums).T
            by_origin = tuple((forecast / wanted - 1).tolist())
            found.append(Bias(name, known, float(forecast.sum() / wanted.sum() - 1), by_origin))
    return found


def _sums(name: str, known: str, plan: Plan, panels: dict[str, Panel], origin: date, seed: int) -> tuple[float, float]:
    """Give the sum of a method's means over one horizon, and of what was wanted."""
    trial = make_trial(plan, panels[known], origin)
    forecast = run_method(Method.parse(name), trial, seed=seed, device=CPU, progress=Progress()).forecast
    return float(forecast.mean.sum()), sum_wanted(panels["demand"], plan, origin)


def sum_wanted(panel: Panel, plan: Plan, origin: date) -> float:
    """Add up what was wanted in the horizon by those who exist at its origin."""
    day = panel.day_of(origin)
    present = panel.select(panel.first_day < day)
    horizon = slice(day, day + plan.model.horizon_days)
    return float((present.target * present.open)[:, horizon].sum(dtype=np.float64))


def make_bias_table(biases: Sequence[Bias], title: str) -> Table:
    """Show a row per method and a column for each of what may be known."""
    table = Table("method", *(f"from {known}" for known in KNOWN), title=title)
    for method in dict.fromkeys(bias.method for bias in biases):
        own = {bias.known: bias.bias for bias in biases if bias.method == method}
        table.add_row(method, *(f"{own[known]:+.1%}" for known in KNOWN))
    return table
