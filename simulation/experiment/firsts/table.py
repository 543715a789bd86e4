"""Lay out a study of firsts for people: tables for a terminal, and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from common.forecast.gain import say_share
from simulation.experiment.firsts.own import ROUTED_OWN
from simulation.experiment.firsts.part import say_days
from simulation.experiment.firsts.pool import is_headline, is_size
from simulation.experiment.firsts.served import ROUTED, ROUTED_NULL
from simulation.report.page import TEMPLATES
from simulation.report.wording import METRICS, gain_words

FIRST, SIZE = {"first": "kind", "history": "days"}, {"size": "size", "history": "days"}
NULL = ROUTED_NULL.name
NUMBERS = ("entities", "loss", "gain", "from", "to", "over best own")


@dataclass(frozen=True)
class Line:
    """One method, on one kind of day or of merchant; `marked` is what serves."""

    cells: tuple[str, ...]
    marked: bool


@dataclass(frozen=True)
class Sheet:
    """A table; the first `words` columns hold words, the others numbers."""

    title: str
    columns: tuple[str, ...]
    words: int
    rows: tuple[Line, ...]


def make_firsts_tables(found: Mapping[str, Any], metric: str) -> list[Table]:
    """Make a table of kinds and lengths of history, and one of sizes of merchants."""
    return [_lay_out(sheet) for sheet in _sheets(found, metric)]


def make_firsts_page(found: Mapping[str, Any], metric: str, *, command: str) -> str:
    """Write the page of a study, which loads nothing."""
    return TEMPLATES.get_template("firsts.html").render(
        plan=found["plan"],
        metric=METRICS[metric],
        sentences=say_firsts(found, metric),
        tables=_sheets(found, metric),
        command=command,
    )


def say_firsts(found: Mapping[str, Any], metric: str) -> list[str]:
    """Say for each first and history what a merchant gains by what it is served, and what a federation of no use would.

    Nothing is said of a study without what is served; the federation's model alone is in the tables.
    """
    rows = {(row["kind"], row["days"], row["method"]): row["gain"] for row in found["rows"] if is_headline(row)}
    return [
        f"{kind}, {say_days(days)} of history: routed against routed_own, {gain_words(gain, metric)}"
        f"{', too close to tell' if gain['verdict'] == 'unclear' else ''}{_say_null(rows.get((kind, days, NULL)))}"
        for (kind, days, method), gain in rows.items()
        if method == ROUTED.name
    ]


def _say_null(gain: Mapping[str, Any] | None) -> str:
    return "" if gain is None else f"; with a federation that learns nothing {say_share(gain['gain'], signed=True)}"


def _sheets(found: Mapping[str, Any], metric: str) -> list[Sheet]:
    title = f"{found['plan']}: {metric} of merchants that were left out, and gain over {ROUTED_OWN.name}"
    by_kind = [row for row in found["rows"] if is_headline(row)]
    by_size = [row for row in found["rows"] if is_size(row)]
    return [
        _sheet(by_kind, title, FIRST),
        _sheet(by_size, "the same, all days, by entities of the merchant", SIZE),
    ]


def _sheet(rows: list[dict[str, Any]], title: str, columns: Mapping[str, str]) -> Sheet:
    lines = tuple(Line(tuple(_cells(row, columns)), row["method"] == ROUTED.name) for row in rows)
    return Sheet(title, (*columns, "method", *NUMBERS), len(columns) + 1, lines)


def _cells(row: Mapping[str, Any], columns: Mapping[str, str]) -> Iterator[str]:
    gain, best = row["gain"], row["over_best_own"]["gain"]["gain"]
    yield from (say_days(row[key]) if key == "days" else str(row[key]) for key in columns.values())
    yield from (row["method"], str(row["entities"]), f"{gain['value']:.4f}")
    if row["method"] == ROUTED_OWN.name:
        yield from ("", "", "")
    else:
        yield from ("–" if gain[key] is None else say_share(gain[key], signed=True) for key in ("gain", "low", "high"))
    yield say_share(best, signed=True)


def _lay_out(sheet: Sheet) -> Table:
    table = Table(title=Text(sheet.title), box=SIMPLE)
    for place, name in enumerate(sheet.columns):
        table.add_column(name, justify="left" if place < sheet.words else "right", no_wrap=place < sheet.words)
    for row in sheet.rows:
        table.add_row(*row.cells, style="bold" if row.marked else None)
    return table
