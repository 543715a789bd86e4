r"""What typer 0.20 and click make of a command line, mended where they and their neighbours do not fit together.

- With click 8.5, which keeps the help of arguments itself, an argument loses it; given it back, click shows it too.
- click takes `nan` for a number between 0 and 1, and `inf` for one of at least 0: no option here means either.
- With rich installed, every `[default: 1]` of a plain page is written `\[default: 1]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from typer import Typer
from typer.core import TyperArgument
from typer.main import get_command
from typer.models import ParameterInfo
from typer.utils import get_params_from_function

SAID_TWICE: Final = "Positional arguments"  # click's section; typer's is called Arguments


class _PlainFormatter(click.HelpFormatter):
    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        written = list(self.buffer)
        with super().section(name):
            yield
        if name == SAID_TWICE:
            self.buffer = written

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(term, text.replace("\\[", "[")) for term, text in rows], col_max, col_spacing)


class _PlainContext(click.Context):
    formatter_class = _PlainFormatter


class _FiniteRange(click.FloatRange):
    """A range of numbers, that nothing but numbers lie in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


def make_command(app: Typer) -> click.Command:
    """Make the command line of an app, with help pages that say all that was written for them."""
    command = get_command(app)
    _mend(command)
    return command


def _mend(command: click.Command) -> None:
    command.context_class = _PlainContext
    declared = get_params_from_function(command.callback) if command.callback else {}
    for parameter in command.params:
        info = declared[str(parameter.name)].default if parameter.name in declared else None
        if isinstance(parameter, TyperArgument) and isinstance(info, ParameterInfo):
            parameter.help = parameter.help or info.help
        if isinstance(parameter.type, click.FloatRange):
            of = parameter.type
            parameter.type = _FiniteRange(of.min, of.max, of.min_open, of.max_open, of.clamp)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _mend(inner)
