"""A merchant's forecasts from a federation's model and its own methods: made here, and never to be shared.

No privacy is promised for them: they are computed from the merchant's rows without noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from client.daemon.store import Model
from client.data.rows import read
from client.forecast.candidate import ReleasedModels, Served, serve
from client.forecast.view import View
from common.data.gap import find_gaps, require_told
from common.data.panel import Panel, find_active
from common.errors import ConfigError, DataError
from common.forecast.method import Method
from common.forecast.table import lay_out, write_forecast
from common.model.demand_gru import DemandGRU, get_vector, set_vector
from common.model.warm.start import start_without_data
from common.plan.leg import leg_of, legs_of
from common.plan.schema import Plan

LONGEST_IDLE_DAYS, HORIZONS_PER_IDLE = 7, 4  # nothing sold for longer at the end, and rows are taken to be missing


@dataclass(frozen=True)
class Question:
    """What is to be forecast.

    Attributes
    ----------
    origin
        The first day that is forecast; nothing from it on is looked at but what the plan declares as known ahead.
    method
        By what, see `client.forecast.candidate`.
    """

    origin: date
    method: Method
    device: torch.device


@dataclass(frozen=True)
class ReleasedContext:
    """A released model before the rows of one merchant.

    Attributes
    ----------
    view
        The entities that take part at the origin.
    idle_days
        Open days at the end of the horizon after the last on which anything at all was sold, by whomever.
    idle_days_before
        The same at the end of the days before the origin.
    days_without_rows
        Days at the end of the horizon on which nobody is open.
    left_out
        What could not be used of the merchant's files, in sentences.
    gaps
        What is not told of the days ahead, in sentences.
    """

    view: View
    models: ReleasedModels
    idle_days: int
    idle_days_before: int
    days_without_rows: int
    left_out: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def tolerated_days(self) -> int:
        """Give the number of days at an end that may be without a sale, or without a row."""
        return min(LONGEST_IDLE_DAYS, self.view.plan.model.horizon_days // HORIZONS_PER_IDLE)


@dataclass(frozen=True)
class Prediction:
    """A merchant's forecasts.

    Attributes
    ----------
    entities
        Their names.
    origin
        First day of the first bucket.
    warnings
        What makes them doubtful, in sentences.
    """

    served: Served
    entities: np.ndarray
    origin: date
    bucket_days: int
    warnings: tuple[str, ...]

    @property
    def num_rows(self) -> int:
        """Count the rows of the table form."""
        return self.served.forecast.mean.size

    @property
    def table(self) -> pd.DataFrame:
        """Lay them out; see `common.forecast.table`."""
        return lay_out(self.served.forecast, entities=self.entities, origin=self.origin, bucket_days=self.bucket_days)

    def write(self, path: Path) -> None:
        """Write the same rows to a file.

        Raises
        ------
        ConfigError
            As `common.forecast.table.write_forecast` says.
        """
        write_forecast(
            self.served.forecast, path, entities=self.entities, origin=self.origin, bucket_days=self.bucket_days
        )


def set_up(model: Model, data_root: Path, origin: date, *, rehearsal: Model | None = None) -> ReleasedContext:
    """Read the merchant's rows up to the end of the horizon that starts at `origin`, and make the network.

    Parameters
    ----------
    rehearsal
        The model after the rehearsal of the same run, where there is one.

    Raises
    ------
    DataError
        No entity takes part, the model does not fit the plan's columns, or something is not known of the days ahead
        and the plan refuses to forecast then.
    ConfigError
        The origin leaves no history.
    """
    plan = extend(model.note.plan, origin)
    reading = read(plan.data, data_root, ahead_from=origin)
    panel, day = reading.panel, reading.panel.day_of(origin)
    end = day + plan.model.horizon_days
    active = find_active(panel, plan.data, day)
    present = panel if len(active) == len(panel.entities) else panel.select(active)
    if len(present.entities) == 0:
        why = f" {reading.faults[0]}" if reading.faults else ""
        raise DataError(f"No {plan.data.entity} takes part at {origin}; choose another --origin.{why}")
    gaps = find_gaps(present, plan.data, day, plan.model.horizon_days)
    require_told(gaps)
    return ReleasedContext(
        view=View(plan, present, day),
        models=_choose_models(model, rehearsal, origin),
        idle_days=_count_idle_days(panel, plan, end),
        idle_days_before=_count_idle_days(panel, plan, day),
        days_without_rows=_count_days_without_rows(panel, day, end),
        left_out=reading.faults,
        gaps=tuple(gap.sentence for gap in gaps),
    )


def _choose_models(model: Model, rehearsal: Model | None, origin: date) -> ReleasedModels:
    """Choose what is weighed on the last horizon before the origin: a model that has learned from no day of it."""
    network, begins = restore(model), origin - timedelta(days=model.note.plan.model.horizon_days)
    if learned_until(model) <= begins:
        return ReleasedModels(network, network)
    usable = rehearsal is not None and learned_until(rehearsal) <= begins
    return ReleasedModels(network, restore(rehearsal) if rehearsal is not None and usable else None)


def learned_until(model: Model) -> date:
    """Give the first day that a model has not learned from."""
    note = model.note
    return leg_of(legs_of(note.plan, private=note.private), note.round_number).until


def _count_idle_days(panel: Panel, plan: Plan, end: int) -> int:
    """Count the days before `end` since the last sale; where the plan says which days are closed, without those."""
    sold = np.flatnonzero(panel.target[:, :end].any(axis=0))
    idle = np.arange(sold[-1] + 1 if len(sold) else 0, end)
    return len(idle) if plan.data.missing == "closed" else int(panel.open[:, idle].any(axis=0).sum())


def _count_days_without_rows(panel: Panel, day: int, end: int) -> int:
    """Count the days at the end of the horizon on which nobody is open."""
    opened = np.flatnonzero(panel.open[:, day:end].any(axis=0))
    return end - day - (int(opened[-1]) + 1 if len(opened) else 0)


def predict(model: Model, data_root: Path, question: Question, *, rehearsal: Model | None = None) -> Prediction:
    """Forecast the horizon of every entity that takes part at the origin.

    Raises
    ------
    DataError
        The shop is closed on every day ahead, or a forecast is not finite.
    HansaError
        As `set_up` says, or the method cannot be used here.
    """
    context = set_up(model, data_root, question.origin, rehearsal=rehearsal)
    view, plan = context.view, context.view.plan.model
    doubt = _say_idle(context)
    warnings = tuple(
        sentence for sentence in (*context.left_out, *context.gaps, doubt, _say_closed(context)) if sentence
    )
    served = serve(
        question.method,
        view,
        context.models,
        device=question.device,
        doubt="rows seem to be missing before the origin" if doubt else "",
    )
    return Prediction(served, view.panel.entities, question.origin, plan.bucket_days, warnings)


def _say_idle(context: ReleasedContext) -> str:
    """Say that rows seem to be missing before the origin; empty where they do not."""
    if context.idle_days_before <= context.tolerated_days:
        return ""
    last = context.view.origin - timedelta(days=1)
    return (
        f"Nothing was sold on the last {context.idle_days_before} open days up to {last}, so those rows seem to be "
        "missing and these forecasts to be too low; bring newer rows, or choose the day after the last row as --origin."
    )


def _say_closed(context: ReleasedContext) -> str:
    """Say that days ahead are taken as closed since no row says otherwise; empty where few are.

    Raises
    ------
    DataError
        All of them are, so that every forecast would be zero.
    """
    view, days = context.view, context.days_without_rows
    horizon = view.plan.model.horizon_days
    last = view.origin + timedelta(days=horizon - 1)
    first = last - timedelta(days=days - 1)
    why = (
        'the plan says missing = "closed", so they count as closed and are forecast zero; give rows for the days ahead '
        "too, with what is known of them; their target may be empty"
        if view.plan.data.missing == "closed"
        else "the plan declares them closed, and they are forecast zero"
    )
    if days == horizon:
        raise DataError(f"No row of any {view.plan.data.entity} can be used from {first} to {last}: {why}.")
    return f"No row can be used from {first} to {last}: {why}." if days > context.tolerated_days else ""


def extend(plan: Plan, origin: date) -> Plan:
    """Let the plan's span reach to the end of the horizon, for a forecast from later rows than it was trained on.

    Raises
    ------
    ConfigError
        The origin leaves no history, or no horizon.
    """
    if (origin - plan.data.start).days < plan.model.step_days:
        raise ConfigError(
            f"--origin {origin} leaves no history after data.start {plan.data.start}; choose a later one."
        )
    try:
        end = max(plan.data.end, origin + timedelta(days=plan.model.horizon_days - 1))
    except OverflowError as error:
        raise ConfigError(
            f"--origin {origin} leaves no horizon before the calendar ends; choose an earlier one."
        ) from error
    return plan.model_copy(update={"data": plan.data.model_copy(update={"end": end})})


def restore(model: Model) -> DemandGRU:
    """Put the released parameters into what the plan begins with: what did not train is as it was there.

    Raises
    ------
    DataError
        They do not fit the plan.
    """
    network = start_without_data(model.note.plan, private=model.note.private)
    if len(get_vector(network)) != len(model.parameters):
        raise DataError("The model has another number of parameters than its plan's; ask the coordinator for another.")
    set_vector(network, model.parameters)
    return network
