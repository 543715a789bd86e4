"""Faults of what stands beside demand: observed channels, covariates known ahead, attributes, products, lookups."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.data import rows
from client.data.table import Table
from common.data import panel, usable
from common.data.cells import as_names, as_numbers
from common.data.panel import Panel
from common.errors import DataError
from common.model import anchor, features
from common.plan.schema import AnchorPlan, Attribute, DataPlan, Lookup, Measure, ModelPlan
from planted.fault import Fault

Patch = pytest.MonkeyPatch


def lay_out_as(patch: Patch, change: Any) -> None:
    """Change a panel after it is laid out."""
    patch.setattr(rows, "lay_out", lambda chosen, plan, *tables: change(panel.lay_out(chosen, plan, *tables)))


def a_day_ahead(patch: Patch) -> None:
    """Let the last observed channel count from the day before it is known."""
    channel_features = features._channel_features

    def faulty(own: Panel, plan: ModelPlan, cutoffs: np.ndarray) -> dict[str, np.ndarray]:
        observed = own.observed.copy()
        observed[:, :-1, -1:] = observed[:, 1:, -1:]
        return channel_features(replace(own, observed=observed), plan, cutoffs)

    patch.setattr(features, "_channel_features", faulty)


def valid_by_others(patch: Patch) -> None:
    """Take the last channel for recorded on a day if anybody has a value of it on the day after."""

    def change(own: Panel) -> Panel:
        observed = own.observed.copy()
        observed[:, :-1, -1:] *= (observed[:, 1:, -1:] > 0).any(0, keepdims=True)
        return replace(own, observed=observed)

    lay_out_as(patch, change)


def gaps_get_the_mode(patch: Patch) -> None:
    """Fill an empty attribute with the most frequent value of all."""
    columns_of = panel.attribute_columns

    def faulty(column: pd.Series, attribute: Attribute) -> list[np.ndarray]:
        names = pd.Series(as_names(column), index=column.index)
        there = names[names != ""]
        if attribute.categories and len(there):
            column = names.where(names != "", there.mode()[0])
        return columns_of(column, attribute)

    patch.setattr(panel, "attribute_columns", faulty)


def distinct_for_all(patch: Patch) -> None:
    """Count a distinct value once a day for all entities: the first that has it takes it away from the others."""
    measure = panel._Grid.measure

    def faulty(self: Any, table: pd.DataFrame, what: Measure) -> np.ndarray:
        if what.aggregate != "distinct":
            return measure(self, table, what)
        names = as_names(table[what.column])
        first = ~pd.DataFrame({"day": self.cell % self.num_days, "name": names}).duplicated().to_numpy()
        return self.sum((first & (names != "")).astype(float))

    patch.setattr(panel._Grid, "measure", faulty)


def mean_over_all(patch: Patch) -> None:
    """Divide a mean by the day's rows of everyone."""
    measure = panel._Grid.measure

    def faulty(self: Any, table: pd.DataFrame, what: Measure) -> np.ndarray:
        if what.aggregate != "mean":
            return measure(self, table, what)
        total = self.sum(np.nan_to_num(as_numbers(table[what.column])))
        return total / np.maximum(self.sum(np.ones(len(table))).sum(0, keepdims=True), 1.0)

    patch.setattr(panel._Grid, "measure", faulty)


def channels_by_total(patch: Patch) -> None:
    """Put the channels in the order of their totals, the largest first."""

    def change(own: Panel) -> Panel:
        return replace(own, observed=own.observed[:, :, np.argsort(-own.observed.sum((0, 1)), kind="stable")])

    lay_out_as(patch, change)


def regime_by_median(patch: Patch) -> None:
    """Call a regime on where its covariate is above the median of everyone's."""
    cells = anchor.find_cells

    def faulty(own: Panel, plan: AnchorPlan) -> tuple[np.ndarray, int]:
        if not plan.regime or not len(own.known):
            return cells(own, plan)
        known = own.known.copy()
        place = own.covariates.index(plan.regime)
        known[:, :, place] = known[:, :, place] > np.median(known[:, :, place])
        return cells(replace(own, known=known), plan)

    patch.setattr(anchor, "find_cells", faulty)


def birth_of_the_group(patch: Patch) -> None:
    """Let an entity exist from the first day of anyone with the same attributes."""

    def change(own: Panel) -> Panel:
        if not own.static.shape[1] or not len(own.static):
            return own
        group = np.unique(own.static, axis=0, return_inverse=True)[1].ravel()
        first = np.full(len(group), own.num_days)
        np.minimum.at(first, group, own.first_day)
        return replace(own, first_day=first[group])

    lay_out_as(patch, change)


def product_from_the_row_above(patch: Patch) -> None:
    """Take a factor that is missing from the row above."""
    derive = usable.derive_columns

    def faulty(table: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
        derived = derive(table, plan)
        for name, (left, right) in plan.derived.items():
            factors = [pd.Series(as_numbers(table[factor]), index=table.index).ffill() for factor in (left, right)]
            derived = derived.assign(**{name: factors[0] * factors[1]})
        return derived

    patch.setattr(usable, "derive_columns", faulty)


def too_few_found(patch: Patch) -> None:
    """Refuse a lookup in which fewer than half of the rows find their key."""
    join = rows._join

    def faulty(table: Table, other: Table, lookup: Lookup, path: str) -> tuple[Table, list[str]]:
        joined = join(table, other, lookup, path)
        found = pd.Index(as_names(table.rows[lookup.key])).isin(as_names(other.rows[lookup.column]))
        if len(found) and found.mean() < 0.5:
            raise DataError(f"Fewer than half of the rows of {path} are in {lookup.path}; is it the right file?")
        return joined

    patch.setattr(rows, "_join", faulty)


FAULTS = (
    Fault("channel-a-day-ahead", "low", "one observed channel is seen a day before it is valid", a_day_ahead),
    Fault("channel-valid-by-others", "high", "a channel is valid if anybody has a value a day later", valid_by_others),
    Fault("gaps-get-the-mode", "high", "an empty attribute gets the most frequent value of all", gaps_get_the_mode),
    Fault("distinct-for-all", "high", "a distinct value counts for the first entity of a day", distinct_for_all),
    Fault("mean-over-all", "high", "a mean is divided by the day's rows of everyone", mean_over_all),
    Fault("channels-by-total", "high", "channels stand in the order of their totals", channels_by_total),
    Fault("regime-by-median", "high", "a regime is on above the median of everyone's", regime_by_median),
    Fault("birth-of-the-group", "high", "an entity exists since the first of its kind", birth_of_the_group),
    Fault("product-from-row-above", "high", "a missing factor is that of the row above", product_from_the_row_above),
    Fault("lookup-half-found-refuses", "medium", "a lookup that misses half of the rows is refused", too_few_found),
)
