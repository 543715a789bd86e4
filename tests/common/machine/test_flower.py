import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# An audit hook sees every attempt to reach the network, whoever makes it.
CHECK = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(f"{{event}} {{arguments}}")
sys.addaudithook(refuse)
import {package}
from flwr.supercore import telemetry
import flwr.app, flwr.clientapp, flwr.serverapp, os
assert telemetry.FLWR_TELEMETRY_ENABLED == "{expected}", telemetry.FLWR_TELEMETRY_ENABLED
assert os.environ["FLWR_DISABLE_UPDATE_CHECK"] == "1"
assert os.environ["FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION"] == "1"
"""


def import_in_fresh_python(package: str, *, expected: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLWR_")}
    return subprocess.run(
        [sys.executable, "-c", CHECK.format(package=package, expected=expected)],
        cwd=ROOT,
        env=inherited | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("package", ["client", "common", "server", "simulation"])
def test_flower_is_silent_before_any_module_of_ours_imports_it(package: str) -> None:
    run = import_in_fresh_python(package, expected="0")
    assert run.returncode == 0, run.stderr


def test_a_user_who_set_telemetry_keeps_the_setting() -> None:
    run = import_in_fresh_python("common", expected="1", FLWR_TELEMETRY_ENABLED="1")
    assert run.returncode == 0, run.stderr
