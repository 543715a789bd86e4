"""Ctrl-C and SIGTERM, from the first moment: nothing is imported here that Python has not imported for itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
ENDINGS = {signal.SIGINT: ("Ctrl-C", EXIT_INTERRUPTED), signal.SIGTERM: ("SIGTERM", EXIT_TERMINATED)}
PATIENCE_SECONDS = 2.0  # a second signal that comes later ends the process at once
IMPORT_MACHINERY = "<frozen importlib._bootstrap>"


class Heard:
    """The first signal that asked the program to end; no dataclass, whose import takes longer than all the rest."""

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
            if heard.number is not None and _is_ours(handler):
                signal.signal(number, signal.SIG_IGN)  # the program is ending: another signal has nothing to add
            elif signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


def _is_ours(handler: object) -> bool:
    """Whether a program hears signals already, around the part of it that ends here."""
    return getattr(handler, "__qualname__", "").startswith(hearing_signals.__name__)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_MACHINERY:
            return True
        frame = frame.f_back
    return False
