"""Measure what private training costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from simulation.bench.document import DEFAULT_PARTS, make_table, read_document, run_parts
from simulation.bench.markdown import make_markdown
from simulation.command.terminal import PIPE_WIDTH, split_words


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
    parts = split_words(only) or DEFAULT_PARTS
    if read is not None:
        document = read_document(read)
    else:
        document = run_parts(parts, quick=quick, patience_seconds=patience, num_threads=threads)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    elif as_markdown:
        typer.echo(make_markdown(document), nl=False)
    else:
        Console(width=PIPE_WIDTH).print(make_table(document))
