"""`hansa-client check`: what a round of a plan would read of a merchant's own files."""

from __future__ import annotations

from pathlib import Path

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import say
from common.command.program import EXIT_MISTAKE


def check(plan_file: PlanArgument, data_root: DataRootOption = Path(), as_json: JsonOption = False) -> None:
    """Say what a round would read of your files.

    Also what it would leave out, and what looks odd. Nothing leaves; exit code 2 where something is wrong.
    """
    from client.data.check.inspection import inspect_files  # heavy, as is what follows
    from common.plan.reading import read_plan

    report = inspect_files(read_plan(plan_file), data_root)
    say(report.as_json(), report.as_text(), as_json=as_json)
    if report.fails:
        raise typer.Exit(EXIT_MISTAKE)
