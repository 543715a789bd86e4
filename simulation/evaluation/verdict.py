"""Whether it is worth joining: the gain of one method over another, on the merchants' own past.

By default `routed` is held against `routed_own`: all candidates, weighed on each merchant's own recent past,
against the best of what the merchant could do alone, chosen the same way. Where a run lacks them, the federation at
the epsilon nearest to 2 is held against the merchants' own method that came out best, which is chosen with hindsight
and so favours staying alone. The same is told of `routed` where the method to hold it against is asked for as `own`.

`summary.json` keeps the answer under the key `answer`:

    method, against, chosen     what was compared, and how the two were chosen: routers, nearest, own, asked
    worth, added, controls,     what the federation learned, and whether the gain is its doing
    noise                       (`simulation.evaluation.learned`)
    resamples, confidence       of the bootstrap (`simulation.evaluation.bootstrap`)
    metrics                     METRIC → pooled, small_merchants, merchants, sizes, histories, merchant_histories,
                                counts, worst_size, worst_tenth
    history                     how many months of own history the federation is worth (`simulation.evaluation.history`)
    money                       what it is worth as stock (`simulation.evaluation.money`); null where it cannot be told

A gain is value, against, gain, low, high and verdict: `gain` is the share by which `value` is lower than `against`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.errors import ConfigError
from common.forecast.gain import CONFIDENCE
from common.forecast.method import Method
from simulation.evaluation.group import group_by_history, group_by_size
from simulation.evaluation.learned import Comparer, choose_federated, describe_learning
from simulation.evaluation.paired import UNITS, gain_of, pair_losses
from simulation.evaluation.results import Results, measure_losses
from simulation.evaluation.summary import SMALL_MERCHANT_ENTITIES

RESAMPLES = 1000
OWN = "own"  # asks for the merchants' own method that came out best
MUCH_WORSE = -0.01  # a merchant is much worse off where its whole interval lies below

Answer = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """The two methods that are compared, and how they were chosen."""

    method: str
    against: str
    chosen: str


def choose_pair(results: Results, method: str = "", against: str = "") -> Pair | None:
    """Choose what to compare; None where the run holds no federated method, or none of the merchants' own.

    Parameters
    ----------
    against
        A method, or `OWN`.

    Raises
    ------
    ConfigError
        A method that was asked for is not in the run, or is held against itself.
    """
    for name in (method, "" if against == OWN else against):
        if name:
            results.require(name)
    first = method or ("routed" if "routed" in results.methods else choose_federated(results.methods))
    if against in {"", OWN}:
        second = "routed_own" if not against and "routed_own" in results.methods else _best_own(results)
    else:
        second = against
    if not first or not second:
        return None
    if first == second:
        raise ConfigError(f"{first} cannot be compared with itself; choose another --against.")
    if against == OWN:
        return Pair(first, second, OWN)
    if method or against:
        return Pair(first, second, "asked")
    return Pair(first, second, "routers" if (first, second) == ("routed", "routed_own") else "nearest")


def _best_own(results: Results) -> str:
    headline = results.metrics[0]
    own = [name for name in results.methods if Method.parse(name).is_own]
    scores = {name: results.summary["methods"][name][headline] for name in own}
    known = {name: score for name, score in scores.items() if score is not None}
    return min(known, key=lambda name: known[name]) if known else ""


def answer(results: Results, pair: Pair, *, resamples: int = RESAMPLES, seed: int = 0) -> Answer:
    """Compare two methods by every metric that is a mean over entities."""
    method, against = (measure_losses(results, name) for name in (pair.method, pair.against))
    months = results.read_months()
    metrics = {
        metric: _compare(_add_months(pair_losses(results, method, against, metric), months), resamples, seed)
        for metric in results.metrics
    }
    comparer = Comparer(results, {pair.method: method, pair.against: against}, resamples, seed)
    return {
        **asdict(pair),
        **describe_learning(comparer, pair.method, pair.against, metrics[results.metrics[0]]["pooled"]),
        "resamples": resamples,
        "confidence": CONFIDENCE,
        "metrics": metrics,
    }


def _add_months(pairs: pd.DataFrame, months: pd.Series | None) -> pd.DataFrame:
    """Put the months of history of each entity beside its losses, and those of its merchant."""
    if months is None:
        return pairs.assign(months=np.nan, merchant_months=np.nan)
    known = pairs.join(months, on=UNITS)
    return known.assign(merchant_months=known.groupby(["origin", "merchant"])["months"].transform("max"))


def _compare(pairs: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    size_at_origin = pairs.groupby(["origin", "merchant"])["entity"].transform("size")
    merchants = _merchants(pairs, resamples, seed)
    sizes = _sizes(pairs, merchants, resamples, seed)
    known = [group for group in sizes if "gain" in group]
    return {
        "pooled": gain_of(pairs, resamples, [seed, 0]),
        "small_merchants": gain_of(pairs[size_at_origin < SMALL_MERCHANT_ENTITIES], resamples, [seed, 1]),
        "merchants": merchants,
        "counts": _counts(merchants),
        "sizes": sizes,
        "histories": _histories(pairs, "months", resamples, seed),
        "merchant_histories": _histories(pairs, "merchant_months", resamples, seed),
        "worst_size": min(known, key=lambda group: group["gain"], default=None),
        "worst_tenth": _worst_tenth(merchants),
    }


def _merchants(pairs: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Compare per merchant, and note its mean number of entities over the origins at which it takes part."""
    found = {}
    for place, (name, own) in enumerate(pairs.groupby("merchant", sort=True)):
        entities = len(own) / own["origin"].nunique()
        found[str(name)] = {"entities": entities, **(gain_of(own, resamples, [seed, 2, place]) or {})}
    return found


def _sizes(pairs: pd.DataFrame, merchants: dict[str, Any], resamples: int, seed: int) -> list[dict[str, Any]]:
    """Compare per group of merchants of like size."""
    groups = group_by_size({name: found["entities"] for name, found in merchants.items()})
    return [
        {
            "merchants": len(group.merchants),
            "smallest": group.smallest,
            "largest": group.largest,
            **(gain_of(pairs[pairs["merchant"].isin(group.merchants)], resamples, [seed, 3, place]) or {}),
        }
        for place, group in enumerate(groups)
    ]


def _histories(pairs: pd.DataFrame, column: str, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Compare per group of like history, of the entities or of their merchants."""
    return [
        {
            "since": group.since,
            "until": group.until,
            "entities": pairs["unit"][group.chosen].nunique(),
            "merchants": pairs["merchant"][group.chosen].nunique(),
            **(gain_of(pairs[group.chosen], resamples, [seed, 5, place]) or {}),
        }
        for place, group in enumerate(group_by_history(pairs[column]))
    ]


def _counts(merchants: dict[str, Any]) -> dict[str, Any]:
    """Count the merchants whose interval leaves no doubt."""
    compared = [found for found in merchants.values() if "gain" in found]
    count = {verdict: sum(found["verdict"] == verdict for found in compared) for verdict in ("better", "worse")}
    total = max(len(compared), 1)
    return {
        "merchants": len(compared),
        **count,
        "unclear": len(compared) - sum(count.values()),
        "share_better": count["better"] / total,
        "share_worse": count["worse"] / total,
        "much_worse": sum(found["high"] is not None and found["high"] < MUCH_WORSE for found in compared),
    }


def _worst_tenth(merchants: dict[str, Any]) -> dict[str, Any] | None:
    """Mean gain of the tenth of merchants that gain least; chosen by what came out, so noise makes it look worse."""
    gains = sorted(found["gain"] for found in merchants.values() if "gain" in found)
    if not gains:
        return None
    worst = gains[: max(1, round(len(gains) / 10))]
    return {"merchants": len(worst), "gain": float(np.mean(worst)), "lowest": worst[0]}
