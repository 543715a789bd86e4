"""Write the file that a plan reads, from the shop's history."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from client.shop.history.history import History
from client.shop.plan.ingredient import LACKING, Made, choose_ingredients
from client.shop.plan.layout import Layout, lay_by_day, lay_by_line
from client.shop.settings import Shop
from common.disk.file import replace_file
from common.errors import ConfigError, DataError
from common.plan.schema import Attribute, Plan

SHOWN = 6


@dataclass(frozen=True)
class Adapted:
    """What was written for a plan.

    Attributes
    ----------
    made
        What each column is made of.
    remarks
        What the owner should know of the fit, a sentence each.
    """

    path: Path
    num_rows: int
    num_entities: int
    made: tuple[Made, ...]
    remarks: tuple[str, ...]


def adapt(history: History, shop: Shop, plan: Plan, data_root: Path, said: Mapping[str, str]) -> Adapted:
    """Write the plan's file below the data root, Parquet or CSV as its name says.

    Parameters
    ----------
    said
        What columns are made of where their names do not tell, by column.

    Raises
    ------
    ConfigError
        What was said is not possible, or the file cannot be written.
    DataError
        The history has no sale, or lacks what a column is made of.
    """
    if history.span() is None:
        raise DataError("The history has no sale yet; import some with: hansa-client import")
    made = choose_ingredients(plan, said)
    layout = _lay_out(history, shop, plan)
    _require_there(made, layout)
    rows = _make_columns(made, layout.rows)
    path = data_root / plan.data.path
    _write(rows, path)
    _write_lookups(plan, rows, data_root)
    entities = rows[plan.data.entity].nunique()
    return Adapted(path, len(rows), entities, made, tuple(_remarks(rows, plan, history)))


def _lay_out(history: History, shop: Shop, plan: Plan) -> Layout:
    unit = plan.privacy.unit
    if plan.data.rows == "events":
        return lay_by_line(history, shop, unit)
    if unit == "customer":
        raise DataError(
            'The plan wants a row for each customer and day (data.rows = "panel"); hansa makes rows of customers for '
            'plans of events alone: ask the coordinator for data.rows = "events".'
        )
    return lay_by_day(history, shop, plan)


def _require_there(made: tuple[Made, ...], layout: Layout) -> None:
    lacking = [each for each in made if each.ingredient in layout.lacking]
    absent = [each for each in made if each.constant is None and each.ingredient not in layout.rows]
    for each in (*lacking, *absent):
        what = LACKING.get(each.ingredient, each.ingredient)
        raise DataError(
            f"The plan's {each.key} reads the column {each.column}, and the history has no {what}; add a source of "
            f"them with: hansa-client init SOURCE --add, or say what stands there with --set '{each.column}=constant 0'"
        )


def _make_columns(made: tuple[Made, ...], rows: pd.DataFrame) -> pd.DataFrame:
    columns = {each.column: _constant(each.constant) if each.constant else rows[each.ingredient] for each in made}
    return pd.DataFrame(columns, index=rows.index)


def _constant(text: str) -> str | float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _write(rows: pd.DataFrame, path: Path) -> None:
    """Write a table, by the ending of its name."""
    if path.suffix == ".parquet":
        content = io.BytesIO()
        rows.to_parquet(content, index=False)
        written = content.getvalue()
    else:
        written = rows.to_csv(index=False).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, written)
    except OSError as error:
        raise ConfigError(
            f"Cannot write {path}: {error.strerror}; make room, or choose another --data-root."
        ) from error


def _write_lookups(plan: Plan, rows: pd.DataFrame, data_root: Path) -> None:
    """Write the keys of each lookup: what it would have beside them stands in the rows themselves."""
    for lookup in plan.data.lookups:
        keys = pd.DataFrame({lookup.column: rows[lookup.key].drop_duplicates()})
        _write(keys, data_root / lookup.path)


def _remarks(rows: pd.DataFrame, plan: Plan, history: History) -> list[str]:
    span, origin = history.span(), plan.evaluation.origins[-1]
    said = [_remark_on(attribute, rows) for attribute in (*plan.data.static, *plan.data.known)]
    if span is not None and span[1] < origin - timedelta(days=1):
        gap = (origin - span[1]).days - 1
        said.append(
            f"The history ends on {span[1]}, {gap} days before the plan forecasts from {origin}: import newer sales, "
            "or the days between read as no demand."
        )
    if span is not None and span[0] > plan.data.start + timedelta(days=7):
        said.append(f"The plan begins on {plan.data.start}, your history on {span[0]}; that is allowed.")
    return [sentence for sentence in said if sentence]


def _remark_on(attribute: Attribute, rows: pd.DataFrame) -> str:
    if not attribute.categories:
        return ""
    unknown = sorted(set(rows[attribute.column].dropna().astype(str)) - set(attribute.categories))
    if not unknown:
        return ""
    named = ", ".join(unknown[:SHOWN]) + (", …" if len(unknown) > SHOWN else "")
    return (
        f"The plan knows {', '.join(attribute.categories)} as {attribute.column}; {named} of yours are none of "
        f"them: say one for all with --set '{attribute.column}=constant {attribute.categories[0]}'."
    )
