"""The edge of a program: whatever a command raises becomes one sentence and an exit code.

| code | what it says |
|---|---|
| 0 | done |
| 1 | done, and the answer is no: a violation was found, a card is untrue, a plan is not allowed |
| 2 | something in the command, a file or the data is wrong |
| 130 | stopped by Ctrl-C |
| 141 | whoever read the output went away, as `| head` does |
| 143 | stopped by SIGTERM |
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Final

from common.command.signals import ENDINGS, EXIT_INTERRUPTED, hearing_signals
from common.errors import HansaError

if TYPE_CHECKING:
    from click import ClickException

EXIT_NO: Final = 1
EXIT_MISTAKE: Final = 2
EXIT_UNREAD: Final = 141
LEFT_BY_A_SIGNAL: Final = r"\d+ tasks (which were still being processed|have been successfully executed)"  # joblib


def run_program(name: str, module: str) -> None:
    """Run a command line, and end the process with its exit code.

    Parameters
    ----------
    name
        What the program is called.
    module
        Where its `app` is; imported here, so that a signal meanwhile is one sentence too.
    """
    warnings.filterwarnings("ignore", LEFT_BY_A_SIGNAL, UserWarning)
    with hearing_signals(name) as heard:
        try:
            code = _run(name, module)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
            code = EXIT_UNREAD
        except OSError as error:  # of a disk or an output, where no command knew better
            _forget_output()
            _complain(f"{name}: {_explain_system(error)}")
            code = EXIT_MISTAKE
        except SystemExit as stop:  # typer and rich make 1 of a broken pipe, which is "no" here
            if not isinstance(stop.__context__, BrokenPipeError):
                raise
            _forget_output()
            code = EXIT_UNREAD
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
        except HansaError as error:
            _complain(f"{name}: {error}")
            sys.exit(EXIT_MISTAKE if heard.number is None else ENDINGS[heard.number][1])
        if heard.number is not None:
            word, code = ENDINGS[heard.number]
            _complain(f"{name}: stopped by {word}.")
    sys.exit(code)


def _run(name: str, module: str) -> int:
    app = import_module(module).app
    from click import ClickException  # comes with the commands

    from common.command.help import make_command

    try:
        code = make_command(app).main(prog_name=name, standalone_mode=False)
    except ClickException as error:
        _explain(name, error)
        return EXIT_MISTAKE
    return code if isinstance(code, int) else 0


def _explain(name: str, error: ClickException) -> None:
    """Say in one sentence what was typed wrong, and where to read on; a program typed alone shows its help."""
    from click.exceptions import NoArgsIsHelpError

    if isinstance(error, NoArgsIsHelpError):
        _complain(error.format_message())
        return
    context = getattr(error, "ctx", None)
    path = name if context is None else context.command_path
    _complain(f"{name}: {error.format_message()} See: {path} --help")


def _explain_system(error: OSError) -> str:
    what = "write what it has to say" if error.filename is None else f"use {error.filename}"
    return f"Cannot {what}: {error.strerror or error}; make room, or see who may read and write there."


def _complain(sentence: str) -> None:
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        _forget_output()


def _forget_output() -> None:
    """Let what is still in the buffers go nowhere, or Python complains at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
