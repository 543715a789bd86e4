"""How many months of own history the federation is worth.

The last origin is forecast again with histories cut to their last 1, 2, 3 … months, by what a merchant can do alone and
by the federation's model, fitted to each merchant where the run has that. What is given for a length is how many months
of history a merchant alone needs to forecast as well as the federation's model does from that length.

    entities    the same at every length; one without a row in the months that are kept has an empty past
    alone       the public model, the methods that train within seconds, and the one of the run that came out best, each
                trained anew at every length; of those the best counts, which hindsight chooses and favours being alone
    federation  the model that the run has trained; it is not trained again on cut histories, so for a merchant that
                truly is new it is a little too good: one of the merchants that it learned from

Where the best one of the run takes long to train, every other length is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from jaxtyping import Float

from common.forecast.entity_loss import COMPARED, entity_losses, entity_weights
from common.forecast.gain import CONFIDENCE
from common.forecast.metric import Forecast
from common.model.features import build_series
from simulation.evaluation.bootstrap import draw_counts
from simulation.origin.origin import Trial

MONTH_DAYS = 30
MONTHS = (1, 2, 3, 4, 6, 9, 12, 18, 24, 36)
FEWER_MONTHS = MONTHS[::2]
RESAMPLES = 1000

TrialMethod = Callable[[Trial], Forecast]


@dataclass(frozen=True)
class Curves:
    """What each entity adds to the headline metric, by length of history.

    Attributes
    ----------
    months
        Lengths, ascending; the last one is all history there is.
    weight
        What the sum of losses is divided by.
    """

    months: tuple[float, ...]
    own: Float[np.ndarray, "method length entity"]
    federated: Float[np.ndarray, "length entity"]
    weight: Float[np.ndarray, " entity"]


def shorten(trial: Trial, days: int) -> Trial:
    """Forget everything before the last `days` days, as if every merchant had begun to keep books then."""
    cut = trial.day - days
    if cut <= 0:
        return trial
    panel = trial.panel
    later = replace(
        panel,
        start=panel.start + timedelta(days=cut),
        first_day=np.maximum(panel.first_day - cut, 0),
        told=None if panel.told is None else panel.told[:, cut:],
        **{name: getattr(panel, name)[:, cut:] for name in ("target", "observed", "known", "open", "censored")},
    )
    return replace(trial, day=days, panel=later, series=build_series(later, trial.plan.model, days))


def measure_curves(
    trial: Trial, own: Mapping[str, TrialMethod], federated: TrialMethod, *, lengths: Sequence[int] = MONTHS
) -> Curves:
    """Forecast the trial's horizon from histories of every length, in months, and from the whole one."""
    whole = trial.day / MONTH_DAYS
    months = (*(float(length) for length in lengths if length * 1.1 < whole), whole)
    outcome, task = trial.outcome, trial.plan.evaluation.task
    losses: dict[str, list[np.ndarray]] = {name: [] for name in ("", *own)}
    for length in months:
        shorter = shorten(trial, round(length * MONTH_DAYS))
        for name, method in {"": federated, **own}.items():
            forecast = method(shorter)
            losses[name].append(entity_losses(forecast, outcome.actual, outcome.counted, metric=COMPARED[task][0]))
    return Curves(
        months=months,
        own=np.array([losses[name] for name in own]),
        federated=np.array(losses[""]),
        weight=entity_weights(outcome.actual, outcome.counted, task=task),
    )


def describe_history(curves: Curves, *, names: tuple[str, ...], seed: int = 0) -> dict[str, Any] | None:
    """Read off both curves how many months alone each length of history in the federation is worth.

    Returns
    -------
    dict[str, Any] | None
        Per length: the loss of the federation, the loss and the name of the best own method, and `equal_months`, the
        months of own history that forecast as well, with an interval over entities; null stands for "more than there
        is". None where nothing happened in the horizon.
    """
    if curves.weight.sum() <= 0:
        return None
    whole = np.ones((1, len(curves.weight)))
    own, federated = _mean_losses(curves, whole)
    equal = _equal_months(curves.months, own.min(axis=1), federated)[0]
    counts = draw_counts(len(curves.weight), RESAMPLES, np.random.default_rng(seed))
    drawn = np.concatenate([_draw_equal_months(curves, chunk) for chunk in counts])
    return {
        "confidence": CONFIDENCE,
        "lengths": [
            {
                "months": length,
                "federated": float(federated[0, place]),
                "own": float(own[0, :, place].min()),
                "own_method": names[int(own[0, :, place].argmin())],
                "equal_months": _known(equal[place]),
                "low": _known(np.quantile(drawn[:, place], (1 - CONFIDENCE) / 2, method="lower")),
                "high": _known(np.quantile(drawn[:, place], (1 + CONFIDENCE) / 2, method="higher")),
            }
            for place, length in enumerate(curves.months)
        ],
    }


def _mean_losses(
    curves: Curves, counts: Float[np.ndarray, "draw entity"]
) -> tuple[Float[np.ndarray, "draw method length"], Float[np.ndarray, "draw length"]]:
    weight = np.maximum(counts @ curves.weight, 1e-12)[:, None]
    methods, lengths, entities = curves.own.shape
    own = (counts @ curves.own.reshape(-1, entities).T) / weight
    return own.reshape(-1, methods, lengths), (counts @ curves.federated.T) / weight


def _draw_equal_months(curves: Curves, counts: np.ndarray) -> Float[np.ndarray, "draw length"]:
    own, federated = _mean_losses(curves, counts.astype(np.float64))
    return _equal_months(curves.months, own.min(axis=1), federated)


def _equal_months(
    months: tuple[float, ...],
    own: Float[np.ndarray, "draw length"],
    federated: Float[np.ndarray, "draw length"],
) -> Float[np.ndarray, "draw length"]:
    """Find where the own curve first comes down to each federated loss; infinite where it never does.

    More history is taken never to hurt: the own curve is replaced by its running minimum, and read between two
    lengths along a straight line.
    """
    curve = np.minimum.accumulate(own, axis=1)
    reached = curve[:, None, :] <= federated[:, :, None]
    after = reached.argmax(axis=2)
    before = np.maximum(after - 1, 0)
    high, low = (np.take_along_axis(curve, place, axis=1) for place in (before, after))
    drop = high - low
    share = np.where(drop > 0, (high - federated) / np.where(drop > 0, drop, 1.0), 1.0)
    length = np.array(months)
    found = length[before] + share * (length[after] - length[before])
    equal: np.ndarray = np.where(reached.any(axis=2), np.where(after == 0, length[0], found), np.inf)
    return equal


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
