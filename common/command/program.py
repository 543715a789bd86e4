"""The edge of a program: whatever a command raises becomes one sentence and an exit code.

| code | what it says |
|---|---|
| 0 | done |
| 1 | done, and the answer is no: a violation was found, a card is untrue, a plan is not allowed |
| 2 | something in the command, a file or the data is wrong |
| 130 | stopped by Ctrl-C |
| 141 | whoever read the output went away, as `| head` does |
| 143 | stopped by SIGTERM |

Nothing heavy is imported here: a program is ready for Ctrl-C before it reads its own commands.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from common.errors import HansaError

if TYPE_CHECKING:
    from click import ClickException
    from typer import Typer

EXIT_NO: Final = 1
EXIT_MISTAKE: Final = 2
EXIT_INTERRUPTED: Final = 130
EXIT_UNREAD: Final = 141
EXIT_TERMINATED: Final = 143
ENDINGS: Final = {signal.SIGINT: ("Ctrl-C", EXIT_INTERRUPTED), signal.SIGTERM: ("SIGTERM", EXIT_TERMINATED)}
PATIENCE_SECONDS: Final = 2.0  # a second signal that comes later ends the process at once
IMPORT_MACHINERY: Final = "<frozen importlib._bootstrap>"


def run_program(name: str, load_app: Callable[[], Typer]) -> None:
    """Run a command line, and end the process with its exit code.

    Parameters
    ----------
    name
        What the program is called.
    load_app
        Imports the commands; from here on a signal is one sentence.
    """
    with hearing_signals(name) as heard:
        try:
            code = _run(name, load_app)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
            code = EXIT_UNREAD
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


class Heard:
    """The first signal that asked the program to end; no dataclass, whose import takes as long as all the rest here."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self.at = 0.0


@contextmanager
def hearing_signals(name: str) -> Iterator[Heard]:
    """Turn Ctrl-C and SIGTERM into KeyboardInterrupt, so that both undo what is half done and stop every worker.

    Notes
    -----
    While a module is imported there is nothing to undo, and an exception may be lost: Python prints and drops what
    is raised in a callback of the import's locks. So the process ends there and then. A signal that the starter of
    the process chose to ignore stays ignored.
    """
    heard = Heard()

    def hear(number: int, frame: FrameType | None) -> None:
        first, now = heard.number is None, time.monotonic()
        word, code = ENDINGS[signal.Signals(number)]
        if not first and now - heard.at < PATIENCE_SECONDS:
            return  # `timeout` sends each signal twice
        heard.number = heard.number or signal.Signals(number)
        if not first or _is_importing(frame):
            os.write(2, f"{name}: stopped by {word}.\n".encode())
            os._exit(code)
        heard.at = now
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, hear)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_MACHINERY:
            return True
        frame = frame.f_back
    return False


def _run(name: str, load_app: Callable[[], Typer]) -> int:
    app = load_app()
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


def _complain(sentence: str) -> None:
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        _forget_output()


def _forget_output() -> None:
    """Let what is still in the buffers go nowhere, or Python complains at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
