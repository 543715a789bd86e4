"""The whole check of one table against one plan."""

from __future__ import annotations

import numpy as np
import pandas as pd

from client.data.check.calendar import find_calendar_faults
from client.data.check.leak import find_leaks
from client.data.check.likelihood import find_model_faults, find_size_faults
from client.data.check.report import Finding, Report
from client.data.check.row import describe_rows, find_row_faults, keep_rows
from client.data.check.series import find_history_faults, find_series_faults
from common.data.panel import Panel, build_panel
from common.errors import DataError
from common.plan.schema import Plan


def inspect_rows(rows: pd.DataFrame, plan: Plan) -> tuple[Report, Panel | None]:
    """Check raw rows, and the panel that the plan makes of them; no panel where it cannot be made."""
    report = Report({"rows": len(rows)}, ())
    try:
        panel = build_panel(rows, plan.data)
    except DataError as error:
        return report.add(Finding("fault", "panel", str(error)), *find_size_faults(plan)), None
    kept = keep_rows(rows, plan.data)
    report = Report({**report.facts, **describe_rows(kept, plan.data), **describe_panel(panel)}, ())
    findings = [
        *find_row_faults(kept, plan.data),
        *find_calendar_faults(kept.days, plan.data),
        *find_series_faults(panel, plan),
        *find_history_faults(panel, plan),
        *find_leaks(panel, plan),
        *find_model_faults(panel, plan),
    ]
    return report.add(*findings), panel


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
