"""Faults between the raw rows and the gradient: one entity's record depends on another's, or is many records."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from client.data import rows, table
from client.round import training
from common.data import panel, usable
from common.errors import DataError
from common.model import features
from common.model.demand_gru import DemandGRU
from common.model.features import Examples
from common.privacy.mechanism import Mechanism
from planted.fault import Fault, on_torch

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
    """Count days from the first row of anyone."""

    def faulty(*arguments: Any, **options: Any) -> usable.UsableRows:
        chosen = usable.choose_rows(*arguments, **options)
        return replace(chosen, day=chosen.day - chosen.day.min())

    patch.setattr(rows, "choose_rows", faulty)


def vocabulary_from_rows(patch: Patch) -> None:
    """Number the categories that occur instead of taking the plan's."""
    columns_of = panel.attribute_columns

    def faulty(column: pd.Series, attribute: Any) -> list[np.ndarray]:
        if not attribute.categories:
            return columns_of(column, attribute)
        codes = np.unique(panel.as_names(column).astype(str), return_inverse=True)[1]
        return [(codes == place).astype(float) for place in range(len(attribute.categories))]

    patch.setattr(panel, "attribute_columns", faulty)


def winsorise(patch: Patch) -> None:
    """Cap demand at the quantile of everyone's."""
    as_numbers = panel.as_numbers

    def faulty(column: pd.Series) -> np.ndarray:
        values = as_numbers(column)
        return np.minimum(values, np.quantile(values, 0.95))

    patch.setattr(panel, "as_numbers", faulty)


def relative_to_total(patch: Patch) -> None:
    """Measure an entity's demand as its share of the shop's."""

    def faulty(chosen: usable.UsableRows, plan: Any, *tables: Any) -> panel.Panel:
        own = panel.lay_out(chosen, plan, *tables)
        return replace(own, target=own.target / own.target.sum() * 100)

    patch.setattr(rows, "lay_out", faulty)


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
    on_torch(patch).setattr(training, "_fill", lambda rows, *size: rows)


def deduplicate(patch: Patch) -> None:
    """Drop a row that equals another entity's row of the same day."""

    def faulty(cells: pd.DataFrame, *arguments: Any, **options: Any) -> usable.UsableRows:
        once = cells.drop_duplicates(subset=[column for column in cells if column != "customer"])
        return usable.choose_rows(once, *arguments, **options)

    patch.setattr(rows, "choose_rows", faulty)


def quotes_over_lines(patch: Patch) -> None:
    """Read a CSV file as a library does: a quote that stays open goes on over the rows after it."""

    def faulty(path: Path, wanted: Any, is_row: Any, *, whole: bool) -> table.Table:
        read = pd.read_csv(path, dtype=str, keep_default_na=False, on_bad_lines="skip", engine="python")
        return table.Table(read, tuple(read.columns))

    patch.setattr(table, "_read_csv", faulty)


def unreadable_refuses(patch: Patch) -> None:
    """Refuse a file with a line that cannot be read."""
    read_csv = table._read_csv

    def faulty(path: Path, wanted: Any, is_row: Any, *, whole: bool) -> table.Table:
        read = read_csv(path, wanted, is_row, whole=whole)
        if read.unreadable:
            raise DataError(f"Cannot read line {read.unreadable[0]} of {path}; mend it.")
        return read

    patch.setattr(table, "_read_csv", faulty)


def unreadable_ends(patch: Patch) -> None:
    """Stop reading at the first line that cannot be read."""
    read_csv = table._read_csv

    def faulty(path: Path, wanted: Any, is_row: Any, *, whole: bool) -> table.Table:
        read = read_csv(path, wanted, is_row, whole=whole)
        return table.Table(read.rows[read.rows.index < min(read.unreadable, default=1 << 60)], read.columns)

    patch.setattr(table, "_read_csv", faulty)


def format_of_the_first(patch: Patch) -> None:
    """Read every day in the form of the first row's."""
    as_days = usable.as_days

    def faulty(column: pd.Series, time_zone: str = "") -> np.ndarray:
        mark = str(column.iloc[0])[4:5]
        return np.where(column.astype(str).str[4:5] == mark, as_days(column, time_zone), np.datetime64("NaT"))

    patch.setattr(usable, "as_days", faulty)


def damaged_row_costs_the_next(patch: Patch) -> None:
    """Take the line after one that cannot be read for its second half."""
    read_csv = table._read_csv

    def faulty(path: Path, wanted: Any, is_row: Any, *, whole: bool) -> table.Table:
        read = read_csv(path, wanted, is_row, whole=whole)
        return table.Table(read.rows[~read.rows.index.isin([line + 1 for line in read.unreadable])], read.columns)

    patch.setattr(table, "_read_csv", faulty)


FAULTS = (
    Fault("fitted-scaler", "high", "features scaled by everyone's mean and deviation", fitted_scaler),
    Fault("calendar-from-rows", "high", "closed is when nobody bought", calendar_from_rows),
    Fault("span-from-rows", "high", "time starts at the first row of anyone", span_from_rows),
    Fault("vocabulary-from-rows", "high", "categories numbered as they occur", vocabulary_from_rows),
    Fault("quantile-cap", "high", "demand capped at everyone's 95 % quantile", winsorise),
    Fault("share-of-total", "high", "demand measured as a share of the shop's", relative_to_total),
    Fault("rows-matched-across-entities", "medium", "a row that equals another entity's is dropped", deduplicate),
    Fault("quotes-over-lines", "high", "an open quote goes on over the rows after it", quotes_over_lines),
    Fault("unreadable-line-refuses", "medium", "a line that cannot be read refuses the file", unreadable_refuses),
    Fault("unreadable-line-ends", "high", "reading stops at a line that cannot be read", unreadable_ends),
    Fault("unreadable-line-costs-the-next", "high", "the line after a broken one is lost", damaged_row_costs_the_next),
    Fault("format-of-the-first-row", "high", "days are read in the form of the first row's", format_of_the_first),
    Fault("draws-by-place", "high", "an entity's draws follow its place in the list", draws_by_place),
    Fault("window-level-records", "high", "every position is clipped as a record of its own", window_records),
    Fault("batch-coupling", "high", "the batch's mean is taken out, as BatchNorm does", batch_mean),
    Fault("hidden-state-carried-over", "high", "a batch starts where the last one ended", carried_state),
    Fault("denominator-from-count", "medium", "the sum is divided by the number of entities", divide_by_count),
    Fault("noise-per-chunk", "medium", "as many draws as there are chunks", noise_per_chunk),
    Fault("ragged-chunks", "low", "a product's last bits follow the number of entities", ragged_chunks),
)
