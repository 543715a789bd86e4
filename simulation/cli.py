"""hansa-sim: a whole federation in one process, for the researcher."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from client.check.report import Report
from common.errors import ConfigError, HansaError
from common.plan import read_plan
from simulation.check import check_plan
from simulation.display import ProgressBar
from simulation.folder import RunFolder
from simulation.method import check_methods
from simulation.run import run_plan
from simulation.summary import make_table

EXIT_MISTAKE, EXIT_INTERRUPTED = 2, 130
PIPE_WIDTH = 120  # of a table that goes to a file or a pipe

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
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that the folder holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of a table.")] = False,
) -> None:
    """Run every method of PLAN at every origin and compare them."""
    torch.set_num_threads(1)  # the engine has threads of its own; torch's would contend with them
    plan = read_plan(plan_file)
    methods = tuple(name.strip() for name in only.split(",") if name.strip()) or plan.evaluation.methods
    check_methods(methods, plan)
    chosen_device = choose_device(device)
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
        )
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        console.print(make_table(summary, plan.evaluation.task))
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


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise ConfigError(f"Cannot write {file}: {error.strerror}; choose another --out.") from error


def choose_device(name: str) -> torch.device:
    """Take the GPU if there is one and nothing else was asked for."""
    if name not in {"auto", "cpu", "cuda"}:
        raise ConfigError(f"--device {name} is none of auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: this machine shows no CUDA device; use --device auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


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
