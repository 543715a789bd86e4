"""How much of each candidate is served, by several past horizons of the shop itself.

Notable here: the shares are those under which what came is most probable, held near usual ones where there is little to
judge by; then the average is made bolder or more careful by a slope of its log odds, held near one (Platt's
scaling). How many buy in all is the season's, and not for the slope to change: each horizon has a shift of its own.
What is served must not be worse than the best simple candidate: each past horizon is told by the shares and the scaling
that the others give, and where a simple candidate beats that by more than a standard error, over customers and over
horizons alike, it serves alone. It is the habit of `client.shop.forecast.weight`, for yes and no.

References
----------
Bates & Granger 1969, "The combination of forecasts"; Platt 1999, "Probabilistic outputs for support vector machines".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from client.language.speech import t

STEPS, NEWTON = 200, 20
USUAL: dict[str, float] = {"base": 0.02, "simple": 0.08, "bg_nbd": 0.3, "logistic": 0.3, "trees": 0.3}
PRIOR_CUSTOMERS = 100.0  # that the usual shares are worth
SLOPE_SPREAD, SHIFT_SPREAD = 0.1, 0.5  # beforehand, of the slope around 1 and of a horizon's shift around 0
EDGE = 1e-4

Said = Mapping[str, Sequence[np.ndarray]]  # candidate → what it said of the customers of each past horizon
Seen = Sequence[np.ndarray]


@dataclass(frozen=True)
class Weighed:
    """What is served of the candidates.

    Attributes
    ----------
    weights
        Candidate → share; they add up to one.
    slope
        Of the log odds of their average.
    losses
        Candidate → mean log-loss over the past horizons, and `average` of what would have been served.
    reason
        Why one serves alone, in half a sentence; "" where an average serves.
    held_out
        What would have been served at each past horizon by the shares and the slope that the others give.
    """

    weights: dict[str, float]
    slope: float
    losses: dict[str, float]
    reason: str = ""
    held_out: tuple[np.ndarray, ...] = ()

    def serve(self, said: Mapping[str, Float[np.ndarray, " some"]]) -> Float[np.ndarray, " some"]:
        """Average what the candidates say, and set it right."""
        average = np.sum([share * said[name] for name, share in self.weights.items() if share > 0], axis=0)
        return _turn(np.clip(average, EDGE, 1 - EDGE), self.slope)


def weigh(said: Said, seen: Seen, simple: Sequence[str]) -> Weighed:
    """Weigh candidates by past horizons; without any each has its usual share."""
    names = tuple(said)
    if not seen or not any(len(each) for each in seen):
        return Weighed(_usual(names), 1.0, {})
    held_out = [_fit_without(said, seen, place) for place in range(len(seen))]
    served = [one.serve({name: said[name][place] for name in names}) for place, one in enumerate(held_out)]
    lost = {name: [_loss(each, came) for each, came in zip(said[name], seen, strict=True)] for name in names}
    own = [_loss(each, came) for each, came in zip(served, seen, strict=True)]
    losses = {name: float(np.concatenate(each).mean()) for name, each in {**lost, "average": own}.items()}
    best = min((name for name in names if name in simple), key=lambda name: losses[name], default="")
    if best and _is_beyond_chance([mine - its for mine, its in zip(own, lost[best], strict=True)]):
        return Weighed(
            {name: float(name == best) for name in names}, 1.0, losses, t("nothing beat it before"), tuple(said[best])
        )
    fitted = _fit(said, seen)
    return Weighed(fitted.weights, fitted.slope, losses, held_out=tuple(served))


def _fit_without(said: Said, seen: Seen, place: int) -> Weighed:
    others = [each for each in range(len(seen)) if each != place]
    if not others:
        return Weighed(_usual(tuple(said)), 1.0, {})
    return _fit({name: [told[each] for each in others] for name, told in said.items()}, [seen[each] for each in others])


def _fit(said: Said, seen: Seen) -> Weighed:
    """Find the most probable shares by expectation and maximisation, then the scaling of their average."""
    names, came = tuple(said), np.concatenate(list(seen))
    usual = _usual(names)
    told = np.stack([np.concatenate(list(said[name])) for name in names])
    likely = np.where(came, told, 1 - told)
    prior = np.array([usual[name] for name in names])
    shares = prior
    for _ in range(STEPS):
        credit = shares[:, None] * likely
        shares = (credit / credit.sum(axis=0)).sum(axis=1) + PRIOR_CUSTOMERS * prior
        shares = shares / shares.sum()
    average = shares @ told
    slope = _find_slope(np.split(average, np.cumsum([len(each) for each in seen])[:-1]), seen)
    return Weighed(dict(zip(names, shares.tolist(), strict=True)), slope, {})


def _find_slope(told: Seen, seen: Seen) -> float:
    """Fit the slope by Newton's steps, with a shift of its own for each horizon."""
    slope, shifts = 1.0, np.zeros(len(told))
    odds = [logit(np.clip(each, EDGE, 1 - EDGE)) for each in told]
    for _ in range(NEWTON):
        pull, curve = (1.0 - slope) / SLOPE_SPREAD**2, SLOPE_SPREAD**-2
        for place, (each, came) in enumerate(zip(odds, seen, strict=True)):
            chance = expit(slope * each + shifts[place])
            spread = chance * (1 - chance)
            total = spread.sum() + SHIFT_SPREAD**-2
            missed = float((came - chance).sum()) - shifts[place] * SHIFT_SPREAD**-2
            middle = float((spread * each).sum()) / total
            pull += float(((came - chance) * each).sum()) - middle * missed
            curve += float((spread * each**2).sum()) - middle**2 * total
            shifts[place] += missed / total
        slope += pull / curve
    return float(slope) if np.isfinite(slope) and 0.5 < slope < 2.0 else 1.0


def _turn(chance: np.ndarray, slope: float) -> np.ndarray:
    """Turn probabilities around their mean, which stays."""
    if slope == 1.0 or not len(chance):
        return chance
    odds, shift, mean = slope * logit(chance), 0.0, float(chance.mean())
    for _ in range(NEWTON):
        told = expit(odds + shift)
        shift += (mean - float(told.mean())) / max(float((told * (1 - told)).mean()), EDGE)
    return np.asarray(expit(odds + shift))


def _usual(names: Sequence[str]) -> dict[str, float]:
    whole = sum(USUAL[name] for name in names)
    return {name: USUAL[name] / whole for name in names}


def _loss(told: np.ndarray, came: np.ndarray) -> Float[np.ndarray, " some"]:
    safe = np.clip(told, EDGE, 1 - EDGE)
    return -np.log(np.where(came, safe, 1 - safe))


def _is_beyond_chance(worse: Sequence[np.ndarray]) -> bool:
    """Whether a mean difference exceeds zero by more than one standard error, over customers and over horizons."""
    by_customer, by_horizon = np.concatenate(list(worse)), np.array([each.mean() for each in worse if len(each)])
    if len(by_customer) < 2:
        return False
    errors = [each.std(ddof=1) / np.sqrt(len(each)) for each in (by_customer, by_horizon) if len(each) > 1]
    return bool(by_customer.mean() > max(errors))
