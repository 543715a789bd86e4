import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.folder import CoordinatorFolder, Settings
from server.founding import make_federation
from server.process.supervisor import KEPT_LOGS, Child, Supervisor, keep_log
from simulation.localhost.processes import free_port

LISTENING = (
    "import socket, time; s = socket.create_server(('127.0.0.1', {port})); print('up', flush=True); time.sleep(60)"
)
SLEEPING = "import time; print('nothing is wrong', flush=True); time.sleep(60)"


def test_a_log_stays_below_its_bound_whatever_is_said(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    log = tmp_path / "gateway.log"
    keeper = threading.Thread(target=keep_log, args=(os.fdopen(reading, "rb"), log), kwargs={"most_bytes": 10_000})
    keeper.start()
    with os.fdopen(writing, "wb") as said:
        for number in range(5_000):
            said.write(f"line {number}\n".encode())
        said.write(b"x" * 300_000 + b"\n\xff\xfe not text\n")
    keeper.join(60)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + KEPT_LOGS
    assert sum(file.stat().st_size for file in files) < (1 + KEPT_LOGS) * 80_000
    assert log.read_text().splitlines()[-1].endswith("not text")


def test_what_a_process_said_last_is_in_its_log_when_it_has_ended(tmp_path: Path) -> None:
    code = "import sys; print('one'); print('the last word', file=sys.stderr, end='')"
    child = Child("gateway", [sys.executable, "-c", code], tmp_path / "gateway.log")
    assert child.last_words == "nothing"
    child.start()
    assert child.process is not None
    child.process.wait(60)
    assert child.last_words == "the last word"
    assert (tmp_path / "gateway.log").read_text().splitlines() == ["one", "the last word"]


def test_a_process_whose_log_cannot_be_written_goes_on(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = f"for number in range(20000): print('x' * 100)\nopen({str(done)!r}, 'w').close()"
    child = Child("gateway", [sys.executable, "-c", code], tmp_path / "nowhere" / "gateway.log")
    child.start()
    assert child.process is not None
    assert child.process.wait(30) == 0
    assert done.exists()


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from server.process.supervisor import Child\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"child = Child('sleeper', command, Path({str(tmp_path)!r}) / 'log')\n"
        "child.start(); print(child.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    process = int(parent.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}/stat").exists() and "sleep(60)" in Path(f"/proc/{process}/cmdline").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_is_set_down_with_the_superlink_is_not_said_to_have_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = make_supervisor(tmp_path)
    running = threading.Thread(target=supervisor.run, daemon=True)
    running.start()
    try:
        await_true(lambda: all(child.is_alive for child in supervisor.children))
        superlink, coordinator = supervisor.superlink.process, supervisor.coordinator.process
        assert superlink is not None
        superlink.kill()
        await_true(
            lambda: supervisor.coordinator.process not in (None, coordinator) and supervisor.coordinator.is_alive
        )
    finally:
        supervisor.stop()
        running.join(30)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["The SuperLink ended; it is started again, and the coordinator with it."]


def make_supervisor(folder: Path) -> Supervisor:
    """Make one whose processes do nothing but be there."""
    home, port = CoordinatorFolder(folder / "coordinator"), free_port()
    settings = Settings(
        name="still", hosts=("127.0.0.1",), bind="127.0.0.1", gateway_port=port, superlink_port=port + 1,
        status_port=port + 2,
    )  # fmt: skip
    make_federation(home, settings)
    supervisor = Supervisor(home, settings)
    supervisor.superlink.command = [sys.executable, "-c", LISTENING.format(port=settings.superlink_port)]
    for child in (supervisor.gateway, supervisor.coordinator):
        child.command = [sys.executable, "-c", SLEEPING]
    return supervisor


def await_true(look: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)
