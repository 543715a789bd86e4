"""Progress of a run: a live bar on a terminal; where nobody watches a line per part, and now and then one inside."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from simulation.experiment.folder import Part

LINE_SECONDS: Final = 15.0  # between two lines inside a part


class ProgressBar:
    """One bar for the part in work; finished parts stay above it as lines.

    Parameters
    ----------
    line_seconds
        Least time between two lines inside a part where there is no terminal.
    """

    def __init__(self, console: Console, *, line_seconds: float = LINE_SECONDS) -> None:
        self._console, self._line_seconds = console, line_seconds
        self._label, self._said, self._said_at = "", "", time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column()),  # a column of one's own wraps where it is narrow
            BarColumn(bar_width=24 if console.width >= 100 else 8),
            TextColumn("{task.fields[text]}", table_column=Column()),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=1.0, text="")

    def __enter__(self) -> ProgressBar:
        """Show the bar."""
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._console.is_terminal:
            self._progress.stop()

    def start(self, part: Part, done: int, parts: int) -> None:
        """Tell that a part begins."""
        self.begin(f"[{done + 1}/{parts}] {part.method.name}, origin {part.origin}, seed {part.seed}")

    def begin(self, label: str) -> None:
        """Tell that something begins."""
        self._label = label
        self._say(label)
        self._progress.reset(self._task, description=label, text="")

    def follow(self, label: str, share: float) -> None:
        """Tell how far something is that begins where its label is new."""
        if label != self._label:
            self.begin(label)
        self.show(share, "")

    def show(self, share: float, text: str) -> None:
        """Tell how far it is."""
        self._progress.update(self._task, completed=share, text=text)
        if time.monotonic() - self._said_at >= self._line_seconds:
            self._say(f"{self._label}: {share:.0%}  {text}".rstrip())

    def note(self, sentence: str) -> None:
        """Write a sentence that stays, on a terminal above the bar."""
        self._console.print(sentence, soft_wrap=True, markup=False)

    def _say(self, line: str) -> None:
        """Write a line where there is no terminal, and not twice."""
        if not self._console.is_terminal and line != self._said:
            self._console.print(line, soft_wrap=True, markup=False)
        self._said, self._said_at = line, time.monotonic()
