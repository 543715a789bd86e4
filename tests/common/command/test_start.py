"""The three programs from outside: how much they import for a help page, and whether every page can be read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAMS = {"client": 705, "server": 400, "simulation": 1370}  # a third of 2,114 and 4,111, the server's own 332
HEAVY = ("torch", "flwr", "pandas", "sklearn", "matplotlib", "tensorboard", "numpy", "opacus", "ray")
COUNT = """
import json, os, sys
from {program}.__main__ import main
sys.argv = ["hansa", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code
settings = [os.environ.get(name) for name in ("MKL_CBWR", "FLWR_TELEMETRY_ENABLED")]
print(json.dumps({{"modules": len(sys.modules), "heavy": [n for n in {heavy} if n in sys.modules], "set": settings}}))
"""
WALK = """
import json
import click
from common.command.help import make_command
from {program}.cli import app
pages = {{}}
def walk(command, context):
    pages[context.command_path] = {{
        "page": command.get_help(context),
        "summary": (command.help or "").partition("\\n")[0],
        "group": isinstance(command, click.Group),
        "parameters": {{
            parameter.human_readable_name: (parameter.get_help_record(context) or ("", "hidden"))[1]
            for parameter in command.get_params(context)
        }},
    }}
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        walk(inner, inner.context_class(inner, parent=context, info_name=name))
command = make_command(app)
walk(command, command.context_class(command, info_name="{name}"))
print(json.dumps(pages))
"""


def run_python(code: str, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLWR_", "MKL_"))}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, env=environment | settings, capture_output=True, text=True, check=True
    ).stdout


def type_in(program: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", program, *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False)


def name_of(program: str) -> str:
    return "hansa-sim" if program == "simulation" else f"hansa-{program}"


@pytest.fixture(scope="module", params=PROGRAMS)
def pages(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every help page of a program at 60 columns."""
    code = WALK.format(program=request.param, name=name_of(request.param))
    found: dict[str, Any] = json.loads(run_python(code, COLUMNS="60"))
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_help_page_imports_little_and_the_settings_of_heavy_libraries_stand_nevertheless(program: str) -> None:
    found = json.loads(run_python(COUNT.format(program=program, heavy=HEAVY)).splitlines()[-1])
    assert found["modules"] < PROGRAMS[program]
    assert found["heavy"] == []
    assert found["set"] == ["AUTO,STRICT", "0"]


def test_every_page_fits_sixty_columns_and_shows_no_mark_of_a_library(pages: dict[str, Any]) -> None:
    for path, told in pages.items():
        lines = told["page"].splitlines()
        assert max(map(len, lines)) <= 60, path
        assert "\\" not in told["page"], path
        assert sum(line.endswith("rguments:") for line in lines) <= 1, path


def test_every_argument_and_option_has_words(pages: dict[str, Any]) -> None:
    for path, told in pages.items():
        for name, words in told["parameters"].items():
            assert re.sub(r"\\?\[.*?\]", "", words).strip(), f"{name} of {path}"
            assert words.partition("  ")[0].replace("\\", "") in re.sub(r"\s+", " ", told["page"]), f"{name} of {path}"


def test_every_summary_is_whole_and_on_one_line(pages: dict[str, Any]) -> None:
    for path, told in pages.items():
        inner = [other for other in pages if other.rpartition(" ")[0] == path]
        assert bool(inner) == told["group"]
        for other in inner:
            shown = rf"^  {re.escape(other.rpartition(' ')[2])} +{re.escape(pages[other]['summary'])}$"
            assert re.search(shown, told["page"], re.MULTILINE), f"{other}: {pages[other]['summary']}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_short_help_and_completion_are_there(program: str) -> None:
    name = name_of(program)
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+\S*\n", type_in(program, "--version").stdout)
    assert type_in(program, "-h").stdout == type_in(program, "--help").stdout
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    completed = type_in(program, **{variable: "complete_bash", "COMP_WORDS": f"{name} ", "COMP_CWORD": "1"})
    words = {"client": "doctor", "server": "enroll", "simulation": "newcomer"}
    assert words[program] in completed.stdout.split()
    shown = type_in(program, "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert variable in shown.stdout


def test_a_help_page_in_a_pipe_has_no_colour() -> None:
    assert "\x1b" not in type_in("simulation", "run", "--help").stdout


def test_nan_is_no_number_between_two_others_and_a_page_still_shows_the_range() -> None:
    code = "from common.command.program import run_program; run_program('hansa-client', 'client.cli')"
    for words in (["customers", "--uplift", "nan"], ["order", "--budget", "inf"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is no number" in done.stderr
    page = subprocess.run(
        [sys.executable, "-c", code, "customers", "--help"], capture_output=True, text=True, check=False
    )
    assert "0.0<=x<=0.9" in page.stdout
