"""Faults between the raw rows and the gradient: one entity's record depends on another's, or is many records."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from client.round import training
from common.data import panel
from common.model import features
from common.model.demand_gru import DemandGRU
from common.model.features import Examples
from common.privacy.mechanism import Mechanism
from planted.fault import Fault

Patch = pytest.MonkeyPatch


class NoNoise:
    def integers(self, size: int, std: float) -> Tensor:
        return torch.zeros(size, dtype=torch.int64)


def fitted_scaler(patch: Patch) -> None:
    step_features = features._step_features

    def faulty(*arguments: Any) -> tuple[tuple[str, ...], np.ndarray]:
        names, values = step_features(*arguments)
        return names, (values - values.mean((0, 1))) / (values.std((0, 1)) + 1e-6)

    patch.setattr(features, "_step_features", faulty)


def calendar_from_rows(patch: Patch) -> None:
    open_days = panel._open_days

    def faulty(grid: Any, plan: Any, first_day: np.ndarray) -> np.ndarray:
        anyone = grid.has_row().any(0)
        return open_days(grid, plan, first_day) & anyone[None, :]

    patch.setattr(panel, "_open_days", faulty)


def span_from_rows(patch: Patch) -> None:
    """Count days from the first row of anyone, inside the span or not."""
    day_of_row = panel.day_of_row

    def faulty(times: pd.Series, plan: Any) -> np.ndarray:
        days = day_of_row(times, plan)
        return np.where(days >= 0, days - days[days >= 0].min(), -1)

    patch.setattr(panel, "day_of_row", faulty)


def vocabulary_from_rows(patch: Patch) -> None:
    """Number the categories that occur instead of taking the plan's."""
    columns_of = panel._columns_of

    def faulty(rows: pd.DataFrame, attribute: Any) -> list[np.ndarray]:
        if not attribute.categories:
            return columns_of(rows, attribute)
        codes = np.unique(panel.as_text(rows[attribute.column]).astype(str), return_inverse=True)[1]
        return [(codes == place).astype(float) for place in range(len(attribute.categories))]

    patch.setattr(panel, "_columns_of", faulty)


def winsorise(patch: Patch) -> None:
    """Cap demand at the quantile of everyone's."""
    numbers = panel._numbers

    def faulty(rows: pd.DataFrame, column: str) -> np.ndarray:
        values = numbers(rows, column)
        return np.minimum(values, np.quantile(values, 0.95))

    patch.setattr(panel, "_numbers", faulty)


def relative_to_total(patch: Patch) -> None:
    """Measure an entity's demand as its share of the shop's."""
    build = panel.build_panel

    def faulty(rows: pd.DataFrame, plan: Any) -> panel.Panel:
        own = build(rows, plan)
        return replace(own, target=own.target / own.target.sum() * 100)

    patch.setattr("client.audit.subject.build_panel", faulty)


def draws_by_place(patch: Patch) -> None:
    """Draw an entity's window by its place in the list."""
    patch.setattr(features, "_keys", lambda own: np.arange(len(own.entities), dtype=np.int64))


def window_records(patch: Patch) -> None:
    """Clip each forecast position as a record of its own: an entity is as many records as it has positions."""
    train_round, cut = training.train_round, training.cut_training

    def faulty(
        model: DemandGRU, series: Any, parameters: Tensor, *, mechanism: Mechanism, noise: Any, **rest: Any
    ) -> Tensor:
        silent, total = Mechanism(mechanism.clipping_norm, 0.0), torch.zeros(len(parameters), dtype=torch.int64)
        for position in range(series.plan.positions):

            def cut_one(own: Any, round_number: int, position: int = position) -> Examples:
                examples = cut(own, round_number)
                chosen = torch.arange(examples.weight.shape[1]) == position
                return replace(examples, weight=examples.weight * chosen[None, :, None])

            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(training, "cut_training", cut_one)
                total += train_round(model, series, parameters, mechanism=silent, noise=NoNoise(), **rest)
        return mechanism.release(total, noise)

    patch.setattr("client.round.answers.train_round", faulty)


def batch_mean(patch: Patch) -> None:
    """Centre what goes into the network over the batch, as BatchNorm does."""
    cut = training.cut_training

    def faulty(series: Any, round_number: int) -> Examples:
        examples = cut(series, round_number)
        return replace(examples, inputs=examples.inputs - examples.inputs.mean(0, keepdim=True).nan_to_num())

    patch.setattr(training, "cut_training", faulty)


def carried_state(patch: Patch) -> None:
    """Start a batch from where the last one ended."""
    cut, last = training.cut_training, [0.0]

    def faulty(series: Any, round_number: int) -> Examples:
        examples = cut(series, round_number)
        examples = replace(examples, inputs=examples.inputs + 0.1 * last[0])
        last[0] = float(examples.inputs[:, -1].nan_to_num(posinf=0.0).clamp(-9, 9).mean())
        return examples

    patch.setattr(training, "cut_training", faulty)


def divide_by_count(patch: Patch) -> None:
    """Scale the sum by the number of entities that there are."""
    train_round = training.train_round

    def faulty(
        model: DemandGRU, series: Any, parameters: Tensor, *, mechanism: Mechanism, noise: Any, **rest: Any
    ) -> Tensor:
        silent = Mechanism(mechanism.clipping_norm, 0.0)
        total = train_round(model, series, parameters, mechanism=silent, noise=NoNoise(), **rest)
        return mechanism.release((total.double() * 64 / max(1, series.num_entities)).round().long(), noise)

    patch.setattr("client.round.answers.train_round", faulty)


def noise_per_chunk(patch: Patch) -> None:
    """Release every chunk: how often noise is added tells how many entities there are."""
    train_round = training.train_round

    def faulty(model: DemandGRU, series: Any, parameters: Tensor, **rest: Any) -> Tensor:
        chunks = torch.arange(series.num_entities).split(64) or [torch.arange(0)]
        return sum(train_round(model, series.select(chunk), parameters, **rest) for chunk in chunks)

    patch.setattr("client.round.answers.train_round", faulty)


def ragged_chunks(patch: Patch) -> None:
    """Let the last chunk be as long as what is left."""
    patch.setattr(training, "_fill", lambda rows, *size: rows)


def deduplicate(patch: Patch) -> None:
    """Drop a row that equals another entity's row of the same day."""
    filter_rows = panel.filter_rows

    def faulty(rows: pd.DataFrame, filters: Any) -> pd.DataFrame:
        kept = filter_rows(rows, filters)
        return kept.drop_duplicates(subset=[column for column in kept if column != "customer"])

    patch.setattr(panel, "filter_rows", faulty)


FAULTS = (
    Fault("fitted-scaler", "high", "features scaled by everyone's mean and deviation", fitted_scaler),
    Fault("calendar-from-rows", "high", "closed is when nobody bought", calendar_from_rows),
    Fault("span-from-rows", "high", "time starts at the first row of anyone", span_from_rows),
    Fault("vocabulary-from-rows", "high", "categories numbered as they occur", vocabulary_from_rows),
    Fault("quantile-cap", "high", "demand capped at everyone's 95 % quantile", winsorise),
    Fault("share-of-total", "high", "demand measured as a share of the shop's", relative_to_total),
    Fault("rows-matched-across-entities", "medium", "a row that equals another entity's is dropped", deduplicate),
    Fault("draws-by-place", "high", "an entity's draws follow its place in the list", draws_by_place),
    Fault("window-level-records", "high", "every position is clipped as a record of its own", window_records),
    Fault("batch-coupling", "high", "the batch's mean is taken out, as BatchNorm does", batch_mean),
    Fault("hidden-state-carried-over", "high", "a batch starts where the last one ended", carried_state),
    Fault("denominator-from-count", "medium", "the sum is divided by the number of entities", divide_by_count),
    Fault("noise-per-chunk", "medium", "as many draws as there are chunks", noise_per_chunk),
    Fault("ragged-chunks", "low", "a product's last bits follow the number of entities", ragged_chunks),
)
