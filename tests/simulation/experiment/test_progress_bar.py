import io
from contextlib import suppress
from datetime import date

import pytest
from rich.console import Console

from common.forecast.method import Method
from simulation.experiment.folder import Part
from simulation.experiment.progress_bar import ProgressBar

FIRST = Part(Method("anchor"), date(2024, 2, 6), 0)
SECOND = Part(Method("federated", 8.0), date(2024, 2, 6), 1)


@pytest.fixture
def show():
    """Show two parts on a console and give what was written."""

    def written(**console):
        file = io.StringIO()
        with ProgressBar(Console(file=file, width=120, **console)) as display:
            display.start(FIRST, 0, 2)
            display.show(1.0, "")
            display.start(SECOND, 1, 2)
            display.show(0.5, "round 1/2  loss 0.1234")
        return file.getvalue()

    return written


def test_where_nobody_watches_each_part_is_one_line(show):
    assert show(force_terminal=False).split("\n")[:2] == [
        "[1/2] anchor, origin 2024-02-06, seed 0",
        "[2/2] federated_eps8, origin 2024-02-06, seed 1",
    ]


def test_where_nobody_watches_no_bar_is_written(show):
    written = show(force_terminal=False)
    assert "\x1b" not in written
    assert "loss" not in written


def test_where_nobody_watches_a_long_part_says_now_and_then_how_far_it_is_and_nothing_twice():
    file = io.StringIO()
    with ProgressBar(Console(file=file, width=40, force_terminal=False), line_seconds=0.0) as display:
        display.start(SECOND, 1, 2)
        for share in (0.5, 0.5, 0.5, 0.75):
            display.show(share, "round 1/2")
    label = "[2/2] federated_eps8, origin 2024-02-06, seed 1"
    assert file.getvalue().splitlines() == [label, f"{label}: 50%  round 1/2", f"{label}: 75%  round 1/2"]


def test_on_a_terminal_the_bar_says_part_round_and_loss_and_leaves_no_trace(show):
    written = show(force_terminal=True, force_interactive=True)
    assert "[2/2] federated_eps8, origin 2024-02-06, seed 1" in written
    assert "round 1/2  loss 0.1234" in written
    assert written.endswith("\x1b[2K")  # the bar's line is erased


def test_a_run_that_fails_gives_the_terminal_back():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, force_interactive=True)
    with suppress(KeyboardInterrupt), ProgressBar(console) as display:
        display.start(FIRST, 0, 1)
        raise KeyboardInterrupt
    assert file.getvalue().rfind("\x1b[?25h") > file.getvalue().rfind("\x1b[?25l")  # the cursor shows again
