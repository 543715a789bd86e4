"""Measure what private training costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from simulation.command.terminal import split_words


def bench(
    only: Annotated[str, typer.Option(help="Parts, separated by commas; all but reference if left out.")] = "",
    as_json: JsonOption = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the parts that use more than one.")] = 2,
    patience: Annotated[float, typer.Option(min=0.0, help="Seconds to repeat each measurement for.")] = 5.0,
    lines: Annotated[int, typer.Option(min=1000, help="Order lines of reading and bulk.")] = 1_000_000,
    mlserver: Annotated[
        Path | None, typer.Option(help="The command mlserver, to hold serving against.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few small points, to see that it runs.")] = False,
    read: Annotated[Path | None, typer.Option(help="Show a document that --json printed; measure nothing.")] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, misses in bold.")] = False,
) -> None:
    """Measure what private training costs.

    Other ways to do it are measured beside it.
    """
    import torch  # heavy, as is what follows

    from simulation.bench.document import DEFAULT_PARTS, make_table, read_document, run_parts
    from simulation.bench.markdown import make_markdown

    torch.set_num_threads(1)
    parts = split_words(only) or DEFAULT_PARTS
    if read is not None:
        document = read_document(read)
    else:
        document = run_parts(
            parts, quick=quick, patience_seconds=patience, num_threads=threads, lines=lines, mlserver=mlserver
        )
    if as_json:
        print_json(document)
    elif as_markdown:
        typer.echo(make_markdown(document), nl=False)
    else:
        print_table(make_console(), make_table(document))
