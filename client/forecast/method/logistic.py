"""Will this entity buy within the horizon? Logistic regression on its past: what a purchase model must beat.

Five features, all logarithms of the entity's own open days before a cut-off: recency, frequency, tenure,
frequency of the last 90 days, spend. The regression learns from snapshots: at the cut-offs one, two, three …
horizons before the origin, so every label ends before the origin. It is fitted over the entities that it is given:
a merchant's own, or in a simulation everyone's.

The constants were chosen by looking at the customers of Online Retail II after the three evaluation origins,
which favours this competitor, not us. For small merchants twelve snapshots beat three clearly; with three,
a strong penalty beat a weak one and one chosen by cross-validation; with twelve, it hardly matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, logit
from scipy.stats import poisson

from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.model.features import RECENT_DAYS
from common.plan.schema import ModelPlan

SNAPSHOTS = 12
INVERSE_PENALTY = 0.1  # scikit-learn's C on standardised features: each coefficient is N(0, 0.1) beforehand
HIGHEST_PROBABILITY = 1 - 1e-6


@dataclass(frozen=True)
class Logistic:
    """A fitted regression: its coefficients stand on features standardised by `center` and `scale`."""

    center: Float[np.ndarray, " feature"]
    scale: Float[np.ndarray, " feature"]
    coefficients: Float[np.ndarray, " feature"]
    intercept: float

    def predict(self, features: Float[np.ndarray, "entity feature"]) -> Float[np.ndarray, " entity"]:
        """Return the probability of a purchase."""
        odds = (features - self.center) / self.scale @ self.coefficients + self.intercept
        probability: np.ndarray = np.minimum(expit(odds), HIGHEST_PROBABILITY)
        return probability


def forecast_logistic(panel: Panel, plan: ModelPlan, origin: int, *, num_snapshots: int = SNAPSHOTS) -> Forecast:
    """Fit on snapshots before the origin and predict at the origin."""
    cutoffs = snapshots_before(origin, plan, num_snapshots)
    features, bought = zip(*(_examples(panel, plan, cutoff) for cutoff in cutoffs), strict=True)
    fitted = fit_logistic(np.concatenate(features), np.concatenate(bought))
    told = per_open_day(fitted.predict(purchase_features(panel, origin)), panel, plan, origin, cutoffs)
    return purchase_forecast(panel, plan, origin, told)


def fit_logistic(features: Float[np.ndarray, "example feature"], bought: Bool[np.ndarray, " example"]) -> Logistic:
    """Fit a regression; where all or none of n bought, k of them, take the base rate (k + 1) / (n + 2)."""
    num_features = features.shape[1]
    if bought.all() or not bought.any():
        base_rate = (bought.sum() + 1) / (len(bought) + 2)
        nothing = np.zeros(num_features)
        return Logistic(nothing, np.ones(num_features), nothing, float(logit(base_rate)))
    from sklearn.linear_model import LogisticRegression  # heavy, and needed here alone

    center, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    fitted = LogisticRegression(C=INVERSE_PENALTY).fit((features - center) / scale, bought)
    return Logistic(center, scale, fitted.coef_[0], float(fitted.intercept_[0]))


def purchase_features(panel: Panel, cutoff: int) -> Float[np.ndarray, "entity 5"]:
    """Log recency, frequency, tenure, recent frequency and spend of every entity before `cutoff`."""
    is_open = panel.open[:, :cutoff]
    sold = is_open & (panel.target[:, :cutoff] > 0)
    last = np.maximum(np.where(sold, np.arange(cutoff), 0).max(axis=1, initial=0), panel.first_day)
    features = [
        cutoff - 1 - last,
        sold.sum(axis=1),
        cutoff - panel.first_day,
        sold[:, max(cutoff - RECENT_DAYS, 0) :].sum(axis=1),
        (_spend(panel)[:, :cutoff] * is_open).sum(axis=1, dtype=np.float64),
    ]
    amounts = np.maximum(np.stack(features, axis=1), 0.0)  # below 0 only where an entity is not yet born
    logarithms: np.ndarray = np.log1p(amounts)
    return logarithms


def _spend(panel: Panel) -> Float[np.ndarray, "entity day"]:
    if "spend" in panel.channels:
        return panel.observed[:, :, panel.channels.index("spend")]
    return panel.target


def snapshots_before(origin: int, plan: ModelPlan, num_snapshots: int) -> list[int]:
    """Cut off one, two, three … horizons before the origin; nobody exists at day 0."""
    return [max(origin - plan.horizon_days * back, 0) for back in range(1, num_snapshots + 1)]


def per_open_day(
    probability: Float[np.ndarray, " entity"], panel: Panel, plan: ModelPlan, origin: int, cutoffs: Sequence[int]
) -> Float[np.ndarray, " entity"]:
    """Tell the probability for as many open days as lie ahead, where it was learned from horizons with more or fewer.

    Purchases are taken as equally likely on every open day, as the anchor takes them.
    """
    learned = np.mean([_open_days(panel, plan, cutoff) for cutoff in cutoffs if cutoff > 0] or [0.0])
    ahead = _open_days(panel, plan, origin)
    if learned == 0 or ahead == 0:
        return probability
    share: np.ndarray = -np.expm1(np.log1p(-np.minimum(probability, HIGHEST_PROBABILITY)) * (ahead / learned))
    return share


def _open_days(panel: Panel, plan: ModelPlan, cutoff: int) -> float:
    """Open days of the shop in a horizon, which are its busiest entity's."""
    return float(panel.open[:, cutoff : cutoff + plan.horizon_days].sum(axis=1).max(initial=0))


def _examples(
    panel: Panel, plan: ModelPlan, cutoff: int
) -> tuple[Float[np.ndarray, "example 5"], Bool[np.ndarray, " example"]]:
    """Features at the cut-off of the entities that exist by then, and whether they then bought."""
    there = panel.select(can_buy(panel, plan, cutoff))
    return purchase_features(there, cutoff), purchase_labels(there, plan, cutoff)


def purchase_labels(panel: Panel, plan: ModelPlan, cutoff: int) -> Bool[np.ndarray, " entity"]:
    """Whether each entity has demand within the horizon."""
    ahead = slice(cutoff, cutoff + plan.horizon_days)
    bought: np.ndarray = ((panel.target[:, ahead] > 0) & panel.open[:, ahead]).any(axis=1)
    return bought


def can_buy(panel: Panel, plan: ModelPlan, cutoff: int) -> Bool[np.ndarray, " entity"]:
    """Whether the entity exists at the cut-off and has an open day within the horizon."""
    return (panel.first_day < cutoff) & panel.open[:, cutoff : cutoff + plan.horizon_days].any(axis=1)


def purchase_forecast(
    panel: Panel, plan: ModelPlan, origin: int, probability: Float[np.ndarray, " entity"]
) -> Forecast:
    """Read the probability as that of at least one Poisson count, spread evenly over the open days ahead."""
    probability = probability * can_buy(panel, plan, origin)
    ahead = panel.open[:, origin : origin + plan.horizon_days].reshape(-1, plan.horizon, plan.bucket_days)
    open_days = ahead.sum(axis=2)
    share = open_days / np.maximum(open_days.sum(axis=1, keepdims=True), 1)
    mean = -np.log1p(-probability)[:, None] * share
    return Forecast(mean=mean, median=poisson.ppf(0.5, mean), quantiles=None, probability=probability)
