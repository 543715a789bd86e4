"""Commands typed in this process: the `main` that the scripts call, without the second or two that a process costs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any
from unittest import mock

from common.errors import HansaError
from simulation.localhost.processes import Processes


def type_here(main: Callable[[], None], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command line, and give its exit code and what it said, as of a process of its own."""
    said, complained = io.StringIO(), io.StringIO()
    code: object = 0
    with mock.patch.object(sys, "argv", ["hansa", *words]), redirect_stdout(said), redirect_stderr(complained):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(words, int(str(code or 0)), said.getvalue(), complained.getvalue())


class TypedFederation(Processes):
    """A federation of real processes, in which the commands of the coordinator and of most merchants are typed here.

    `init`, and all that the first merchant types, are processes of their own.
    """

    def server(self, *words: str) -> dict[str, Any]:
        from server.cli import main

        if words[0] == "init":
            return super().server(*words)
        said: dict[str, Any] = _read(type_here(main, *words, "--folder", str(self.coordinator), "--json"))
        return said

    def client(self, merchant: str, *words: str) -> Any:
        from client.cli import main

        if merchant.endswith("-0"):
            return super().client(merchant, *words)
        return _read(type_here(main, *words, "--folder", str(self.home(merchant)), "--json"))


def _read(done: subprocess.CompletedProcess[str]) -> Any:
    if done.returncode != 0:
        raise HansaError(done.stderr)
    return json.loads(done.stdout)
