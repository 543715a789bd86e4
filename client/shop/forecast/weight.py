"""How much of each candidate goes into the average that is served, by several past horizons of the shop itself.

Notable here: the average's weights are those under which the days of the past horizons are most probable as Poisson
counts, and a prior worth `PRIOR_PIECES` pieces holds a shop with little to judge by near the usual average. Then the
average must not be worse than the best simple candidate: each past horizon is forecast with the weights of the others,
and where a simple candidate beats that average by more than a standard error of their difference, counted in blocks of
a product and a week and over horizons, it serves alone.

A federation's released model is weighed last, by the same rule, against the average of all others as if that were one
simple method: first the shop's own methods get their shares without it, then it gets a share of the whole. It gets none
unless past horizons, each forecast with the share that the others give, would have been forecast better with it: what
came from outside has to show that it helps here. So joining never moves how the own methods are weighed against each
other. It is weighed on what it says alone: where it had learned from a past horizon, it says nothing of it (NaN).

References
----------
Bates & Granger, "The combination of forecasts", 1969: an average errs less than a forecast picked from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize

from client.language.speech import t

STEPS = 100
SMALLEST = 1e-4
PRIOR_PIECES = 100.0  # of demand that the even average is worth
SHARES = {"lightgbm": 3.0, "warm": 1.0, "anchor": 1.0, "moving_average": 1.0, "weekday_mean": 1.0}
ALONE = "alone"  # the average of all own methods, where another is weighed against it
SHARES[ALONE], SHARES["federated"] = 7.0, 1.0
USUAL_SHARE = 0.2  # of every other, seasonal naive among them
FLOOR = 0.005  # of a mean, so that a candidate that says never does not become impossible by one sale
BLOCK_DAYS = 7
ASTRAY = 5.0  # times the median of the candidates' totals

Means = Float[np.ndarray, "origin product day"]
Past = Float[np.ndarray, "past product day"]  # of the origins before the last


@dataclass(frozen=True)
class Weighed:
    """Shares of the candidates, and how they were found.

    Attributes
    ----------
    weights
        Candidate → share; they add up to one.
    losses
        Candidate → mean deviance per counted day over the past horizons, and `average` of what would have been served;
        where a released model was weighed, of the days that it speaks of: its own, and `alone` of all others' average.
    reason
        Why one serves alone, in half a sentence; "" where an average serves.
    """

    weights: dict[str, float]
    losses: dict[str, float]
    reason: str = ""


def weigh(
    means: Mapping[str, Means],
    actual: Past,
    counted: Bool[np.ndarray, "past product day"],
    simple: Sequence[str],
) -> Weighed:
    """Weigh candidates by past horizons; without any each has its usual share."""
    names = tuple(means)
    prior = _prior(names)
    if len(names) == 1 or not counted.any():
        return Weighed(
            dict(zip(names, prior.tolist(), strict=True)), {}, "" if len(names) > 1 else t("it was asked for")
        )
    said = np.stack([means[name] for name in names])
    losses = {name: _blocks(said[place], actual, counted) for place, name in enumerate(names)}
    average = _blocks(_held_out_average(said, actual, counted, prior), actual, counted)
    days = int(counted.sum())
    told = {name: float(loss.sum() / days) for name, loss in {**losses, "average": average}.items()}
    there = [name for name in names if name in simple]
    if there:
        best = min(there, key=lambda name: losses[name].sum())
        if _is_beyond_chance(average - losses[best], len(actual)):
            return Weighed({name: float(name == best) for name in names}, told, t("nothing beat it on past horizons"))
    weights = _fit(said, actual, counted, prior)
    return Weighed(dict(zip(names, weights.tolist(), strict=True)), told)


def weigh_joined(
    means: Mapping[str, Means],
    actual: Past,
    counted: Bool[np.ndarray, "past product day"],
    simple: Sequence[str],
    *,
    joined: str,
) -> Weighed:
    """Weigh candidates as `weigh` does, and then one more, which says nothing (NaN) of some, against their average.

    Guarantee: shares of the others keep their proportions, whatever the one more says; it has no share unless, on the
    past days of which it speaks, the average with it would have been better than that of the others alone.
    """
    own = {name: mean for name, mean in means.items() if name != joined}
    alone = weigh(own, actual, counted, simple)
    said = means[joined]
    there = counted & np.isfinite(said[:-1])
    origins = there.any(axis=(1, 2))
    if not origins.any():
        return replace(alone, weights={**alone.weights, joined: 0.0})
    asked = np.append(origins, [True])
    both = {ALONE: mix(own, alone.weights)[asked], joined: np.nan_to_num(said[asked])}
    found = weigh(both, actual[origins], there[origins], (ALONE,))
    share = found.weights[joined] if found.losses["average"] < found.losses[ALONE] else 0.0
    losses = {**alone.losses, joined: found.losses[joined], ALONE: found.losses[ALONE]}
    weights = {name: weight * (1 - share) for name, weight in alone.weights.items()}
    return Weighed({**weights, joined: share}, losses, alone.reason)


def find_astray(means: Mapping[str, Means]) -> tuple[str, ...]:
    """Name the candidates that at some origin say many times more, or less, in all than is usual among them."""
    totals = {name: mean.sum(axis=(1, 2)) + FLOOR for name, mean in means.items()}
    usual = np.median(np.stack(list(totals.values())), axis=0)
    far = {name: np.maximum(total / usual, usual / total).max() > ASTRAY for name, total in totals.items()}
    return tuple(name for name, is_far in far.items() if is_far)


def is_astray(means: Mapping[str, Means], name: str) -> bool:
    """Whether a candidate is astray where it speaks; elsewhere it says nothing (NaN)."""
    there = np.isfinite(means[name])
    return name in find_astray({each: np.where(there, mean, 0.0) for each, mean in means.items()})


def mix(means: Mapping[str, Means], weights: Mapping[str, float]) -> Means:
    """Average the means of the candidates; where one says nothing (NaN), the others share what it has."""
    spoken = fill_silence(means, weights)
    total: Means = sum(weights[name] * mean for name, mean in spoken.items())  # type: ignore[assignment]
    return total


def fill_silence(means: Mapping[str, Means], weights: Mapping[str, float]) -> dict[str, Means]:
    """Let the average of those that speak stand where one says nothing (NaN); 0 where none of them does."""
    if not any(np.isnan(mean).any() for mean in means.values()):
        return dict(means)
    share: Means = sum(weights[name] * np.isfinite(mean) for name, mean in means.items())
    total: Means = sum(weights[name] * np.nan_to_num(mean) for name, mean in means.items())
    others = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    return {name: np.where(np.isnan(mean), others, mean) for name, mean in means.items()}


def _prior(names: Sequence[str]) -> Float[np.ndarray, " candidate"]:
    shares = np.array([SHARES.get(name, USUAL_SHARE) for name in names])
    return shares / shares.sum()


def _held_out_average(said: np.ndarray, actual: Past, counted: np.ndarray, prior: np.ndarray) -> Past:
    """Average each past horizon with the weights that the others give."""
    parts = []
    for origin in range(len(actual)):
        others = np.arange(len(actual)) != origin
        weights = _fit(said[:, :-1][:, others], actual[others], counted[others], prior) if others.any() else prior
        parts.append(np.tensordot(weights, said[:, origin], axes=1))
    return np.stack(parts)


def _fit(
    said: Float[np.ndarray, "candidate origin product day"], actual: Past, counted: np.ndarray, prior: np.ndarray
) -> Float[np.ndarray, " candidate"]:
    """Find the most probable weights under the prior; the sum to be least is convex, so there is one such."""
    if not counted.any():
        return prior
    values, truth = said[:, : len(actual)][:, counted] + FLOOR, actual[counted]
    even = prior @ values
    lumps = max(float(((truth - even) ** 2 / even).mean()), 1.0)  # pieces that come together are one piece of evidence
    pieces = max(float(truth.sum()) / lumps, 1.0)

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mean = weights @ values
        safe = np.maximum(weights, SMALLEST)
        evidence = (mean - truth * np.log(mean)).sum() / lumps - PRIOR_PIECES * (prior * np.log(safe)).sum()
        slope = values @ (1.0 - truth / mean) / lumps - PRIOR_PIECES * prior / safe
        return float(evidence / pieces), slope / pieces

    ends = [(SMALLEST, 1.0)] * len(prior)
    whole = {"type": "eq", "fun": lambda weights: weights.sum() - 1.0, "jac": np.ones_like}
    found = minimize(
        cost, prior, jac=True, method="SLSQP", bounds=ends, constraints=[whole], options={"maxiter": STEPS}
    )
    weights = np.clip(found.x, 0.0, 1.0)
    return np.asarray(weights / weights.sum()) if np.isfinite(weights).all() and weights.sum() > 0 else prior


def _blocks(mean: np.ndarray, actual: Past, counted: np.ndarray) -> Float[np.ndarray, " block"]:
    """Give twice the Poisson deviance of every block of one product and one week of one horizon."""
    mean, actual = mean[: len(actual)] + FLOOR, actual
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(actual > 0, actual * np.log(actual / mean), 0.0)
    deviance = 2 * (logs - (actual - mean)) * counted
    weeks = deviance.shape[2] // BLOCK_DAYS
    return deviance[:, :, : weeks * BLOCK_DAYS].reshape(*deviance.shape[:2], weeks, BLOCK_DAYS).sum(axis=3).ravel()


def _is_beyond_chance(difference: Float[np.ndarray, " block"], origins: int) -> bool:
    """Whether a mean difference exceeds zero by more than one standard error, over blocks and over horizons alike.

    Blocks of one horizon have its weather and holidays in common, so where the horizons disagree that is the error.
    """
    if len(difference) < 2:
        return False
    by_origin = difference.reshape(origins, -1).mean(axis=1)
    error = max(_standard_error(difference), _standard_error(by_origin) if origins > 1 else 0.0)
    return bool(difference.mean() > error)


def _standard_error(values: Float[np.ndarray, " value"]) -> float:
    """Give the standard error of a mean, to which no value adds more than all others together."""
    squares = (values - values.mean()) ** 2
    furthest = int(squares.argmax())
    squares[furthest] = min(squares[furthest], np.delete(squares, furthest).sum())
    return float(np.sqrt(squares.sum() / (len(squares) - 1) / len(squares)))
