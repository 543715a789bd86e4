"""What joining is worth as stock: the horizons of a run, lived through with the stock that two methods order.

`summary.json` keeps it under `answer`, `money`:

    fill_rate, lead_days, review_days, currency    what was asked; currency is "" where a piece counts as one
    against                                        what joining is held against
    pooled                                         over all merchants
    merchants                                      MERCHANT → the same of one; null where it cannot be told
    sizes, histories, merchant_histories           the same of each group: its bounds alone where it cannot be told

Each is amount (a month), share (of the cost) and stock_share, all positive where joining is cheaper, each with its ends
`…low` and `…high`, besides verdict, and stock_days, stock_days_against: days of average sales on the shelf.
Intervals are of other products, those of one origin together with itself at others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from client.decision.stock.cost import StockCosts, cost_of_price
from client.decision.stock.frontier import Ledger, read_point
from client.decision.stock.horizon import is_long_enough, join_ledgers, keep_horizon, measure_joining
from client.decision.stock.level import SERVICE_LEVELS
from client.decision.stock.walk import Rhythm
from simulation.evaluation.group import SizeGroup, group_by_history
from simulation.evaluation.results import Record, Results

RESAMPLES = 1000
WEEKLY = Rhythm()
PIECES = cost_of_price(np.array(1.0))

HISTORIES = {"histories": "months", "merchant_histories": "merchant_months"}

Unit = tuple[str, str]


def measure_money(
    results: Results,
    method: str,
    others: Sequence[str],
    *,
    costs: StockCosts = PIECES,
    rhythm: Rhythm = WEEKLY,
    resamples: int = RESAMPLES,
    sizes: Sequence[SizeGroup] = (),
) -> dict[str, Any] | None:
    """Hold a method of a run against the cheapest of others as stock.

    None where the run's horizons are too short, or of purchases. The cheapest over all merchants is held against each
    of them; where there are several to choose from, hindsight favours it.

    Parameters
    ----------
    sizes
        Groups of merchants to tell it of, beside all and each.
    """
    plan = results.plan
    if plan.evaluation.task != "demand" or not is_long_enough(plan.model.horizon_days, plan.model.bucket_days, rhythm):
        return None
    ledgers, units = _join_runs(results, (method, *others), costs, rhythm)
    merchants = np.array([merchant for merchant, _ in units])
    names, months = sorted(set(merchants.tolist())), _months_of(results, units)
    against = _cheapest({name: ledgers[name] for name in others}, costs)

    def compare(chosen: np.ndarray) -> dict[str, Any] | None:
        own = {name: ledger.select(chosen) for name, ledger in ledgers.items()}
        return _compare(own, method, against, costs, rhythm, resamples)

    return {
        "fill_rate": costs.service_level,
        "lead_days": rhythm.lead_days,
        "review_days": rhythm.review_days,
        "currency": costs.currency,
        "against": against,
        "pooled": compare(np.arange(len(merchants))),
        "merchants": {name: compare(np.flatnonzero(merchants == name)) for name in names},
        "sizes": [
            {
                "smallest": group.smallest,
                "largest": group.largest,
                **(compare(np.flatnonzero(np.isin(merchants, group.merchants))) or {}),
            }
            for group in sizes
        ],
        **{
            kind: [
                {"since": group.since, "until": group.until, **(compare(np.flatnonzero(group.chosen)) or {})}
                for group in group_by_history(months[column])
            ]
            for kind, column in HISTORIES.items()
        },
    }


def _months_of(results: Results, units: Sequence[Unit]) -> pd.DataFrame:
    """Give the months of history of each unit and of its merchant, at the last origin at which it takes part."""
    known = results.read_months()
    if known is None:
        return pd.DataFrame(np.nan, index=range(len(units)), columns=list(HISTORIES.values()))
    entities = known.groupby(["merchant", "entity"]).max()
    months = pd.DataFrame({"months": entities.reindex(pd.MultiIndex.from_tuples(units)).to_numpy()})
    merchants = pd.Series([merchant for merchant, _ in units])
    return months.assign(merchant_months=months["months"].groupby(merchants).transform("max"))


def _cheapest(ledgers: Mapping[str, Ledger], costs: StockCosts) -> str:
    """Name the method that costs least; the first where none serves what is wanted."""
    points = {
        name: read_point(ledger, SERVICE_LEVELS, fill_rate=costs.service_level) for name, ledger in ledgers.items()
    }
    known = {name: point.cost for name, point in points.items() if point is not None}
    return min(known, key=lambda name: known[name], default=next(iter(ledgers)))


def _compare(
    ledgers: Mapping[str, Ledger], method: str, against: str, costs: StockCosts, rhythm: Rhythm, resamples: int
) -> dict[str, Any] | None:
    joining = measure_joining(
        {method: ledgers[method]},
        {against: ledgers[against]},
        fill_rate=costs.service_level,
        rhythm=rhythm,
        currency=costs.currency,
        resamples=resamples,
    )
    if joining.saving is None:
        return None
    return {
        **asdict(joining.saving),
        "verdict": joining.saving.verdict,
        "stock_days": joining.points[method].stock_days,
        "stock_days_against": joining.points[against].stock_days,
    }


def _join_runs(
    results: Results, methods: tuple[str, ...], costs: StockCosts, rhythm: Rhythm
) -> tuple[dict[str, Ledger], list[Unit]]:
    """Give each method's ledger over all origins, the mean over its seeds, and merchant and entity of every row.

    An entity that is dealt to another merchant at another origin has a row with each.
    """
    records = {method: list(results.records(method)) for method in methods}
    units = sorted({unit for found in records.values() for record in found for unit in _units(record)})
    place = {unit: number for number, unit in enumerate(units)}
    counts = results.plan.model.likelihood != "log_normal"
    ledgers = {}
    for method, found in records.items():
        by_origin = []
        for origin in sorted({record.origin for record in found}):
            same = [record for record in found if record.origin == origin]
            kept = [
                keep_horizon(record.forecast, record.actual, record.counted, costs, rhythm, counts=counts)
                for record in same
            ]
            places = np.array([place[unit] for unit in _units(same[0])])
            by_origin.append((places, _average(kept)))
        ledgers[method] = join_ledgers(by_origin, len(units))
    return ledgers, units


def _units(record: Record) -> list[Unit]:
    return list(zip(record.merchants.astype(str).tolist(), record.entities.astype(str).tolist(), strict=True))


def _average(ledgers: list[Ledger]) -> Ledger:
    def mean(name: str) -> np.ndarray:
        found: np.ndarray = np.mean([getattr(ledger, name) for ledger in ledgers], axis=0)
        return found

    return Ledger(mean("cost"), mean("served"), mean("wanted"), mean("held"), ledgers[0].days)
