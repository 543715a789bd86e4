"""Whether it is worth joining: the gain of one method over another, on the merchants' own past.

By default `routed` is held against `routed_own`: all candidates, weighed on each merchant's own recent past,
against the best of what the merchant could do alone, chosen the same way. Where a run lacks them, the federation at
the epsilon nearest to 2 is held against the merchants' own method that came out best, which is chosen with hindsight
and so favours staying alone. The same is told of `routed` where the method to hold it against is asked for as `own`.

`summary.json` keeps the answer under the key `answer`:

    method, against, chosen     what was compared, and how the two were chosen: routers, nearest, own, asked
    resamples, confidence       of the bootstrap (`simulation.evaluation.bootstrap`)
    metrics                     METRIC → pooled, small_merchants, merchants, sizes, counts, worst_size, worst_tenth
    history                     how many months of own history the federation is worth (`simulation.evaluation.history`)
    money                       what it is worth as stock (`simulation.evaluation.money`); null where it cannot be told

A gain is value, against, gain, low, high and verdict: `gain` is the share by which `value` is lower than `against`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from common.errors import ConfigError
from common.forecast.gain import CONFIDENCE, Gain
from common.forecast.method import Method
from simulation.evaluation.bootstrap import measure_gain
from simulation.evaluation.results import Results, measure_losses
from simulation.evaluation.summary import SMALL_MERCHANT_ENTITIES

RESAMPLES = 1000
SIZE_GROUPS = 10
USUAL_EPSILON = 2.0
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


def choose_federated(methods: Sequence[str]) -> str:
    """Name the method that stands for the federation: at the epsilon nearest to 2, personalised where there is one.

    Of two trusts it is the one that supposes less.
    """
    federated = [method for name in methods if (method := Method.parse(name)).is_federated]
    return min(federated, key=_distance).name if federated else ""


def _distance(method: Method) -> tuple[float, bool, bool]:
    epsilon = math.inf if method.epsilon is None else method.epsilon
    return abs(epsilon - USUAL_EPSILON), method.trusts_sum, not method.personalised


def _best_own(results: Results) -> str:
    headline = results.metrics[0]
    own = [name for name in results.methods if Method.parse(name).is_own]
    scores = {name: results.summary["methods"][name][headline] for name in own}
    known = {name: score for name, score in scores.items() if score is not None}
    return min(known, key=lambda name: known[name]) if known else ""


def answer(results: Results, pair: Pair, *, resamples: int = RESAMPLES, seed: int = 0) -> Answer:
    """Compare two methods by every metric that is a mean over entities."""
    method, against = (measure_losses(results, name) for name in (pair.method, pair.against))
    return {
        **asdict(pair),
        "resamples": resamples,
        "confidence": CONFIDENCE,
        "metrics": {
            metric: _compare(_pair_losses(results, method, against, metric), resamples, seed)
            for metric in results.metrics
        },
    }


def _pair_losses(results: Results, method: pd.DataFrame, against: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Set the losses of both methods beside each other: one row per origin, merchant and entity of both.

    What is resampled is numbered by `unit`: a dealt entity stays one, whichever merchant it is dealt to at an origin.
    """
    joined = method[[metric, "weight"]].join(against[metric].rename("against"), how="inner").reset_index()
    unit = joined.groupby(["entity"] if results.plan.data.deal else ["merchant", "entity"]).ngroup()
    return joined.rename(columns={metric: "value"}).assign(unit=unit)


def _compare(pairs: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    size_at_origin = pairs.groupby(["origin", "merchant"])["entity"].transform("size")
    merchants = _merchants(pairs, resamples, seed)
    sizes = _sizes(pairs, merchants, resamples, seed)
    known = [group for group in sizes if "gain" in group]
    return {
        "pooled": _gain(pairs, resamples, [seed, 0]),
        "small_merchants": _gain(pairs[size_at_origin < SMALL_MERCHANT_ENTITIES], resamples, [seed, 1]),
        "merchants": merchants,
        "counts": _counts(merchants),
        "sizes": sizes,
        "worst_size": min(known, key=lambda group: group["gain"], default=None),
        "worst_tenth": _worst_tenth(merchants),
    }


def _merchants(pairs: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Compare per merchant, and note its mean number of entities over the origins at which it takes part."""
    found = {}
    for place, (name, own) in enumerate(pairs.groupby("merchant", sort=True)):
        entities = len(own) / own["origin"].nunique()
        found[str(name)] = {"entities": entities, **(_gain(own, resamples, [seed, 2, place]) or {})}
    return found


def _sizes(pairs: pd.DataFrame, merchants: dict[str, Any], resamples: int, seed: int) -> list[dict[str, Any]]:
    """Compare per group of merchants of like size: ten groups, or fewer where a group would hold a single merchant."""
    by_size = sorted(merchants, key=lambda name: merchants[name]["entities"])
    groups = np.array_split(np.array(by_size, dtype=object), max(1, min(SIZE_GROUPS, len(by_size) // 2)))
    return [
        {
            "merchants": len(names),
            "smallest": merchants[names[0]]["entities"],
            "largest": merchants[names[-1]]["entities"],
            **(_gain(pairs[pairs["merchant"].isin(names)], resamples, [seed, 3, place]) or {}),
        }
        for place, names in enumerate(groups)
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


def _gain(pairs: pd.DataFrame, resamples: int, seed: Sequence[int]) -> dict[str, Any] | None:
    if pairs.empty:
        return None
    found = measure_gain(_sums(pairs), resamples=resamples, generator=np.random.default_rng(seed))
    return None if found is None else describe_gain(found)


def describe_gain(gain: Gain) -> dict[str, Any]:
    """Lay a gain out for JSON."""
    return {**asdict(gain), "verdict": gain.verdict}


def _sums(pairs: pd.DataFrame) -> Float[np.ndarray, "entity origin 3"]:
    """Lay losses out by entity and origin."""
    unit, units = pd.factorize(pairs["unit"])
    origin, origins = pd.factorize(pairs["origin"])
    sums = np.zeros((len(units), len(origins), 3))
    np.add.at(sums, (unit, origin), pairs[["value", "against", "weight"]].to_numpy())
    return sums
