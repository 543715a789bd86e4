"""The systemd units: systemd reads them and finds them closed, and their very command lines serve without privileges.

PID 1 of a test machine is hardly systemd, so what a unit asks of it is laid on by hand, in a mount namespace: an
unprivileged user without a capability and without a way to one, a read-only file system but for the state folder, and
the unit's own paths. What is not laid on: the filter of system calls, address families, and namespaces.
"""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest
import typer.main
from click import Context, Group

import client.cli
import server.cli
from damaged.homes import done

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "docs" / "deploy").glob("*.service"))
MOST_EXPOSED = 1.5  # of 10, by systemd's own count
COMMANDS = {"hansa-client": client.cli.app, "hansa-server": server.cli.app}
NOBODY = 64321
NEEDED = ("unshare", "setpriv", "mount")
SCRIPT = """
set -eu
mount --make-rprivate /
for place in /opt /srv /var/lib; do mount -t tmpfs tmpfs $place; done
mkdir -p /opt/hansa/bin /srv/hansa "$PLACE"
for name in client server; do
    printf '#!/bin/sh\\nexec "%s" -P -m %s "$@"\\n' "$PYTHON" $name > /opt/hansa/bin/hansa-$name
    chmod 755 /opt/hansa/bin/hansa-$name
done
mount --bind "$STATE" "$PLACE"
case "$BASE" in /root/*)  # a Python that another user may not reach
    mkdir /opt/base && mount --bind "$BASE" /opt/base && mount -t tmpfs -o mode=755 tmpfs /root
    mkdir -p "$BASE" && mount --bind /opt/base "$BASE" ;;
esac
mount -o remount,ro,bind /opt
mount -o remount,ro,bind /srv
mount -o remount,ro,bind / 2>/dev/null || true
cd "$PLACE"
umask 077
exec setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def read_unit(path: Path) -> configparser.SectionProxy:
    """Read a unit's section [Service]; of a key that is there twice the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser["Service"]


def words_of(unit: configparser.SectionProxy) -> list[str]:
    return shlex.split(unit["ExecStart"])


def has_command(words: list[str]) -> bool:
    group = typer.main.get_command(COMMANDS[Path(words[0]).name])
    assert isinstance(group, Group)
    return words[1] in group.commands


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is_with_options_that_it_has(path: Path) -> None:
    program, name, *words = words_of(read_unit(path))
    assert Path(program).parent == Path("/opt/hansa/bin")
    if not has_command([program, name]):
        pytest.skip(f"there is no command {name} yet")
    group = typer.main.get_command(COMMANDS[Path(program).name])
    assert isinstance(group, Group)
    command = group.commands[name]
    assert command.make_parser(Context(command)).parse_args(words)[1] == []


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_reads_a_unit_and_finds_it_closed(path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    program = words_of(read_unit(path))[0]
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    ).stderr
    lines = [line for line in said.splitlines() if path.name in line and f"Command {program} is not exec" not in line]
    assert lines == []
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    if found is None:
        pytest.skip("this systemd-analyze knows no --offline")
    assert float(found[1]) <= MOST_EXPOSED


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_gives_no_privilege(path: Path) -> None:
    unit = read_unit(path)
    assert unit["NoNewPrivileges"] == "yes"
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == ""
    assert unit["ProtectSystem"] == "strict"
    assert unit["UMask"] == "0077"
    assert unit["StateDirectoryMode"] == "0700"


@contextmanager
def running(path: Path, state: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a unit's command line as systemd would, as far as that goes without it; end it as systemd does."""
    unit = read_unit(path)
    for place in (state, *state.rglob("*")):
        os.chown(place, NOBODY, NOBODY)
    settings = dict(word.split("=", 1) for word in shlex.split(unit["Environment"]))
    settings |= {
        "PATH": os.environ["PATH"],
        "PYTHON": sys.executable,
        "BASE": sys.base_prefix,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "STATE": str(state),
        "PLACE": f"/var/lib/{unit['StateDirectory']}",
        "USER_ID": str(NOBODY),
    }
    command = ["unshare", "--mount", "--", "sh", "-c", SCRIPT, "sh", *words_of(unit)]
    with (state.parent / "said").open("w+") as said:
        process = subprocess.Popen(command, env=settings, stdout=said, stderr=said, text=True)
        try:
            yield process
            assert process.poll() is None, (state.parent / "said").read_text()
            process.send_signal(signal.SIGTERM)
            clean = {0, int(unit.get("SuccessExitStatus", "0"))}
            assert process.wait(timeout=120) in clean, (state.parent / "said").read_text()
        finally:
            process.kill()
            process.wait()


def wait_for(process: subprocess.Popen[str], said: Path, words: str, seconds: float = 180.0) -> str:
    until = time.monotonic() + seconds
    while words not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < until, said.read_text()
        time.sleep(0.2)
    return said.read_text()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that another user may come into, with a state folder in it."""
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in NEEDED):
        pytest.skip("only root can become another user and mount")
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    place = Path(mkdtemp(prefix="hansa-unit-"))
    place.chmod(0o755)
    (place / "state").mkdir(mode=0o700)
    yield place
    shutil.rmtree(place)


def assert_closed(process: subprocess.Popen[str]) -> None:
    """The process has no right that the unit does not give it."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "\t" in line
    )
    assert set(status["Uid"].split()) == {str(NOBODY)}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.slow
def test_the_coordinators_unit_serves_and_ends_as_its_unit_says(place: Path) -> None:
    done("hansa-server", "init", "hanse", "--folder", place / "state", "--port", 18443, "--bind", "127.0.0.1")
    with running(ROOT / "docs" / "deploy" / "hansa-server.service", place / "state") as process:
        wait_for(process, place / "said", "Merchants reach this federation")
        assert_closed(process)
        with urllib.request.urlopen("http://127.0.0.1:18445/status.json", timeout=60) as page:
            assert page.status == 200
        time.sleep(5)


@pytest.mark.slow
def test_the_daemons_unit_runs_on_and_ends_as_its_unit_says(place: Path) -> None:
    state, fed = place / "state", place / "fed"
    done("hansa-server", "init", "hanse", "--folder", fed, "--port", 28443)
    done("hansa-client", "policy", "--out", state / "policy.toml")
    done("hansa-client", "ledger", "open", "--folder", state)
    done("hansa-client", "join", "north", "--folder", state)
    welcome = state / "north.welcome.json"
    done("hansa-server", "enroll", state / "north.request.json", "--out", welcome, "--folder", fed)
    done("hansa-client", "join", "--welcome", welcome, "--folder", state)
    with running(ROOT / "docs" / "deploy" / "hansa-client.service", state) as process:
        wait_for(process, place / "said", "Nobody answers")  # no gateway runs: it tries again for ever
        assert_closed(process)
    assert (state / "health.json").stat().st_uid == NOBODY
    assert not (state / "health.json").stat().st_mode & 0o077


@pytest.mark.slow
def test_the_unit_of_page_and_api_serves_and_ends_as_its_unit_says(place: Path) -> None:
    path = ROOT / "docs" / "deploy" / "hansa-serve.service"
    if not has_command(words_of(read_unit(path))):
        pytest.skip("there is no command serve yet")
    done("hansa-client", "demo", place / "state")
    with running(path, place / "state") as process:
        wait_for(process, place / "said", '"address"')
        assert_closed(process)
        with urllib.request.urlopen("http://127.0.0.1:8642/live", timeout=60) as answer:
            assert answer.status == 200
