"""The container file: read here, and really built and run where buildah has its base image.

Where no registry can be reached `tests/deploy/stand_in.sh` makes a stand-in for the base image. What that does not show
is that pip finds the packages in the registries that the file names; those of this environment are laid in.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
import typer.main
from click import Context, Group

import client.cli

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "deploy" / "Dockerfile"
BASE = "docker.io/library/python:3.11-slim"
BUILDAH = ("env", "STORAGE_DRIVER=vfs", "buildah")
OWNER = 64321


def read_steps() -> list[tuple[str, str]]:
    """Read the steps of the file: an instruction and its words."""
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined.splitlines()]


def last(instruction: str) -> str:
    return [words for name, words in read_steps() if name == instruction][-1]


def health_check() -> list[str]:
    return [str(word) for word in json.loads(last("HEALTHCHECK").partition("CMD ")[2])]


def test_the_image_runs_a_command_that_there_is_as_a_user_without_privileges() -> None:
    (program,), (name, *words) = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
    assert program == "hansa-client"
    group = typer.main.get_command(client.cli.app)
    assert isinstance(group, Group)
    command = group.commands[name]
    assert command.make_parser(Context(command)).parse_args(words)[1] == []
    users = [words for instruction, words in read_steps() if instruction == "USER"]
    assert users == ["hansa"]
    assert f"useradd --uid {OWNER} " in "".join(words for instruction, words in read_steps() if instruction == "RUN")


def test_nothing_but_the_source_comes_into_an_image() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    packed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    )
    assert packed < allowed
    assert not {name for name in allowed if name.startswith((".", "docs", "tests"))}


@pytest.mark.parametrize(("state", "code"), [("connected", 0), ("waiting", 1)])
def test_the_health_check_says_whether_the_daemon_is_connected(state: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "health.json").write_text(json.dumps({"state": state}))
    program, *words = health_check()
    assert program == "python"
    words = [word.replace("/merchant", str(tmp_path)) for word in words]
    assert subprocess.run([sys.executable, *words], check=False).returncode == code


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, built by the steps of the file."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("there is no buildah here, or no right to use it")
    if subprocess.run([*BUILDAH, "inspect", "--type", "image", BASE], capture_output=True, check=False).returncode:
        pytest.skip(f"{BASE} is not here; pull it, or see tests/deploy/stand_in.sh")
    packages = str(distribution("pytest").locate_file(""))
    words = ["bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "-v", f"{packages}:/packages:ro"]
    subprocess.run([*BUILDAH, *words, "-t", "hansa-client-test", "-f", str(FILE), str(ROOT)], check=True)
    container = subprocess.run(
        [*BUILDAH, "from", "--pull-never", "hansa-client-test"], capture_output=True, text=True, check=True
    ).stdout.strip()
    yield container
    subprocess.run([*BUILDAH, "rm", container], check=True, capture_output=True)
    subprocess.run([*BUILDAH, "rmi", "hansa-client-test"], check=True, capture_output=True)


@pytest.mark.slow
def test_the_image_is_built_and_its_command_runs_as_its_user(image: str) -> None:
    packages = str(distribution("pytest").locate_file(""))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*BUILDAH, "run", "--isolation", "chroot", "-v", f"{packages}:/packages:ro", image, "--", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("id", "-u").stdout.strip() == str(OWNER)
    assert re.fullmatch(r"hansa-client \d+\.\d+\.\d+\S*\n", run("hansa-client", "--version").stdout)
    assert run("touch", "/opt/hansa/x").returncode != 0
    assert run("hansa-client", "policy", "--out", "/merchant/policy.toml").returncode == 0
    assert run("hansa-client", "ledger", "open", "--folder", "/merchant").returncode == 0
    assert run("hansa-client", "backup", "/merchant/b.tar", "--folder", "/merchant").returncode == 0
    assert run("stat", "-c", "%u %a", "/merchant/b.tar").stdout == f"{OWNER} 600\n"
    done = run(*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD")))  # it has not joined yet, and says so
    assert done.returncode == 2, done
    assert "no federation was joined" in done.stderr
    assert run(*health_check()).returncode != 0
    assert run("sh", "-c", """echo '{"state": "connected"}' > /merchant/health.json""").returncode == 0
    assert run(*health_check()).returncode == 0
