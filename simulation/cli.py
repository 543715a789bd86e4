"""hansa-sim: a whole federation in one process, for the researcher."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from safetensors import SafetensorError

from client.audit.level import LEVELS
from client.check.report import Report
from common.errors import ConfigError, HansaError
from common.plan import read_plan
from common.warm.start import save_warm, warm_path
from simulation.answer import RESAMPLES
from simulation.audit import ALL_LEVELS, audit_plan
from simulation.bench.document import DEFAULT_PARTS, read_document, run_parts
from simulation.bench.document import make_table as make_ratio_table
from simulation.bench.markdown import make_markdown as make_ratio_markdown
from simulation.check import check_plan
from simulation.cluster.engine import Cluster, check_cluster
from simulation.comparison import compare_runs, label_runs, make_comparison_table, make_difference_table
from simulation.conclusion import conclude
from simulation.display import ProgressBar
from simulation.evening import run_evening
from simulation.evidence import Evidence, read_evidence
from simulation.export import export_merchants
from simulation.folder import RunFolder
from simulation.markdown import make_markdown, put_into
from simulation.method import check_methods
from simulation.newcomer import (
    describe_newcomers,
    make_newcomer_page,
    make_newcomer_table,
    race_starts,
    say_race,
    score_newcomers,
)
from simulation.pretraining.train import train_warm
from simulation.report.page import make_comparison_page
from simulation.report.wording import verdict
from simulation.run import run_plan
from simulation.summary import make_table
from simulation.trial import load_panel, make_trial

EXIT_VIOLATION, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130
PIPE_WIDTH = 136  # of a table that goes to a file or a pipe

app = typer.Typer(
    help="Run a whole federation in one process.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they print local variables, which hold the data
)


@app.callback()
def hansa_sim() -> None:
    """Run a whole federation in one process."""


@app.command()
def run(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for everything that the run leaves.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    only: Annotated[str, typer.Option(help="Methods to run, separated by commas; all of the plan's if left out.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="First seed of weights, batches and simulated noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    engine: Annotated[str, typer.Option(help="fast, or flower: Flower's simulation on Ray.")] = "fast",
    ray_address: Annotated[str, typer.Option(help="Ray cluster of --engine flower, HOST:PORT; here if left out.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that the folder holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of a table.")] = False,
) -> None:
    """Run every method of PLAN at every origin and compare them."""
    torch.set_num_threads(1)  # the engine has threads of its own; torch's would contend with them
    plan = read_plan(plan_file)
    methods = tuple(name.strip() for name in only.split(",") if name.strip()) or plan.evaluation.methods
    check_methods(methods, plan)
    chosen_device = choose_device(device)
    cluster = choose_cluster(engine, ray_address, out)
    folder = RunFolder(out)
    command = shlex.join(["hansa-sim", *sys.argv[1:]])
    folder.open(plan, seed=seed, command=command, resume=resume)
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    with ProgressBar(console) as display:
        summary = run_plan(
            plan,
            folder,
            data_root=data_root,
            methods=methods,
            seed=seed,
            device=chosen_device,
            command=command,
            display=display,
            cluster=cluster,
        )
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        console.print(make_table(summary, plan.evaluation.task))
        say_answer(read_evidence(out))
        typer.echo(f"Everything is in {out}; the numbers are in {out / 'summary.json'}.")


@app.command()
def check(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and findings as JSON.")] = False,
) -> None:
    """Say what the data of PLAN holds and what would go wrong, before anything is trained."""
    report = check_plan(read_plan(plan_file), data_root)
    typer.echo(json.dumps({**asdict(report), "fails": report.fails}, indent=2) if as_json else _report_text(report))
    if report.fails:
        raise typer.Exit(EXIT_MISTAKE)


@app.command()
def export(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the merchants' folders.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    merchants: Annotated[int | None, typer.Option(min=1, help="Only so many, the largest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the rows of each merchant of PLAN to a file of its own, to try the network with."""
    sizes = export_merchants(read_plan(plan_file), data_root, out, merchants=merchants)
    if as_json:
        typer.echo(json.dumps(sizes, indent=2))
    for name, size in {} if as_json else sizes.items():
        typer.echo(f"{out / name / 'sales.csv'}: {size} entities")


@app.command()
def federation(
    out: Annotated[Path, typer.Option(help="New folder for the coordinator's and the merchants' folders.")],
    plan_file: Annotated[Path, typer.Option("--plan", help="The plan to launch.")] = Path("plans/federation.toml"),
    source_file: Annotated[Path, typer.Option("--from", help="The plan whose merchants take part.")] = Path(
        "plans/demo.toml"
    ),
    merchants: Annotated[int, typer.Option(min=2, help="How many, the largest.")] = 5,
    epsilon: Annotated[float, typer.Option(min=0.1, max=32.0, help="What each gives to the plan.")] = 8.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a federation of separate processes over TLS on this machine, and show what each merchant forecasts."""
    console = Console(stderr=as_json)
    said = run_evening(plan_file, source_file, out, merchants=merchants, epsilon=epsilon, console=console)
    if as_json:
        typer.echo(json.dumps(said, indent=2))
        return
    seconds = [line["seconds"] for line in said["launch"]["last_rounds"]]
    typer.echo(
        f"{said['launch']['round']} rounds over TLS, the last {len(seconds)} took {sum(seconds) / len(seconds):.2f} s "
        f"each; {said['seconds']:.0f} s with everything. Every ledger, model and forecast is in {out}."
    )


def _report_text(report: Report) -> str:
    width = max((len(name) for name in report.facts), default=0)
    facts = [f"{name:{width}}  {value}" for name, value in report.facts.items()]
    findings = [f"{finding.severity}: {finding.sentence}" for finding in report.findings]
    return "\n".join([*facts, "", *(findings or ["Nothing to complain of."])])


@app.command()
def plan(
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out.")] = None,
) -> None:
    """Write a commented starter plan."""
    text = files("simulation").joinpath("starter.toml").read_text()
    if out is None:
        typer.echo(text, nl=False)
    elif out.exists():
        raise ConfigError(f"{out} exists already; choose another --out.")
    else:
        _write(out, text)
        typer.echo(f"Wrote {out}; describe your columns in it, then: hansa-sim run {out} --out runs/first")


@app.command()
def warm(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan whose model has the shape wanted.")],
    out: Annotated[Path | None, typer.Option(help="File to write; hansa's own public model if left out.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and of the invented worlds.")] = 0,
) -> None:
    """Make the public model that a federation of PLAN's shape may start from, out of invented demand."""
    torch.set_num_threads(1)
    plan = read_plan(plan_file)
    path = out or warm_path(plan.model)
    with ProgressBar(Console(stderr=True)) as display:
        model, series = train_warm(
            plan.model,
            num_steps=steps,
            seed=seed,
            on_step=lambda step, loss: display.show(step / steps, f"loss {loss:.4f}"),
        )
    try:
        save_warm(model, series, path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"Cannot write {path}: {error}; choose another --out.") from error
    typer.echo(f'Wrote {path}; plans of this shape start there with federation.start = "warm".')


@app.command()
def newcomer(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    days: Annotated[int, typer.Option(min=1, help="Days of history that every merchant has.")] = 14,
    origins: Annotated[str, typer.Option(help="Dates, separated by commas; the plan's origins if left out.")] = "",
    rounds: Annotated[int, typer.Option(min=0, help="Also train as many rounds from both starts.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the cold start's weights.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write table and curves as a page, a .html file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say what serves a merchant of PLAN on its first days, and how many rounds the public model saves."""
    torch.set_num_threads(1)
    if out is not None and out.suffix != ".html":
        raise ConfigError(f"--out {out} must end in .html.")
    plan = read_plan(plan_file)
    panel = load_panel(plan, data_root)
    trials = [make_trial(plan, panel, origin) for origin in read_origins(origins) or plan.evaluation.origins]
    scores = [score_newcomers(trial, days) for trial in trials]
    race = race_starts(trials[0], num_rounds=rounds, seed=seed) if rounds else None
    found = describe_newcomers(plan, scores, days=days, race=race)
    if out is not None:
        _write(out, make_newcomer_page(found))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    Console(width=PIPE_WIDTH).print(make_newcomer_table(found))
    if race is not None:
        typer.echo(say_race(found["race"]))


def read_origins(text: str) -> tuple[date, ...]:
    """Read dates that stand between commas."""
    try:
        return tuple(date.fromisoformat(word.strip()) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise ConfigError(f"--origins {text} is no list of dates: write 2011-06-12,2011-09-10.") from error


@app.command()
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


def say_answer(run: Evidence) -> None:
    """Say the answer in words and where the page is."""
    said = verdict(run.plan, run.summary["answer"], run.metrics[0])
    typer.echo(f"Is it worth joining? {said.word} {said.sentence} {said.ground}")
    typer.echo(f"The whole answer is in {run.path / 'report.html'}.")


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of two or more runs.")],
    out: Annotated[Path | None, typer.Option(help="Also write the comparison as a page, a .html file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Set runs side by side: what differs between them, and every metric with its difference to the first."""
    if len(folders) < 2:
        raise ConfigError("compare needs two runs or more; give another DIR.")
    if out is not None and out.suffix != ".html":
        raise ConfigError(f"--out {out} must end in .html.")
    runs = [read_evidence(folder) for folder in folders]
    compared, labels = compare_runs(runs), label_runs(runs)
    if out is not None:
        _write(out, make_comparison_page(compared, labels))
    if as_json:
        typer.echo(json.dumps(compared, indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(make_difference_table(compared, labels), make_comparison_table(compared, labels))


@app.command()
def table(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of finished runs.")],
    metrics: Annotated[str, typer.Option(help="Metrics, separated by commas; the main ones if left out.")] = "",
    into: Annotated[Path | None, typer.Option(help="Put the tables between the two marks of this file.")] = None,
) -> None:
    """Print the main metrics of runs as Markdown tables."""
    chosen = [name.strip() for name in metrics.split(",") if name.strip()]
    text = make_markdown([read_evidence(folder) for folder in folders], chosen)
    if into is None:
        typer.echo(text, nl=False)
    else:
        put_into(text, into)


@app.command()
def audit(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    level: Annotated[
        str, typer.Option(help=f"Levels, separated by commas, out of {', '.join(ALL_LEVELS)}.")
    ] = ",".join(LEVELS),
    merchant: Annotated[str, typer.Option(help="Merchant to audit; the smallest with two entities if left out.")] = "",
    epsilon: Annotated[
        float | None, typer.Option(min=0.01, help="The promise; the plan's strictest method if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Look for a broken promise at one merchant of PLAN; exit code 1 says that one was found."""
    torch.set_num_threads(1)
    levels = tuple(name.strip() for name in level.split(","))
    report = audit_plan(read_plan(plan_file), data_root, levels=levels, merchant=merchant, epsilon=epsilon)
    typer.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    if not report.clean:
        raise typer.Exit(EXIT_VIOLATION)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise ConfigError(f"Cannot write {file}: {error.strerror}; choose another --out.") from error


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="Parts, separated by commas; all but reference if left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the parts that use more than one.")] = 2,
    patience: Annotated[float, typer.Option(min=0.0, help="Seconds to repeat each measurement for.")] = 5.0,
    quick: Annotated[bool, typer.Option("--quick", help="A few small points, to see that it runs.")] = False,
    read: Annotated[Path | None, typer.Option(help="Show a document that --json printed; measure nothing.")] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, misses in bold.")] = False,
) -> None:
    """Measure what private training costs, beside other ways to do it."""
    torch.set_num_threads(1)
    parts = tuple(name.strip() for name in only.split(",") if name.strip()) or DEFAULT_PARTS
    if read is not None:
        document = read_document(read)
    else:
        document = run_parts(parts, quick=quick, patience_seconds=patience, num_threads=threads)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    elif as_markdown:
        typer.echo(make_ratio_markdown(document), nl=False)
    else:
        Console(width=PIPE_WIDTH).print(make_ratio_table(document))


def choose_device(name: str) -> torch.device:
    """Take the GPU if there is one and nothing else was asked for."""
    if name not in {"auto", "cpu", "cuda"}:
        raise ConfigError(f"--device {name} is none of auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: this machine shows no CUDA device; use --device auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_cluster(engine: str, address: str, out: Path) -> Cluster | None:
    """Give the cluster that federations run on, once it is known to answer; None for the fast engine."""
    if engine not in {"fast", "flower"}:
        raise ConfigError(f"--engine {engine} is none of fast, flower.")
    if engine == "fast":
        if address:
            raise ConfigError("--ray-address goes with --engine flower; add that, or leave the address out.")
        return None
    cluster = Cluster(address or os.environ.get("RAY_ADDRESS", ""), out / "flower.log")
    check_cluster(cluster)
    return cluster


def main() -> None:
    """Run the command line; a mistake is one sentence and exit code 2, Ctrl-C is exit code 130."""
    try:
        app(standalone_mode=True)
    except HansaError as error:
        typer.echo(f"hansa-sim: {error}", err=True)
        sys.exit(EXIT_MISTAKE)
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:  # typer makes this of Ctrl-C and says nothing
            typer.echo("hansa-sim: stopped; what is done is kept, go on with the same command and --resume.", err=True)
        raise
