"""Days out of stock: how many there are, what they do, and a column that says something else than yes and no."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from client.data.check.report import Finding
from common.data.cells import as_numbers, is_empty
from common.data.panel import Panel
from common.plan.schema import DataPlan

OFTEN = 0.5  # share of open days from which on levels are little more than a guess


def find_stock_faults(panel: Panel, rows: pd.DataFrame, plan: DataPlan) -> Iterator[Finding]:
    """Say what the days out of stock are counted as."""
    if not plan.out_of_stock:
        return
    yield from _find_odd_cells(rows[plan.out_of_stock])
    out, open_days = int(panel.censored.sum()), int(panel.open.sum())
    if not out:
        yield Finding(
            "warning",
            "never_out_of_stock",
            f"Column {plan.out_of_stock!r} says of no day that it ran out of stock; write 1 or yes there, or leave out "
            "data.out_of_stock.",
        )
        return
    nothing = int((panel.censored & (panel.target <= 0)).sum())
    yield Finding(
        "note",
        "out_of_stock",
        f"{out} of {open_days} open days of entities ran out of stock ({out / open_days:.1%}): demand counts as at "
        f"least what was sold, and on the {nothing} of them on which nothing was sold as unknown; none is scored.",
    )
    often = int((panel.censored.sum(axis=1) > OFTEN * np.maximum(panel.open.sum(axis=1), 1)).sum())
    if often:
        yield Finding(
            "warning",
            "mostly_out_of_stock",
            f"{often} of {len(panel.entities)} series ran out of stock on more than half of their open days; what is "
            "forecast of them is little more than what was sold.",
        )


def _find_odd_cells(cells: pd.Series) -> Iterator[Finding]:
    odd = ~np.isin(as_numbers(cells), (0.0, 1.0)) & ~is_empty(cells)
    if odd.any():
        yield Finding(
            "warning",
            "neither_yes_nor_no",
            f"Column {cells.name!r} says neither yes nor no in {odd.sum()} of {len(cells)} rows "
            f"('{cells.iloc[int(odd.argmax())]}'), which is read as no; write 1 and 0, or yes and no.",
        )
