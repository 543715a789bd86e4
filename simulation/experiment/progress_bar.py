"""Progress of a run: a live bar on a terminal, a line per part where nobody watches."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from simulation.experiment.folder import Part


class ProgressBar:
    """One bar for the part in work; finished parts stay above it as lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=1.0, text="")

    def __enter__(self) -> ProgressBar:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._progress.stop()

    def start(self, part: Part, done: int, parts: int) -> None:
        """Tell that a part begins."""
        label = f"[{done + 1}/{parts}] {part.method.name}, origin {part.origin}, seed {part.seed}"
        if not self._console.is_terminal:
            self._console.print(label)
        self._progress.reset(self._task, description=label, text="")

    def show(self, share: float, text: str) -> None:
        """Tell how far the part is."""
        self._progress.update(self._task, completed=share, text=text)
