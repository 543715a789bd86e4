"""The whole check of what a plan reads: the findings of the reading itself, and of what was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from client.data.check.ahead import find_missing_ahead
from client.data.check.calendar import find_calendar_faults
from client.data.check.leak import find_leaks
from client.data.check.likelihood import find_model_faults, find_size_faults
from client.data.check.name import find_name_faults
from client.data.check.report import Finding, Report
from client.data.check.row import describe_rows, find_row_faults
from client.data.check.series import find_history_faults, find_series_faults
from client.data.check.stock import find_stock_faults
from client.data.rows import Reading, read
from common.data.panel import Panel
from common.errors import DataError
from common.plan.schema import Plan


def inspect_files(plan: Plan, data_root: Path) -> Report:
    """Check the files of a plan as a round reads them; that none can be read is a finding too."""
    try:
        reading = read(plan.data, data_root, ahead_from=plan.evaluation.origins[-1], whole=True)
    except DataError as error:
        return Report({}, (Finding("fault", "file", str(error)),)).add(*find_size_faults(plan))
    return inspect_reading(reading, plan)


def inspect_reading(reading: Reading, plan: Plan) -> Report:
    """Check what was read, and say what was left out."""
    report = Report({"rows": reading.num_rows}, (), describe_reading(reading))
    report = report.add(*(Finding("fault", "left_out", sentence) for sentence in reading.faults))
    panel, usable = reading.panel, reading.usable
    if len(usable.rows) == 0:
        sentence = "No row is left after the filters and within the span; check data.start, data.end and data.filters."
        return report.add(Finding("fault", "no_rows", sentence))
    report = report.describe(**describe_rows(usable, plan.data), **describe_panel(panel))
    if plan.data.out_of_stock:
        report = report.describe(**{"days out of stock": int(panel.censored.sum())})
    return report.add(
        *find_row_faults(usable, plan.data),
        *find_calendar_faults(usable.day, plan.data),
        *find_stock_faults(panel, usable.rows, plan.data),
        *find_name_faults(panel, plan),
        *find_series_faults(panel, plan),
        *find_history_faults(panel, plan),
        *find_missing_ahead(panel, plan),
        *find_leaks(panel, plan),
        *find_model_faults(panel, plan),
    )


def describe_reading(reading: Reading) -> dict[str, int | float | dict[str, float]]:
    """Count what a round reads, and what was left out on the way, by reason."""
    panel = reading.panel
    known = panel.known.sum(axis=(0, 1), dtype=np.float64)
    return {
        "entities": len(panel.entities),
        "demand": float(panel.target.sum(dtype=np.float64)),
        "open_days": int(panel.open.sum()),
        "known": dict(zip(panel.covariates, known.tolist(), strict=True)),
        "rows_left_out": {each.reason: each.count for each in reading.left_out},
    }


def describe_panel(panel: Panel) -> dict[str, int | float | str]:
    """Count what the panel holds."""
    open_days = int(panel.open.sum())
    sold = int(((panel.target > 0) & panel.open).sum())
    return {
        "merchants": len(np.unique(panel.merchants.astype(str))),
        "entities": len(panel.entities),
        "days": panel.num_days,
        "open days of entities": open_days,
        "share of them with demand": round(sold / max(open_days, 1), 4),
        "demand": float(panel.target.sum(dtype=np.float64)),
    }
