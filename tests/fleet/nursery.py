"""Many daemons on one machine: forked from one process that has imported everything, so that they share its memory.

Each is a process with a folder, keys, a ledger and a line of its own, and does what `hansa-client` does; what it does
without is importing PyTorch by itself, for seconds and 200 MB. So it says nothing of how a daemon starts, and
its own memory is what it does not share. This file is also the program of that one process: it reads the words of
a command a line, and a log file, and gives back a process id; when nothing more can come it ends all, and gives their
exit codes.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class Nursery:
    """Start and end such daemons."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", __file__]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def start(self, folder: Path, *options: str) -> int:
        """Start a daemon; return its process id."""
        words = ["run", "--folder", str(folder), "--data-root", str(folder), "--device", "cpu", *options]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(folder / "process.log"), words]) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> list[int]:
        """End all by SIGTERM; return their exit codes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        codes: list[int] = json.loads(self._read())
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
        return codes

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def main() -> None:
    import client.cli
    import client.daemon.handlers
    import client.daemon.loop  # noqa: F401  imported here for all

    gc.collect()
    gc.freeze()
    processes = []
    for line in sys.stdin:
        log, words = json.loads(line)
        processes.append(fork(log, words))
        print(processes[-1], flush=True)  # noqa: T201
    for process in processes:
        os.kill(process, signal.SIGTERM)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]))  # noqa: T201


def fork(log: str, words: Sequence[str]) -> int:
    process = os.fork()
    if process:
        return process
    with open(os.devnull) as nothing, open(log, "ab") as said:
        os.dup2(nothing.fileno(), 0)
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    sys.argv, sys.orig_argv = ["hansa-client", *words], [sys.executable, "-m", "client", *words]
    from client.__main__ import main as run

    try:
        run()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    finally:
        os._exit(70)


if __name__ == "__main__":
    main()
