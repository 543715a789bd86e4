"""Lay out a study of firsts for people."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from simulation.experiment.firsts.own import ROUTED_OWN
from simulation.experiment.firsts.part import say_days
from simulation.experiment.firsts.pool import is_headline, is_size


def make_firsts_tables(found: dict[str, Any], metric: str) -> list[Table]:
    """Make a table of kinds and lengths of history, and one of sizes of merchants."""
    title = f"{found['plan']}: {metric} of merchants that were left out, and gain over {ROUTED_OWN.name}"
    by_kind = [row for row in found["rows"] if is_headline(row)]
    by_size = [row for row in found["rows"] if is_size(row)]
    return [
        _lay_out(by_kind, title, {"first": "kind", "history": "days"}),
        _lay_out(by_size, "the same, all days, by entities of the merchant", {"size": "size", "history": "days"}),
    ]


def _lay_out(rows: list[dict[str, Any]], title: str, columns: dict[str, str]) -> Table:
    table = Table(title=Text(title), box=SIMPLE)
    for name in (*columns, "method"):
        table.add_column(name, no_wrap=True)
    for name in ("entities", "loss", "gain", "from", "to", "over best own"):
        table.add_column(name, justify="right")
    for row in rows:
        gain = row["gain"]
        about = [say_days(row[key]) if key == "days" else str(row[key]) for key in columns.values()]
        shares = ["–" if gain[key] is None else f"{gain[key]:+.1%}" for key in ("gain", "low", "high")]
        shares.append(f"{row['over_best_own']['gain']['gain']:+.1%}")
        if row["method"] == ROUTED_OWN.name:
            shares[:3] = ["", "", ""]
        table.add_row(*about, row["method"], str(row["entities"]), f"{gain['value']:.4f}", *shares)
    return table
