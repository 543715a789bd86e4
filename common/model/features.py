"""What the model may see: causal features at every step, and the examples that one round cuts from them.

A step ends at its cut-off: everything about step `s` is a function of the entity's own days before
`cutoffs[s]` and of what the plan or the covariates declare as known ahead. Steps are a day or a week
long and end at the origin; labels count calendar days from the cut-off, whatever the step.

Every constant below is public. Nothing is fitted across entities: no scaler, no vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from common.data.panel import Panel
from common.errors import DataError
from common.model.anchor import UNKNOWN_SPREAD, Anchor, fit_anchor
from common.model.purchase_gaps import rhythm_features
from common.plan.schema import WEEKDAYS, ModelPlan

HALF_LIVES_DAYS = (7.0, 28.0, 112.0, 365.0)
RECENT_DAYS = 90
YEAR_HARMONICS, MONTH_HARMONICS = 3, 3
YEAR_DAYS = 364  # whole weeks, so that weekdays meet
SEASON_DAYS, SEASON_LEVEL_DAYS = (
    15,
    91,
)  # what last year's season is smoothed over, and what it is held against


@dataclass(frozen=True)
class Series:
    """Everything about some entities up to one origin.

    Attributes
    ----------
    inputs
        Causal features of each step.
    names, future_names
        What each column of `inputs` and of `future` holds; a public model is fitted to other columns by them.
    cutoffs
        First day that each step may not see; the last one is the origin.
    birth
        First step at which the entity exists.
    key
        64 bits of a hash of the entity's name; its public draws depend on this and on no other entity.
    future
        Covariates known ahead, per day, closed days included.
    censored
        Days on which demand was at least `target`; None where there is no such day, which changes no number.
    expected
        Demand with the days out of stock filled in by the entity's own days before each; None as `censored` is.
    """

    inputs: Float[Tensor, "entity step feature"]
    names: tuple[str, ...]
    future_names: tuple[str, ...]
    cutoffs: Int[Tensor, " step"]
    birth: Int[Tensor, " entity"]
    key: Int[np.ndarray, " entity"]
    target: Float[Tensor, "entity day"]
    open: Bool[Tensor, "entity day"]
    future: Float[Tensor, "entity day covariate"]
    level: Float[Tensor, "entity step"]
    cell_level: Float[Tensor, "entity step cell"]
    cell_of_day: Int[Tensor, "entity day"]
    spread: Float[Tensor, "entity step"]
    plan: ModelPlan
    censored: Bool[Tensor, "entity day"] | None = None
    expected: Float[Tensor, "entity day"] | None = None

    @property
    def num_entities(self) -> int:
        """Entities, the unborn included."""
        return int(self.inputs.shape[0])

    @property
    def num_features(self) -> int:
        """Features per step."""
        return int(self.inputs.shape[2])

    @property
    def num_future(self) -> int:
        """Known-future features per bucket of the horizon."""
        return int(self.future.shape[2]) + 1

    def select(self, entities: Int[Tensor, " chosen"]) -> Series:
        """Keep some entities."""
        kept = {
            name: getattr(self, name)[entities]
            for name in ("inputs", "birth", "target", "open", "future", "level", "cell_level", "cell_of_day", "spread")
        }
        shared = {name: getattr(self, name) for name in ("names", "future_names", "cutoffs", "plan")}
        if self.censored is not None:
            kept |= {name: getattr(self, name)[entities] for name in ("censored", "expected")}
        return Series(key=self.key[entities.numpy()], **shared, **kept)

    def blocks(self, size: int) -> Iterator[Examples]:
        """Cut the windows that end at the origin, of so many entities at a time."""
        for rows in torch.arange(self.num_entities).split(size):
            yield cut_forecast(self.select(rows))


@dataclass(frozen=True)
class Examples:
    """One record per entity: a window of steps, and forecasts from some of its positions.

    Attributes
    ----------
    position
        Index into the window of each forecast position.
    anchor
        The anchor's forecast of each bucket, in units of demand.
    spread
        How far the anchor errs, see `common.model.anchor`; the same for all buckets of a position.
    open
        Whether demand could happen on any day of the bucket.
    weight
        1 where the bucket is open, says something of demand and has its whole label in the data, else 0.
    censored
        Whether an open day of the bucket ran out of stock, so that demand was at least the label; None where the
        series has no such day.
    expected
        The label with its days out of stock filled in; None as `censored` is.
    """

    inputs: Float[Tensor, "entity window feature"]
    position: Int[Tensor, " position"]
    future: Float[Tensor, "entity position bucket covariate"]
    anchor: Float[Tensor, "entity position bucket"]
    spread: Float[Tensor, "entity position bucket"]
    label: Float[Tensor, "entity position bucket"]
    open: Bool[Tensor, "entity position bucket"]
    weight: Float[Tensor, "entity position bucket"]
    censored: Bool[Tensor, "entity position bucket"] | None = None
    expected: Float[Tensor, "entity position bucket"] | None = None

    @property
    def parts(self) -> dict[str, Tensor]:
        """Every tensor that is there, by its name."""
        return {name: part for name, part in vars(self).items() if part is not None}

    def to(self, device: torch.device) -> Examples:
        """Move to a device."""
        return Examples(**{name: tensor.to(device) for name, tensor in self.parts.items()})


def build_series(panel: Panel, plan: ModelPlan, origin: int) -> Series:
    """Compute the causal features of every step up to day `origin`.

    Raises
    ------
    DataError
        The history is shorter than one step.
    """
    return _build(panel, plan, _cutoffs(plan, origin))


def look_ahead(panel: Panel, plan: ModelPlan, origin: int) -> Examples:
    """Cut every entity's window that ends at the origin: the same numbers as `cut_forecast` of the whole series.

    What comes before the window is followed day by day and not noted, so it takes a share of the time and memory.

    Raises
    ------
    DataError
        The history is shorter than one step.
    """
    return cut_forecast(_build(panel, plan, _cutoffs(plan, origin), last_steps=plan.window_steps))


def _cutoffs(plan: ModelPlan, origin: int) -> Int[np.ndarray, " step"]:
    num_steps = origin // plan.step_days
    if num_steps < 1:
        raise DataError(f"There are {origin} days of history before the origin, a step needs {plan.step_days}.")
    return origin - plan.step_days * np.arange(num_steps - 1, -1, -1)


def _build(
    panel: Panel, plan: ModelPlan, cutoffs: Int[np.ndarray, " step"], *, last_steps: int | None = None
) -> Series:
    """Compute the features of the last steps, or of all; the days of such a series begin with its first cut-off."""
    noted = cutoffs if last_steps is None else cutoffs[-last_steps:]
    logarithmic = plan.likelihood == "log_normal"
    anchor = fit_anchor(
        panel,
        plan.anchor,
        cutoffs if logarithmic else noted,  # how far money errs is seen step by step from the first
        logarithmic=logarithmic,
        lead_days=max(plan.horizon_days // 2, 1),
    ).last(len(noted))
    names, features = _step_features(panel, plan, noted, anchor)
    covariates = _day_covariates(replace(panel, target=anchor.completed.demand), plan)
    first = 0 if last_steps is None else int(noted[0])
    return Series(
        inputs=torch.from_numpy(features),
        names=names,
        future_names=covariates.names,
        cutoffs=torch.from_numpy(noted - first),
        birth=torch.from_numpy(np.searchsorted(noted, panel.first_day, side="right")),
        key=_keys(panel),
        target=torch.from_numpy(panel.target[:, first:]),
        open=torch.from_numpy(panel.open[:, first:]),
        future=torch.from_numpy(covariates.since(first)),
        level=torch.from_numpy(anchor.level),
        cell_level=torch.from_numpy(anchor.cell_level),
        cell_of_day=torch.from_numpy(anchor.cell_of_day[:, first:]),
        spread=torch.from_numpy(anchor.spread),
        plan=plan,
        **_hidden_demand(panel, plan, anchor, first),
    )


def _hidden_demand(panel: Panel, plan: ModelPlan, anchor: Anchor, first: int) -> dict[str, Tensor]:
    """Give which days from the first on are out of stock, and demand with those filled in.

    Of a bucket of one day of money it is the logarithm that is expected, by which money is learned.
    """
    if not panel.censored.any():
        return {}
    completed = anchor.completed
    by_logarithm = anchor.logarithmic and plan.bucket_days == 1
    expected = np.expm1(completed.level_demand) if by_logarithm else completed.demand
    return {"censored": torch.from_numpy(panel.censored[:, first:]), "expected": torch.from_numpy(expected[:, first:])}


def cut_training(series: Series, round_number: int) -> Examples:
    """Cut every entity's training record of one round.

    The window ends at the last step whose whole label lies before the origin; where the history is longer than
    the window, at a step drawn from the entity's own name and the round number. Positions are spread over the
    second half of the window, or are all of it.
    """
    plan, trainable = series.plan, count_trainable(series)
    last = torch.full_like(series.birth, trainable - 1)
    window = min(plan.window_steps, trainable)
    if draws_windows(series):
        earliest = torch.clamp(series.birth, min=window // 2, max=trainable - 1)
        draw = torch.from_numpy(_uniform(series.key, round_number))
        last = earliest + (draw * (trainable - earliest)).to(torch.int64)
    return _cut(series, last, window, _spread(window, plan), last_label=int(series.cutoffs[-1]))


def count_trainable(series: Series) -> int:
    """Count the steps whose whole label lies before the origin.

    Raises
    ------
    DataError
        There is none.
    """
    origin = int(series.cutoffs[-1])
    trainable = int((series.cutoffs + series.plan.horizon_days <= origin).sum())
    if trainable == 0:
        raise DataError(
            f"{origin} days of history before the origin hold no training example: "
            f"a label needs {series.plan.horizon_days} days after a first step; give more history."
        )
    return trainable


def draws_windows(series: Series) -> bool:
    """Whether each round reads other windows; where a window holds the whole history all rounds read the same."""
    return count_trainable(series) > series.plan.window_steps


def cut_forecast(series: Series) -> Examples:
    """Cut every entity's window that ends at the origin, with one position: the origin."""
    window = min(series.plan.window_steps, len(series.cutoffs))
    end = torch.full_like(series.birth, len(series.cutoffs) - 1)
    return _cut(series, end, window, torch.tensor([window - 1]), last_label=series.target.shape[1])


def _spread(window: int, plan: ModelPlan) -> Int[Tensor, " position"]:
    """Positions of a window: all of them, or some spread over its end, the last step among them."""
    if plan.positions >= window:
        return torch.arange(window)
    span = max(plan.positions, min(plan.position_steps or window - window // 2, window))
    first = window - span
    return torch.unique(torch.linspace(window - 1, first, plan.positions).round().to(torch.int64))


def _cut(
    series: Series,
    end: Int[Tensor, " entity"],
    window: int,
    position: Int[Tensor, " position"],
    *,
    last_label: int,
) -> Examples:
    plan = series.plan
    step = end[:, None] + torch.arange(1 - window, 1)
    alive = (step >= series.birth[:, None]) & (step >= 0)
    step = step.clamp(min=0)
    inputs = _pick(series.inputs, step) * alive[:, :, None]
    at = step[:, position]
    cutoff = series.cutoffs[at]
    day = cutoff[:, :, None] + torch.arange(plan.horizon_days)
    there = day < series.target.shape[1]
    day = day.clamp(max=series.target.shape[1] - 1)
    counts = _pick(series.open, day) & there
    level = torch.gather(_pick(series.cell_level, at), 2, _pick(series.cell_of_day, day))
    if plan.likelihood == "log_normal":
        level = torch.expm1(level)
    complete = (cutoff + plan.horizon_days <= last_label) & alive[:, position]
    buckets = (*day.shape[:2], plan.horizon, plan.bucket_days)
    counted = counts.view(buckets)
    lead = (torch.arange(plan.horizon) + 1.0) / plan.horizon
    label = _pick(series.target, day).view(buckets) * counted
    tells, hidden = counted, dict[str, Tensor]()
    if series.censored is not None and series.expected is not None:
        out = _pick(series.censored, day).view(buckets) & counted
        tells = counted & ~(out & (label <= 0))
        expected = (_pick(series.expected, day).view(buckets) * counted).sum(3)
        hidden = {"censored": out.any(3), "expected": expected}
    future = _pick(series.future, day).view(*buckets, series.future.shape[2]).mean(3)
    return Examples(
        inputs=inputs,
        position=position,
        future=torch.cat([future, lead[:, None].expand(*future.shape[:3], 1)], dim=3),
        anchor=(level.view(buckets) * counted).sum(3),
        spread=_pick(series.spread, at)[:, :, None].expand(*buckets[:3]),
        label=label.sum(3),
        open=counted.any(3),
        weight=(tells.any(3) & complete[:, :, None]).to(torch.float32),
        **hidden,
    )


def _pick(values: Shaped[Tensor, "entity time ..."], place: Int[Tensor, "entity ..."]) -> Tensor:
    """Give the values of each entity at its own places; `values[entity, place]` takes four to eight times as long."""
    first = torch.arange(len(values)).view(-1, *[1] * (place.dim() - 1)) * values.shape[1]
    return values.flatten(0, 1).index_select(0, (place + first).flatten()).view(*place.shape, *values.shape[2:])


def _step_features(
    panel: Panel, plan: ModelPlan, cutoffs: Int[np.ndarray, " step"], anchor: Anchor
) -> tuple[tuple[str, ...], Float[np.ndarray, "entity step feature"]]:
    step_days = plan.step_days
    demand, seen = anchor.completed.demand, anchor.completed.seen  # days out of stock are filled in
    target = _between(demand, cutoffs - step_days, cutoffs)
    open_days = _between(panel.open, cutoffs - step_days, cutoffs)
    means = _running_means(np.where(seen, demand, 0.0), seen, cutoffs)
    rates = [np.log1p(mean * step_days) for mean in means]
    sold = panel.target > 0
    tenure = np.maximum(cutoffs[None, :] - panel.first_day[:, None], 0)
    covariates = _day_covariates(replace(panel, target=demand), plan)
    features: dict[str, np.ndarray] = {
        "surprise": (np.log1p(target) - rates[2]) / 4,
        **{f"trend {place}": fast - slow for place, (fast, slow) in enumerate(pairwise(rates))},
        "rate": rates[1] / 4,
        "since last": np.log1p(_since_last(sold, cutoffs)) / 4,
        "tenure": np.log1p(tenure) / 4,
        "days sold": np.log1p(_between(sold, np.zeros_like(cutoffs), cutoffs)) / 3,
        "recent days sold": np.log1p(_between(sold, np.maximum(cutoffs - RECENT_DAYS, 0), cutoffs)) / 3,
        "open share": open_days / step_days,
        "anchor": anchor.level / 4 if anchor.logarithmic else np.log1p(anchor.level * step_days) / 4,
        **({"spread": np.log(anchor.spread / UNKNOWN_SPREAD) / 2} if anchor.logarithmic else {}),
        **(rhythm_features(sold, cutoffs, plan.horizon_days) if plan.rhythm else {}),
        **_channel_features(panel, plan, cutoffs),
        **_columns(covariates.names, covariates.between(cutoffs - step_days, cutoffs) / step_days),
        **{f"static {place}": _repeat(column, len(cutoffs)) for place, column in enumerate(panel.static.T)},
    }
    return tuple(features), np.stack([feature.astype(np.float32) for feature in features.values()], axis=2)


def _columns(names: tuple[str, ...], values: Float[np.ndarray, "entity step column"]) -> dict[str, np.ndarray]:
    return {name: values[:, :, place] for place, name in enumerate(names)}


def _repeat(column: Float[np.ndarray, " entity"], num_steps: int) -> Float[np.ndarray, "entity step"]:
    return np.broadcast_to(column[:, None], (len(column), num_steps))


def _channel_features(
    panel: Panel, plan: ModelPlan, cutoffs: Int[np.ndarray, " step"]
) -> dict[str, Float[np.ndarray, "entity step"]]:
    """For each observed channel: this step, the last 90 days, and for rare demand all there was, as logarithms."""
    features: dict[str, np.ndarray] = {}
    for place, channel in enumerate(panel.channels):
        values = panel.observed[:, :, place]
        now = _between(values, cutoffs - plan.step_days, cutoffs)
        recent = _between(values, np.maximum(cutoffs - RECENT_DAYS, 0), cutoffs)
        features |= {f"channel {channel}": np.log1p(now) / 4, f"recent channel {channel}": np.log1p(recent) / 8}
        if plan.rhythm:
            features[f"whole channel {channel}"] = np.log1p(_between(values, np.zeros_like(cutoffs), cutoffs)) / 8
    return features


@dataclass(frozen=True)
class _DayCovariates:
    """What is known ahead of each day: what differs between entities, and behind it what is the same for all."""

    names: tuple[str, ...]
    own: Float[np.ndarray, "entity day own"]
    public: Float[np.ndarray, "day public"]

    def since(self, first: int) -> Float[np.ndarray, "entity day covariate"]:
        """Give all columns from a day on."""
        return self._join(self.own[:, first:], self.public[None, first:])

    def between(
        self, first: Int[np.ndarray, " step"], last: Int[np.ndarray, " step"]
    ) -> Float[np.ndarray, "entity step covariate"]:
        """Sum over the days first … last - 1 of each step."""
        return self._join(_between(self.own, first, last), _between(self.public[None], first, last))

    def _join(self, own: np.ndarray, public: np.ndarray) -> np.ndarray:
        return np.concatenate([own, np.broadcast_to(public, (len(own), *public.shape[1:]))], axis=2)


def _day_covariates(panel: Panel, plan: ModelPlan) -> _DayCovariates:
    """Known ahead for each day: declared covariates, open days around it, weekday and season."""
    num_days = panel.target.shape[1]
    is_open = panel.open.astype(np.float32)
    around = [is_open, np.roll(is_open, 1, axis=1), np.roll(is_open, -1, axis=1)]
    around[1][:, 0], around[2][:, -1] = 1.0, 1.0
    names = ["regime" if name == plan.anchor.regime else f"known {name}" for name in panel.covariates]
    names += ["open", "open before", "open after"]
    calendar = [np.zeros((num_days, 0))]
    dates = pd.date_range(panel.start, periods=num_days)
    own = [panel.known, np.stack(around, axis=2)]
    if plan.season:
        own.append(_last_year(panel, plan.horizon_days))
        names += ["last year", "last year's season"]
        calendar.append(_waves(dates.day_of_year / 365.25, YEAR_HARMONICS))
        names += [f"year wave {place}" for place in range(2 * YEAR_HARMONICS)]
    if plan.step == "day":
        calendar.append(_waves((dates.day - 1) / dates.days_in_month, MONTH_HARMONICS))  # wages come monthly
        calendar.append(np.eye(7)[dates.day_of_week])
        names += [f"month wave {place}" for place in range(2 * MONTH_HARMONICS)]
        names += list(WEEKDAYS)
    public = np.concatenate(calendar, axis=1).astype(np.float32)
    return _DayCovariates(tuple(names), np.concatenate(own, axis=2), public)


def _waves(phase: pd.Index, harmonics: int) -> Float[np.ndarray, "day wave"]:
    """Sines and cosines of a phase that runs from 0 to 1, and of its multiples."""
    turns = 2 * np.pi * np.asarray(phase)[:, None] * np.arange(1, harmonics + 1)
    return np.concatenate([np.sin(turns), np.cos(turns)], axis=1)


def _last_year(panel: Panel, horizon_days: int) -> Float[np.ndarray, "entity day 2"]:
    """Compare the entity's demand a year before each day with the quarter around that day, as log ratios.

    The last day looked at lies `YEAR_DAYS - SEASON_LEVEL_DAYS // 2` before the day described, so within that
    horizon it is known at every cut-off. Longer horizons and days without a year of history get zeros.
    """
    ratios = np.zeros((*panel.target.shape, 2), np.float32)
    if panel.num_days <= YEAR_DAYS or horizon_days > YEAR_DAYS - SEASON_LEVEL_DAYS // 2:
        return ratios
    day = np.arange(panel.num_days - YEAR_DAYS)
    demand = panel.target * panel.open
    season, level = (_mean_around(demand, panel.open, day, width) for width in (SEASON_DAYS, SEASON_LEVEL_DAYS))
    whole = panel.open[:, day] & (day[None, :] >= panel.first_day[:, None] + SEASON_LEVEL_DAYS // 2)
    ratios[:, YEAR_DAYS:, 0] = np.where(whole, np.log1p(demand[:, day]) - np.log1p(level), 0.0)
    ratios[:, YEAR_DAYS:, 1] = np.where(whole, np.log1p(season) - np.log1p(level), 0.0)
    return ratios


def _mean_around(
    demand: np.ndarray, is_open: np.ndarray, day: Int[np.ndarray, " day"], width: int
) -> Float[np.ndarray, "entity day"]:
    """Mean over the open days of a window of `width` days around each day."""
    first, last = np.maximum(day - width // 2, 0), day + width // 2 + 1
    mean: np.ndarray = _between(demand, first, last) / np.maximum(_between(is_open, first, last), 1.0)
    return mean


def _between(values: np.ndarray, first: Int[np.ndarray, " step"], last: Int[np.ndarray, " step"]) -> np.ndarray:
    """Sum over the days first … last - 1 of each step."""
    values = values[:, : int(last.max(initial=0))]
    total = np.zeros((values.shape[0], values.shape[1] + 1, *values.shape[2:]))
    np.cumsum(values, axis=1, dtype=np.float64, out=total[:, 1:])
    difference: np.ndarray = np.take(total, last, axis=1)
    difference -= np.take(total, first, axis=1)
    return difference


def _running_means(
    target: np.ndarray, is_open: np.ndarray, cutoffs: Int[np.ndarray, " step"]
) -> Float[np.ndarray, "half_life entity step"]:
    """Exponentially weighted means over open days; an entity's first days count against one half-life of nothing.

    The prior weight keeps a newborn's first sale from reading as a rate of one a day.
    """
    decay = 0.5 ** (1.0 / np.array(HALF_LIVES_DAYS)[:, None])
    prior = 0.1 / (1.0 - decay)
    total, weight = (np.zeros((len(decay), len(target))) for _ in range(2))
    means = np.zeros((*total.shape, len(cutoffs)), np.float32)
    step = 0
    for day in range(int(cutoffs[-1])):
        total = total * decay + target[:, day]
        weight = weight * decay + is_open[:, day]
        if day + 1 == cutoffs[step]:
            means[:, :, step] = total / (weight + prior)
            step += 1
    return means


def _since_last(sold: Bool[np.ndarray, "entity day"], cutoffs: Int[np.ndarray, " step"]) -> np.ndarray:
    """Days since the last day with demand; since the start of the span where there was none."""
    last = np.maximum.accumulate(np.where(sold, np.arange(sold.shape[1]), -1), axis=1)
    return cutoffs[None, :] - 1 - last[:, cutoffs - 1]


def _keys(panel: Panel) -> Int[np.ndarray, " entity"]:
    names = [f"{merchant}\x00{entity}" for merchant, entity in zip(panel.merchants, panel.entities, strict=True)]
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.array([int.from_bytes(digest, "little", signed=True) for digest in digests], np.int64)


def _uniform(key: Int[np.ndarray, " entity"], round_number: int) -> Float[np.ndarray, " entity"]:
    """Draw in [0, 1) from each entity's key and the round number alone.

    References
    ----------
    SplitMix64's finaliser: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    golden, first, second = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
    with np.errstate(over="ignore"):
        mixed = key.view(np.uint64) + golden * np.uint64(round_number + 1)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * first
        mixed = (mixed ^ (mixed >> np.uint64(27))) * second
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
