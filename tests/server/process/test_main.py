"""What the coordinator's processes write into their logs."""

import subprocess
import sys

SAYING = """
import logging
from server.process.__main__ import start_logging
start_logging()
talkative = logging.getLogger("flwr")
talkative.setLevel(logging.DEBUG)  # as Flower does when it is imported
talkative.debug("[flwr-serverapp] Connected")
logging.getLogger("alembic.runtime.plugins").info("setup plugin")
logging.getLogger("torch._subclasses.fake_tensor").info("FakeTensor cache stats:")
talkative.warning("Something is odd")
logging.getLogger("server.coordinator.loop").info("The coordinator is ready.")
logging.getLogger("__main__").error("Cannot go on.")
"""


def test_libraries_below_write_warnings_alone_into_our_logs() -> None:
    said = subprocess.run([sys.executable, "-c", SAYING], capture_output=True, text=True, check=True)
    lines = [line.split(" ", 2)[2] for line in said.stdout.splitlines()]
    assert lines == ["WARNING Something is odd", "INFO The coordinator is ready.", "ERROR Cannot go on."]


INTERRUPTED = """
import os, signal, sys
import server.process.__main__ as program
program._run = lambda what, home: os.kill(os.getpid(), signal.SIGINT)  # what Flower does on a 401 of the SuperLink
sys.argv = ["server.process", "coordinator", "."]
program.main()
"""


def test_a_process_that_flower_interrupts_says_one_sentence() -> None:
    said = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert said.returncode == 2
    (line,) = (said.stdout + said.stderr).splitlines()
    assert "The coordinator was interrupted" in line
    assert "no round is lost" in line


THREAD = """
import threading
import server.process.__main__ as program
program.start_logging()
thread = threading.Thread(target=lambda: 1 / 0, name="heartbeat")
thread.start()
thread.join()
"""


def test_a_thread_that_fails_says_one_sentence() -> None:
    said = subprocess.run([sys.executable, "-c", THREAD], capture_output=True, text=True)
    (line,) = (said.stdout + said.stderr).splitlines()
    assert "A thread (heartbeat) ended with ZeroDivisionError" in line
