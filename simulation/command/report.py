"""Answer, compare and tabulate what runs left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError
from simulation.command.terminal import require_page, split_words, write_text

if TYPE_CHECKING:
    from simulation.evaluation.results import Results

RESAMPLES: Final = 1000


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    method: Annotated[
        str, typer.Option(help="Method to judge; if left out routed, or the federation nearest to epsilon 2.")
    ] = "",
    against: Annotated[
        str,
        typer.Option(help="What it is held against; own: the best own method in hindsight. If left out routed_own."),
    ] = "",
    resamples: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = RESAMPLES,
    fill_rate: Annotated[float, typer.Option(min=0.01, max=0.999, help="Share of demand served, as stock.")] = 0.95,
    lead_days: Annotated[int, typer.Option(min=0, max=60, help="From an order of stock to its arrival.")] = 7,
    review_days: Annotated[int, typer.Option(min=1, max=30, help="From an order of stock to the next.")] = 7,
    price: Annotated[float, typer.Option(min=0.0, help="Of one unit; stock is said in money then.")] = 0.0,
    currency: Annotated[str, typer.Option(help="What the price is in, as EUR.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say again whether joining paid off.

    Puts the answer into summary.json and makes report.html again. Of a study of firsts the tables and the page alone.
    """
    import numpy as np

    from client.decision.stock.cost import cost_of_price
    from client.decision.stock.walk import Rhythm
    from simulation.evaluation.results import read_results
    from simulation.experiment.ending import conclude
    from simulation.experiment.firsts.reading import holds_study
    from simulation.experiment.folder import RunFolder

    if holds_study(folder):
        say_study(folder, as_json=as_json)
        return
    if bool(price) != bool(currency):
        raise ConfigError("--price and --currency go together, as --price 4.50 --currency EUR; give both or neither.")
    costs = cost_of_price(np.array(price or 1.0), service_level=fill_rate, currency=currency)
    rhythm = Rhythm(lead_days, review_days)
    run_folder = RunFolder(folder)
    read_results(folder)  # refuses a folder without a run before anything is written there
    with run_folder.held(), run_folder.writing():
        summary = conclude(run_folder, method=method, against=against, resamples=resamples, costs=costs, rhythm=rhythm)
    if as_json:
        print_json(summary["answer"])
    else:
        say_answer(read_results(folder))


def say_study(folder: Path, *, as_json: bool) -> None:
    """Say what a study of firsts found, and make its page again."""
    from simulation.experiment.firsts.reading import FIRSTS, read_study
    from simulation.experiment.firsts.table import make_firsts_page, make_firsts_tables, say_firsts
    from simulation.experiment.folder import RunFolder

    study, run_folder = read_study(folder), RunFolder(folder)
    with run_folder.held(), run_folder.writing():
        run_folder.write_text("report.html", make_firsts_page(study.found, study.metric, command=study.command))
    if as_json:
        print_json(study.found)
        return
    for table in make_firsts_tables(study.found, study.metric):
        print_table(make_console(), table)
    for sentence in say_firsts(study.found, study.metric):
        typer.echo(f"{sentence}.")
    typer.echo(
        f"Intervals are of other entities. The numbers are in {folder / FIRSTS}, the page is {folder / 'report.html'}."
    )


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of two or more runs.")],
    out: Annotated[Path | None, typer.Option(help="Also write the comparison as a page, a .html file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Set runs side by side.

    Shows what differs between them, and every metric with its difference to the first.
    """
    from simulation.evaluation.comparison import compare_runs, label_runs, make_comparison_table, make_difference_table
    from simulation.evaluation.results import read_results
    from simulation.report.page import make_comparison_page

    if len(folders) < 2:
        raise ConfigError("compare needs two runs or more; give another DIR.")
    require_page(out)
    runs = [read_results(folder) for folder in folders]
    compared, labels = compare_runs(runs), label_runs(runs)
    if out is not None:
        write_text(out, make_comparison_page(compared, labels))
    if as_json:
        print_json(compared)
        return
    console = make_console()
    for table in (make_difference_table(compared, labels), make_comparison_table(compared, labels)):
        print_table(console, table)


def table(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of finished runs.")],
    metrics: Annotated[str, typer.Option(help="Metrics, separated by commas; the main ones if left out.")] = "",
    into: Annotated[Path | None, typer.Option(help="Put the tables between the two marks of this file.")] = None,
) -> None:
    """Print runs as Markdown tables."""
    from simulation.evaluation.results import read_results
    from simulation.report.markdown import make_markdown, put_into

    text = make_markdown([read_results(folder) for folder in folders], list(split_words(metrics)))
    if into is None:
        typer.echo(text, nl=False)
    else:
        put_into(text, into)


def say_answer(run: Results) -> None:
    """Say the answer in words, what it rests on, and where the page is."""
    from simulation.report.learning import say_added, say_controls, say_groups, say_noise
    from simulation.report.wording import money, verdict

    found, headline = run.summary["answer"], run.metrics[0]
    said = verdict(run.plan, found, headline)
    typer.echo(f"Is it worth joining? {said.word} {said.sentence}")
    if found:
        for sentence in say_added(found, headline):
            typer.echo(f"Added by the federation: {sentence}.")
        for sentence in say_controls(found, headline):
            typer.echo(sentence)
    typer.echo(said.ground)
    if found:
        unit = run.plan.privacy.unit
        for sentence in (*say_groups(found["metrics"][headline], unit), *say_noise(found, run.summary, headline)):
            typer.echo(sentence)
    if found and found.get("money"):
        typer.echo(money(found["money"], found["method"]))
    typer.echo(f"The whole answer is in {run.path / 'report.html'}.")
