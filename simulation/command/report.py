"""Answer, compare and tabulate what runs left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError
from simulation.command.terminal import make_console, require_page, split_words, write_text
from simulation.evaluation.comparison import compare_runs, label_runs, make_comparison_table, make_difference_table
from simulation.evaluation.results import Results, read_evidence
from simulation.evaluation.verdict import RESAMPLES
from simulation.experiment.ending import conclude
from simulation.experiment.folder import RunFolder
from simulation.report.markdown import make_markdown, put_into
from simulation.report.page import make_comparison_page
from simulation.report.wording import verdict


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    method: Annotated[str, typer.Option(help="Method to judge; routed, or the federation nearest to epsilon 2.")] = "",
    against: Annotated[str, typer.Option(help="What it is held against; routed_own, or the best own method.")] = "",
    resamples: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = RESAMPLES,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer instead of a sentence.")] = False,
) -> None:
    """Answer again whether joining was worth it, and make report.html again."""
    run_folder = RunFolder(folder)
    with run_folder.writing():
        summary = conclude(run_folder, method=method, against=against, resamples=resamples)
    if as_json:
        typer.echo(json.dumps(summary["answer"], indent=2))
    else:
        say_answer(read_evidence(folder))


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of two or more runs.")],
    out: Annotated[Path | None, typer.Option(help="Also write the comparison as a page, a .html file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Set runs side by side: what differs between them, and every metric with its difference to the first."""
    if len(folders) < 2:
        raise ConfigError("compare needs two runs or more; give another DIR.")
    require_page(out)
    runs = [read_evidence(folder) for folder in folders]
    compared, labels = compare_runs(runs), label_runs(runs)
    if out is not None:
        write_text(out, make_comparison_page(compared, labels))
    if as_json:
        typer.echo(json.dumps(compared, indent=2))
        return
    make_console().print(make_difference_table(compared, labels), make_comparison_table(compared, labels))


def table(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of finished runs.")],
    metrics: Annotated[str, typer.Option(help="Metrics, separated by commas; the main ones if left out.")] = "",
    into: Annotated[Path | None, typer.Option(help="Put the tables between the two marks of this file.")] = None,
) -> None:
    """Print the main metrics of runs as Markdown tables."""
    text = make_markdown([read_evidence(folder) for folder in folders], list(split_words(metrics)))
    if into is None:
        typer.echo(text, nl=False)
    else:
        put_into(text, into)


def say_answer(run: Results) -> None:
    """Say the answer in words and where the page is."""
    said = verdict(run.plan, run.summary["answer"], run.metrics[0])
    typer.echo(f"Is it worth joining? {said.word} {said.sentence} {said.ground}")
    typer.echo(f"The whole answer is in {run.path / 'report.html'}.")
