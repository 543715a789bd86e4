"""Check a plan and its data before anything is trained: the merchant's own check, and whether a run would start."""

from __future__ import annotations

from pathlib import Path

from client.data.check.inspection import inspect_reading
from client.data.check.report import Finding, Report
from common.data.panel import Panel
from common.errors import ConfigError, DataError, HansaError
from common.plan.schema import Plan
from simulation.method.method import check_methods
from simulation.origin.origin import choose_present, declare_cohort, load_reading


def check_plan(plan: Plan, data_root: Path) -> Report:
    """Say what the data holds, and what would go wrong."""
    try:
        reading = load_reading(plan, data_root)
    except DataError as error:
        return Report({}, (Finding("fault", "file", str(error)),))
    report = inspect_reading(reading, plan)
    try:
        check_methods(plan.evaluation.methods, plan)
    except ConfigError as error:
        report = report.add(Finding("fault", "methods", str(error)))
    if any(finding.key in ("no_rows", "nobody") for finding in report.findings):
        return report
    return _check_origins(report, plan, reading.panel)


def _check_origins(report: Report, plan: Plan, panel: Panel) -> Report:
    """Deal merchants as a run would, and count who takes part."""
    for origin in plan.evaluation.origins:
        try:
            present = choose_present(panel, plan, panel.day_of(origin))
            cohort = declare_cohort(present, plan)
        except HansaError as error:
            return report.add(Finding("fault", "merchants", f"Origin {origin}: {error}"))
        sizes = cohort.merchant_of.bincount().tolist()
        there = f"{len(present.entities)} entities of {len(sizes)} merchants, {min(sizes)} to {max(sizes)} each"
        report = report.describe(**{f"at {origin}": there})
    return report
