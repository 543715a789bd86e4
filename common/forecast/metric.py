"""Forecasts and how far they were from what happened; every metric looks at open days only.

Of a day out of stock nobody knows what happened, so its bucket is not scored, by any metric. Those are busy days more
often than not: of the days that are left an honest forecast says somewhat too much (docs/how-to/stock.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score

from common.data.panel import Panel
from common.plan.schema import ModelPlan

QUANTILE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MEDIAN = QUANTILE_LEVELS.index(0.5)


@dataclass(frozen=True)
class Forecast:
    """What a method says of each entity's horizon.

    Attributes
    ----------
    median
        What is scored by absolute error; for a method without a distribution its point forecast.
    quantiles
        At `QUANTILE_LEVELS`; absent for a method without a distribution.
    probability
        Of any demand in the whole horizon.
    """

    mean: Float[np.ndarray, "entity bucket"]
    median: Float[np.ndarray, "entity bucket"]
    quantiles: Float[np.ndarray, "entity bucket level"] | None
    probability: Float[np.ndarray, " entity"] | None

    def select(self, entities: np.ndarray | slice) -> Forecast:
        """Keep some entities."""
        quantiles, probability = self.quantiles, self.probability
        return Forecast(
            self.mean[entities],
            self.median[entities],
            None if quantiles is None else quantiles[entities],
            None if probability is None else probability[entities],
        )

    def is_finite(self) -> bool:
        """Whether every number is one."""
        parts = (self.mean, self.median, self.quantiles, self.probability)
        return all(np.isfinite(part).all() for part in parts if part is not None)

    @classmethod
    def concatenate(cls, forecasts: Sequence[Forecast]) -> Forecast:
        """Put the entities of several forecasts of one method behind each other."""

        def join(name: str) -> Any:
            parts = [getattr(forecast, name) for forecast in forecasts]
            return None if parts[0] is None else np.concatenate(parts)

        return cls(join("mean"), join("median"), join("quantiles"), join("probability"))


@dataclass(frozen=True)
class Outcome:
    """What happened.

    Attributes
    ----------
    counted
        Buckets with an open day and none out of stock, of entities that existed at the origin.
    scale
        Mean squared one-step change of each entity's past daily demand, between days in stock: RMSSE's denominator.
    """

    actual: Float[np.ndarray, "entity bucket"]
    counted: Bool[np.ndarray, "entity bucket"]
    scale: Float[np.ndarray, " entity"]

    def select(self, entities: np.ndarray) -> Outcome:
        """Keep some entities."""
        return Outcome(self.actual[entities], self.counted[entities], self.scale[entities])


def observe(panel: Panel, plan: ModelPlan, day: int) -> Outcome:
    """Note what happened in the horizon that starts on `day`."""
    horizon = slice(day, day + plan.horizon_days)
    buckets = (len(panel.entities), plan.horizon, plan.bucket_days)
    change = np.diff(panel.target[:, :day], axis=1)
    in_stock = ~panel.censored
    alive = (np.arange(day)[None, 1:] > panel.first_day[:, None]) & in_stock[:, 1:day] & in_stock[:, : max(day - 1, 0)]
    return Outcome(
        actual=(panel.target * panel.open)[:, horizon].reshape(buckets).sum(2),
        counted=np.asarray(
            (panel.open[:, horizon].reshape(buckets)).any(2) & in_stock[:, horizon].reshape(buckets).all(2)
        ),
        scale=(change**2 * alive).sum(1) / np.maximum(alive.sum(1), 1),
    )


def score_demand(forecast: Forecast, outcome: Outcome) -> dict[str, float | None]:
    """Score forecasts of amounts.

    Returns
    -------
    dict
        wape: sum of absolute errors of the median over sum of demand.
        rmsse: root mean squared scaled error of the mean, averaged over entities (Hyndman & Koehler 2006).
        rmspe: root mean squared relative error of the median, where demand is positive.
        wql: weighted quantile loss, twice the pinball loss over the sum of demand, mean over levels.
        coverage80: share of buckets inside the 10 % to 90 % interval; None without a distribution.
        coverage80_mid: the same, where demand that equals an end of the interval counts only for the part of its
        probability that lies inside (below).
        bias: sum of errors of the mean over sum of demand.

    Notes
    -----
    A count puts a lump of probability on each end of its interval, so the closed interval of a perfect forecast of
    rare demand covers up to 100 %: at a mean of .1 it is [0, 0] and covers 90 %. `coverage80_mid` is 80 % for a perfect
    forecast up to the coarseness of nine levels, of counts and amounts alike, and equals `coverage80` where no demand
    equals an end. It is the expectation over the randomised probability integral transform.

    References
    ----------
    Czado, Gneiting & Held, "Predictive model assessment for count data", Biometrics 2009, section 2.
    """
    counted = outcome.counted
    actual, mean, median = outcome.actual[counted], forecast.mean[counted], forecast.median[counted]
    total = actual.sum()
    if total <= 0:
        return dict.fromkeys(("wape", "rmsse", "rmspe", "wql", "coverage80", "coverage80_mid", "bias"))
    quantiles = forecast.quantiles
    positive = actual > 0
    return {
        "wape": float(np.abs(actual - median).sum() / total),
        "rmsse": _rmsse(forecast.mean, outcome),
        "rmspe": float(np.sqrt(np.mean(((actual - median)[positive] / actual[positive]) ** 2))),
        "wql": float(_quantile_loss(actual, median[:, None] if quantiles is None else quantiles[counted]) / total),
        "coverage80": None if quantiles is None else _coverage(actual, quantiles[counted]),
        "coverage80_mid": None if quantiles is None else _coverage_mid(actual, quantiles[counted]),
        "bias": float((mean - actual).sum() / total),
    }


def score_purchases(
    probability: Float[np.ndarray, " entity"], bought: Bool[np.ndarray, " entity"]
) -> dict[str, float | None]:
    """Score probabilities of any demand: auc, log_loss, brier; accuracy, precision and recall at one half.

    Of no entity, or where only one answer occurs, what cannot be told is None.
    """
    if not len(bought):
        return dict.fromkeys(("auc", "log_loss", "brier", "accuracy", "precision", "recall"))
    chosen = probability >= 0.5
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    both = bool(bought.any() and not bought.all())
    return {
        "auc": float(roc_auc_score(bought, probability)) if both else None,
        "log_loss": float(-np.mean(np.where(bought, np.log(clipped), np.log1p(-clipped)))),
        "brier": float(np.mean((probability - bought) ** 2)),
        "accuracy": float(np.mean(chosen == bought)),
        "precision": float(np.mean(bought[chosen])) if chosen.any() else None,
        "recall": float(np.mean(chosen[bought])) if bought.any() else None,
    }


def _rmsse(mean: Float[np.ndarray, "entity bucket"], outcome: Outcome) -> float | None:
    count = outcome.counted.sum(1)
    usable = (count > 0) & (outcome.scale > 0)
    if not usable.any():
        return None
    squared = (((outcome.actual - mean) ** 2) * outcome.counted).sum(1)[usable] / count[usable]
    return float(np.mean(np.sqrt(squared / outcome.scale[usable])))


def _quantile_loss(actual: Float[np.ndarray, " bucket"], quantiles: Float[np.ndarray, "bucket level"]) -> float:
    level = np.array(QUANTILE_LEVELS)
    error = actual[:, None] - quantiles
    return float(2 * np.mean(np.maximum(level * error, (level - 1) * error), axis=1).sum())


def _coverage(actual: Float[np.ndarray, " bucket"], quantiles: Float[np.ndarray, "bucket level"]) -> float:
    return float(np.mean((quantiles[:, 0] <= actual) & (actual <= quantiles[:, -1])))


def _coverage_mid(actual: Float[np.ndarray, " bucket"], quantiles: Float[np.ndarray, "bucket level"]) -> float:
    """Count each bucket for the part of its probability between the outer levels.

    The levels below a value and up to it bracket its probability; halfway to the next level is taken.
    """
    spacing = QUANTILE_LEVELS[1] - QUANTILE_LEVELS[0]
    below, up_to = (quantiles < actual[:, None]).sum(axis=1), (quantiles <= actual[:, None]).sum(axis=1)
    start = np.where(actual > 0, (below + 0.5) * spacing, 0.0)  # nothing lies below zero
    end = (up_to + 0.5) * spacing
    inside = np.minimum(end, QUANTILE_LEVELS[-1]) - np.maximum(start, QUANTILE_LEVELS[0])
    covered = (quantiles[:, 0] <= actual) & (actual <= quantiles[:, -1])
    share = np.maximum(inside, 0.0) / np.maximum(end - start, spacing)
    return float(np.mean(np.where(up_to > below, share, covered)))
