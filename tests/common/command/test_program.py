"""The edge of a program, with real processes: signals, broken pipes, mistakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
from common.command.signals import hearing_signals
with hearing_signals("hansa-try"):
    from common.command.program import run_program
    run_program("hansa-try", "try_app")
"""
APP = """
import sys, time
if "slow-to-load" in sys.argv:
    import slow_to_load
from common.command.app import VersionOption, make_app
from common.errors import ConfigError
app = make_app("Try the edge.", completion=True)

@app.callback()
def _take_version(version: VersionOption = False) -> None:
    pass

@app.command()
def sleep() -> None:
    print("ready", flush=True)
    time.sleep(60)

@app.command()
def spread() -> None:
    from joblib import Parallel, delayed
    for _ in Parallel(2, return_as="generator")(delayed(time.sleep)(pause) for pause in (0, 0, 60, 60, 60)):
        print("ready", flush=True)

@app.command()
def spread_unread() -> None:
    from joblib import Parallel, delayed
    for _ in Parallel(2, return_as="generator")(delayed(time.sleep)(pause) for pause in (0, 0, 60, 60, 60)):
        time.sleep(1)  # until the second is done, too
        print("ready", flush=True)
        time.sleep(60)

@app.command()
def fail() -> None:
    raise ConfigError("The shop is closed; come back tomorrow.")

@app.command()
def count(number: int) -> None:
    for line in range(number):
        print(line)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the program as a process with a session of its own."""
    (tmp_path / "slow_to_load.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    (tmp_path / "try_app.py").write_text(APP)
    (tmp_path / "program.py").write_text(PROGRAM)
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, stdout: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, tmp_path / "program.py", *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": f"{ROOT}"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


def session_of(number: int) -> list[str]:
    """Processes that are left of a session."""
    found = subprocess.run(["ps", "-e", "-o", "sid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in found.splitlines()]
    return [row[2] for row in rows if int(row[0]) == number and not row[1].startswith("Z")]


@pytest.mark.parametrize("command", ["slow-to-load", "sleep", "spread", "spread-unread"])
@pytest.mark.parametrize(("number", "code", "word"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_at_any_moment_is_one_sentence_and_leaves_no_process(
    start: Callable[..., subprocess.Popen[str]], command: str, number: signal.Signals, code: int, word: str
) -> None:
    process = start(command)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    returned, _, error = finish(process)
    assert (returned, error) == (code, f"hansa-try: stopped by {word}.\n")
    deadline = time.monotonic() + 10
    while session_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert session_of(process.pid) == []


def test_a_signal_that_comes_twice_at_once_is_one(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("sleep")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    returned, _, error = finish(process)
    assert (returned in {130, 143}, error.count("\n")) == (True, 1)


def test_a_reader_that_goes_away_is_no_mistake(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("count", "1000000")
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(60) == 141


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("fail",), "hansa-try: The shop is closed; come back tomorrow.\n"),
        (("count",), "hansa-try: Missing argument 'NUMBER'. See: hansa-try count --help\n"),
        (("count", "many"), "'many' is not a valid integer. See: hansa-try count --help\n"),
        (("count", "1", "--all"), "hansa-try: No such option '--all'. See: hansa-try count --help\n"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(
    start: Callable[..., subprocess.Popen[str]], words: tuple[str, ...], sentence: str
) -> None:
    returned, out, error = finish(start(*words))
    assert (returned, out) == (2, "")
    assert error.endswith(sentence)
    assert error.count("\n") == 1


def test_what_is_nearly_a_command_is_suggested_once(start: Callable[..., subprocess.Popen[str]]) -> None:
    returned, _, error = finish(start("cuont"))
    assert (returned, error.count("\n")) == (2, 1)
    assert error.count("Did you mean") <= 1  # click below 8.5 suggests nothing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a file that is always full")
@pytest.mark.parametrize("number", ["1", "100000"])
def test_an_output_that_is_full_is_one_sentence(start: Callable[..., subprocess.Popen[str]], number: str) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("count", number, stdout=full)
        _, said = process.communicate(timeout=60)
    assert said == (
        "hansa-try: Cannot write what it has to say: No space left on device; make room, or see who may read and "
        "write there.\n"
    )
    assert process.returncode == 2
