"""What is found once for a shop: which methods serve it, their shares, and how far sums of them missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from jaxtyping import Bool, Int

from client.language.speech import t
from client.shop.forecast.birth import Births, borrow, find_births
from client.shop.forecast.candidate import (
    CLASSIC,
    NAMES,
    SIMPLE,
    Batch,
    Learned,
    Means,
    Past,
    missing_library,
)
from client.shop.forecast.level import Levels, measure_levels, measure_widths, put_right
from client.shop.forecast.life import State
from client.shop.forecast.memory import learn_or_recall
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.setting import SEED, TREES_PAST_DAYS, OnStep, Setting, choose_learned
from client.shop.forecast.spread import Periods, Spread, guess_spread, measure_spread
from client.shop.forecast.weight import Weighed, find_astray, is_astray, mix, weigh, weigh_joined
from common.errors import ConfigError


@dataclass(frozen=True)
class Fitted:
    """What was found once for the shop, and the products that it was found on."""

    names: tuple[str, ...]
    astray: tuple[str, ...]
    learned: Learned
    weighed: Weighed
    levels: Levels
    births: Births
    spreads: Mapping[int, Spread]
    places: Int[np.ndarray, " product"]
    batch: Batch
    served: Means


def choose_names(method: str, setting: Setting) -> tuple[tuple[str, ...], dict[str, str]]:
    """Choose the candidates that can be used here, and say why others cannot."""
    if method and method not in NAMES:
        raise ConfigError(f"There is no method {method!r} for --method; there are {', '.join(NAMES)}.")
    wanted = (method,) if method else tuple(name for name in NAMES if name not in CLASSIC)
    if not method and not setting.found.is_here:
        wanted = tuple(name for name in wanted if name != FEDERATED)  # who has joined nothing reads nothing of it
    obstacles = {name: _say_obstacle(name, setting, is_weighed=not method) for name in wanted}
    left_out = {name: why for name, why in obstacles.items() if why}
    if method and left_out:
        raise ConfigError(f"{method} {left_out[method]}; leave --method out.")
    return tuple(name for name in wanted if name not in left_out), left_out


def _say_obstacle(name: str, setting: Setting, *, is_weighed: bool) -> str:
    if name == FEDERATED:
        return _say_unreleased(setting, is_weighed=is_weighed)
    library, model = missing_library(name), setting.plan.model
    past = setting.origins[0] - setting.first_sale
    if library:
        return t("needs {library}, which is not installed: pip install 'hansa[forecast]'", library=library)
    if name == "warm" and model.likelihood != "negative_binomial":
        return t("knows demand in whole pieces only")
    if name == "lightgbm" and past < model.horizon_days + TREES_PAST_DAYS:
        return t("needs a longer history")
    if name == "auto_ets" and past < model.step_days:
        return t("needs a week of history")
    return ""


def _say_unreleased(setting: Setting, *, is_weighed: bool) -> str:
    """Say why a released model has no part: it cannot be used, or there is no past day to weigh it by yet."""
    released = setting.found.released
    if released is None:
        return setting.found.obstacle or t(
            "needs a federation's released model, and there is none in the shop's folder"
        )
    past = [setting.days.start + timedelta(days=day) for day in setting.origins[:-1]]
    if not is_weighed or any(released.learner_at(origin) for origin in past):
        return ""
    if not past:
        return t("cannot be weighed yet, for the history is too short")
    first = released.weighed_from(setting.plan.model.horizon_days)
    return t(
        "has learned from the days that methods are weighed on here; from {first} on it can be weighed", first=first
    )


def fit(
    setting: Setting, names: tuple[str, ...], on_step: OnStep, *, lengths: Sequence[int] = (), borrows: bool = True
) -> Fitted:
    """Fit on who is learned from, weigh the candidates, and measure how far sums of them missed.

    Parameters
    ----------
    lengths
        Days of the sums; those of the setting's periods if empty.
    borrows
        Whether products of few days are served by how others sold after their first sale.
    """
    places = choose_learned(setting.sales)
    batch, counts = setting.batch(places), setting.sales.are_counts
    learned, means = learn_or_recall(setting.folder, batch, names, seed=SEED, on_step=on_step)
    astray = _find_astray(means) if len(names) > 2 else ()
    names = tuple(name for name in names if name not in astray)
    means = {name: means[name] for name in names}
    actual, counted = batch.actual(), batch.counted()[:-1]
    weighed = _weigh(means, actual, counted)
    served = mix(means, weighed.weights)
    level = measure_levels(served[:-1], actual, counted, batch.past_states())
    births = find_births(
        setting.sales, setting.days, setting.first_sale, setting.origins if borrows else (), setting.categories
    )
    served = correct(served, batch, level, births)
    levels = Levels(level, measure_widths(served[:-1], actual, counted, batch.past_states()))
    wanted = sorted(set(lengths or (period.days for period in setting.periods)))
    spreads = {days: _measure(served, batch, days, counts=counts) for days in wanted}
    return Fitted(names, astray, learned, weighed, levels, births, spreads, places, batch, served)


def _find_astray(means: Mapping[str, Means]) -> tuple[str, ...]:
    """Find them among the own methods, and then whether a released model is; it moves no judgement of others."""
    astray = find_astray({name: mean for name, mean in means.items() if name != FEDERATED})
    kept = {name: mean for name, mean in means.items() if name not in astray}
    return (*astray, FEDERATED) if FEDERATED in means and is_astray(kept, FEDERATED) else astray


def _weigh(means: Mapping[str, Means], actual: Past, counted: Bool[np.ndarray, "past product day"]) -> Weighed:
    if FEDERATED not in means or len(means) == 1:
        return weigh(means, actual, counted, tuple(SIMPLE))
    return weigh_joined(means, actual, counted, tuple(SIMPLE), joined=FEDERATED)


def measure_lengths(fitted: Fitted, setting: Setting, lengths: Sequence[int]) -> Fitted:
    """Measure besides how far sums of other lengths missed, as `fit` would have."""
    missing, counts = sorted(set(lengths) - set(fitted.spreads)), setting.sales.are_counts
    if not missing:
        return fitted
    more = {days: _measure(fitted.served, fitted.batch, days, counts=counts) for days in missing}
    return replace(fitted, spreads={**fitted.spreads, **more})


def _measure(served: Means, batch: Batch, days: int, *, counts: bool) -> Spread:
    if len(batch.origins) == 1:
        return guess_spread(counts=counts)
    return measure_spread(sum_up(served, batch, days), counts=counts, seed=SEED + days)


def correct(served: Means, batch: Batch, level: Mapping[State, float], births: Births) -> Means:
    """Put the levels right at every origin of the batch, the last ones of the shop's, by what each product was then."""
    told = [*batch.past_states(), batch.states()]
    curves = births.curves[-len(batch.origins) :] or (None,) * len(batch.origins)
    right = [put_right(mean, states, level) for mean, states in zip(served, told, strict=True)]
    each = zip(right, told, batch.origins, curves, strict=True)
    return np.stack([borrow(mean, batch.panel, states, day, births, curve) for mean, states, day, curve in each])


def sum_up(served: Means, batch: Batch, days: int) -> Periods:
    """Add past horizons up over so many days each."""
    counted = batch.counted()[:-1]

    def add(values: np.ndarray) -> np.ndarray:
        whole = values.shape[2] // days
        return values[:, :, : whole * days].reshape(*values.shape[:2], whole, days).sum(axis=3)

    return Periods(add(served[:-1]), add(batch.actual() * counted), add(counted) > 0)
