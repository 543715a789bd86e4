"""Pool what a study of firsts measured: by kind of first, length of history and size of merchant.

An entity counts once, with its losses summed over origins, so intervals are of other entities; a single Christmas has
no interval over Christmases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from common.forecast.gain import estimate_gain
from common.forecast.method import Method
from common.plan.schema import Plan
from simulation.experiment.firsts.kind import ALL
from simulation.experiment.firsts.own import ROUTED_OWN
from simulation.experiment.firsts.served import ROUTED, ROUTED_NULL

SIZES = ((1, 9), (10, 29), (30, 99), (100, None))  # entities of a merchant
SCHEMA = 1  # of firsts.json
EVERY = "all"
FIRST = {method.name: place for place, method in enumerate((ROUTED_OWN, ROUTED, ROUTED_NULL))}  # in what is told


def pool_firsts(losses: pd.DataFrame, plan: Plan) -> dict[str, Any]:
    """Hold every method against `routed_own`, on the same entities.

    Returns
    -------
    dict
        `rows`: kind, days (0: all history), size and origin (`all`: all of them), method, entities, and `gain` with
        value, against, gain, low, high and verdict, see `common.forecast.gain`. `over_best_own` is the same over the
        own method that came out best there, which is chosen with hindsight and favours being alone.
    """
    return {"schema": SCHEMA, "plan": plan.name, "plan_hash": plan.hash, "rows": list(_rows(losses))}


def _rows(losses: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (kind, days), part in losses.groupby(["kind", "days"], sort=False):
        about = {"kind": kind, "days": int(str(days)), "size": EVERY, "origin": EVERY}
        yield from _compare(part, about)
        for low, high in SIZES:
            sized = part[part["entities"].between(low, high or part["entities"].max())]
            yield from _compare(sized, about | {"size": name_size(low, high)})
        if part["origin"].nunique() > 1:
            for origin, once in part.groupby("origin"):
                yield from _compare(once, about | {"origin": str(origin)})


def name_size(low: int, high: int | None) -> str:
    """Name a range of sizes."""
    return f"{low}+" if high is None else f"{low}-{high}"


def _compare(part: pd.DataFrame, about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    by_seed = part.groupby(["method", "merchant", "entity", "origin"])[["loss", "weight"]].mean()
    sums = by_seed.groupby(["method", "merchant", "entity"]).sum()
    methods = sorted(part["method"].unique(), key=lambda name: (FIRST.get(name, len(FIRST)), name))
    if ROUTED_OWN.name not in methods:
        return
    best = min(filter(_is_own, methods), key=lambda name: float(sums.loc[name]["loss"].sum()))
    for method in methods:
        gain = _gain(sums, method, ROUTED_OWN.name)
        if gain is not None:
            over_best = {"method": best, "gain": _gain(sums, method, best)}
            yield about | {
                "method": method,
                "entities": len(sums.loc[method]),
                "gain": gain,
                "over_best_own": over_best,
            }


def _is_own(name: str) -> bool:
    return Method.parse(name).is_own


def _gain(sums: pd.DataFrame, method: str, against: str) -> dict[str, Any] | None:
    both = sums.loc[method].join(sums.loc[against], rsuffix="_own", how="inner")
    gain = estimate_gain(both["loss"].to_numpy(), both["loss_own"].to_numpy(), both["weight_own"].to_numpy())
    return None if gain is None else {**asdict(gain), "verdict": gain.verdict}


def is_headline(row: dict[str, Any]) -> bool:
    """Whether a row is of all sizes and origins."""
    return bool(row["size"] == EVERY and row["origin"] == EVERY)


def is_size(row: dict[str, Any]) -> bool:
    """Whether a row is of all days, of merchants of one size."""
    return bool(row["kind"] == ALL and row["size"] != EVERY)
