"""Every command with every file damaged that it reads: one sentence, an exit code, and the file as it was.

The default part takes a few ways of damage for each file that a command needs. The slow part takes all ways for all
files, needed or not.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path

import pytest
import typer.main
from click import Command, Group

import client.cli
import server.cli
import simulation.cli
from client.account.ledger import file as ledger_file
from common.command.program import EXIT_MISTAKE, EXIT_NO, EXIT_UNREAD
from common.command.signals import EXIT_INTERRUPTED, EXIT_TERMINATED
from common.errors import ConfigError
from damaged.homes import Finished, run
from damaged.ways import (
    WAYS,
    Way,
    cut,
    folder,
    half_noise,
    loop,
    noise,
    other,
    pipe,
    shapes,
    state_of,
    words,
    zeros,
)
from server.process.supervisor import Supervisor
from server.registry.registry import Registry

ROOT = Path(__file__).parents[2]
PLACES = {"hansa-client": "shop", "hansa-server": "fed", "hansa-sim": "study"}
APPS = {"hansa-client": client.cli.app, "hansa-server": server.cli.app, "hansa-sim": simulation.cli.app}


@dataclass(frozen=True)
class Case:
    """One command as it is typed.

    Attributes
    ----------
    needs
        Files without which it cannot be done, as patterns below the folder that it is typed in.
    makes
        Files that it makes anew, whatever is there.
    is_slow
        It computes for seconds.
    place
        The folder that it is typed in, where it is not its program's usual one.
    """

    program: str
    words: str
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    is_slow: bool = False
    place: str = ""

    def __str__(self) -> str:
        return f"{self.program} {self.words}"


def shop(words: str, *needs: str, makes: tuple[str, ...] = (), is_slow: bool = False) -> Case:
    return Case("hansa-client", words, needs, makes, is_slow)


def store(words: str, *needs: str, makes: tuple[str, ...] = (), is_slow: bool = False) -> Case:
    """A command on a shop's own history."""
    return Case("hansa-client", words, needs, makes, is_slow, place="store")


def fed(words: str, *needs: str, makes: tuple[str, ...] = ()) -> Case:
    needs = ("federation.toml", *needs) if words != "init hanse" else needs
    return Case("hansa-server", words, needs, makes)


def study(words: str, *needs: str, makes: tuple[str, ...] = (), is_slow: bool = False) -> Case:
    return Case("hansa-sim", words, needs, makes, is_slow)


LEDGER, POLICY, PLAN, JOINED = "ledger.sqlite", "policy.toml", "plan.toml", "federation.json"
MODEL = "models/*.safetensors"
RUN = ("run/plan.json", "run/summary.json")
CASES = (
    shop("policy --out policy.toml"),
    shop(f"consider plan.toml --coordinator {'c' * 64} --cohort 3", POLICY, LEDGER, PLAN),
    shop("check plan.toml", PLAN, "rows.csv"),
    shop("doctor", POLICY, LEDGER, JOINED, "tls.key", "node.key"),
    shop("peers", POLICY),
    shop(f"peers --verify {'a' * 64}", POLICY),
    shop("join bob", POLICY, "tls.key", "node.key", makes=("bob.request.json",)),
    shop(
        "join --welcome north.welcome.json",
        *("north.welcome.json", "north.request.json", "tls.key"),
        makes=("tls.pem", JOINED),
    ),
    shop("join --dry-run --plan plan.toml", PLAN, POLICY, LEDGER, "rows.csv"),
    shop("run --until-idle 0", POLICY, LEDGER, JOINED, "tls.key", "tls.pem", "node.key", makes=("health.json",)),
    shop("predict --out out.csv", JOINED, MODEL, "rows.csv", is_slow=True),
    shop("prove", JOINED, MODEL, "rows.csv", is_slow=True),
    shop("audit plan.toml --level accounting", PLAN, POLICY, "rows.csv", is_slow=True),
    shop("tap", LEDGER),
    shop("tap --line 2 --out bytes.bin", LEDGER),
    shop("card --out new.html", LEDGER, POLICY, "card.key"),
    shop("card --audit audit.json", LEDGER, POLICY, "card.key", "audit.json"),
    shop("card --cohort cohort.json", LEDGER, POLICY, "card.key", "cohort.json"),
    shop("card --check card.json", "card.json"),
    shop("ledger open", POLICY, LEDGER),
    shop("ledger show", POLICY, LEDGER),
    shop("ledger forecast", POLICY, LEDGER),
    shop("ledger verify", LEDGER),
    shop("ledger export", LEDGER),
    shop("ledger witness", LEDGER),
    shop("ledger witness elsewhere.json", LEDGER),
    shop("ledger recover", POLICY, LEDGER),
    shop("backup new.tar", LEDGER),
    shop("restore kept.tar --folder new", "kept.tar"),
    shop("upgrade hansa-9-py3-none-any.whl"),
    store("init orders.csv --yes --time-zone UTC --currency EUR --country DE --folder new", "orders.csv"),
    store("import", "shop.toml", "orders.csv", "history.duckdb", "customer.key", makes=("history.duckdb",)),
    store("history", "history.duckdb"),
    store("backup new.tar"),
    store("history --undo 1", "history.duckdb", makes=("history.duckdb",)),
    store("check", "shop.toml", "history.duckdb"),
    store("forecast --method weekday_mean", "shop.toml", "history.duckdb", is_slow=True),
    store("override list", "shop.toml"),
    store("override remove 1", "shop.toml"),
    store(
        "override add --change +20% --from 2024-02-01 --author A --reason b",
        "shop.toml",
        "history.duckdb",
        is_slow=True,
    ),
    store("order", "shop.toml", "history.duckdb", is_slow=True),
    store("explain tea", "shop.toml", "history.duckdb", is_slow=True),
    store("whatif --discount 10%", "shop.toml", "history.duckdb", is_slow=True),
    store("customers", "shop.toml", "history.duckdb", is_slow=True),
    store("recommend", "shop.toml", "history.duckdb", is_slow=True),
    store("trends", "shop.toml", "history.duckdb", is_slow=True),
    store("reviews", "shop.toml", "history.duckdb"),
    store("score", "shop.toml", "history.duckdb"),
    store("watch", "shop.toml", "history.duckdb"),
    store("serve --no-open --port 0", "shop.toml"),
    store("demo new"),
    store("adapt plan.toml --data-root .", PLAN, "shop.toml", "history.duckdb", makes=("shop.toml",)),
    fed("init hanse", "federation.toml"),
    fed(
        "enroll north.request.json --out w.json",
        "registry.sqlite",
        "north.request.json",
        "certs/authority.*",
        "signing.key",
    ),
    fed("revoke north", "registry.sqlite"),
    fed("renew", "certs/authority.*", "certs/server.key", makes=("certs/server.pem",)),
    fed("rotate signing-key", "registry.sqlite", "signing.key"),
    fed("rotate authority", "registry.sqlite"),
    fed("up --no-page", "certs/server.pem"),
    fed("launch plan.toml", "registry.sqlite", "signing.key", PLAN),
    fed("backup new.tar", "registry.sqlite"),
    Case("hansa-server", "restore kept.tar --folder new", ("kept.tar",)),
    fed("status", "registry.sqlite"),
    fed("status --json", "registry.sqlite"),
    fed("stop 1", "registry.sqlite"),
    fed("resume 1", "registry.sqlite"),
    fed("models list", "registry.sqlite"),
    fed("models show MODEL", "registry.sqlite"),
    fed("models pull MODEL --out pulled", "registry.sqlite"),
    study("plans"),
    study("plan --out plan.toml"),
    study("check plan.toml", PLAN, "rows.csv"),
    study("export plan.toml --out exported", PLAN, "rows.csv"),
    study("run plan.toml --out run --resume", PLAN, "run/run.json", makes=("run/*",), is_slow=True),
    study("sweep plan.toml --set model.hidden_size=4 --out sweep --resume --use-last-origin", PLAN, is_slow=True),
    study("report run", *RUN, makes=("run/summary.json", "run/report.html"), is_slow=True),
    study("compare run run", *RUN),
    study("table run", *RUN),
    study("table run --into results.md", *RUN, "results.md", makes=("results.md",)),
    study("bench --read bench.json", "bench.json"),
    study("audit plan.toml --level accounting", PLAN, "rows.csv", is_slow=True),
    study("federation --plan plan.toml --from plan.toml --out f", PLAN),
    study("warm plan.toml", PLAN),
    study("newcomer plan.toml", PLAN),
    study("firsts plan.toml --out f --days 12", PLAN, is_slow=True),
    study("stock plan.toml --only anchor", PLAN, is_slow=True),
    study("shop plan.toml --out made", PLAN, is_slow=True),
    study("worth plan.toml", PLAN, is_slow=True),
    study("customers plan.toml", PLAN, is_slow=True),
    study("joint made", is_slow=True),
    study("births made --first 2024-02-01", is_slow=True),
    study("recommend made --origins 2024-02-01", is_slow=True),
    study("trends --runs 1", is_slow=True),
    study("drift --runs 1", is_slow=True),
)
NEVER_RUN_WHOLE = (
    "up",
    "serve",
    "warm",
    "federation",
    "newcomer",
    "prove",
)  # for ever, for minutes, or without a meaning here


def commands(command: Command, name: str) -> Iterator[str]:
    if isinstance(command, Group):
        for word, inner in command.commands.items():
            yield from commands(inner, f"{name} {word}")
    else:
        yield name


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment for a locked database, where the program waits for half a minute."""
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(Registry, "__init__", partialmethod(Registry.__init__, busy_seconds=0.1))


@pytest.fixture(autouse=True)
def _nothing_goes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `up` or `serve` minds no damage it would run until Ctrl-C, with processes of its own."""

    def begin(*words: object, **named: object) -> None:
        raise ConfigError("Everything would be started now.")

    monkeypatch.setattr(Supervisor, "run", begin)
    monkeypatch.setattr("client.serving.process.server.serve", begin)


def place_of(case: Case) -> str:
    return case.place or PLACES[case.program]


@contextmanager
def in_copy(homes: Path, case: Case, target: Path) -> Iterator[Path]:
    """Stand in a copy of the folder that a command is typed in."""
    place, before = target / "place", Path.cwd()
    shutil.copytree(homes / place_of(case), place)
    os.chdir(place)
    try:
        yield place
    finally:
        os.chdir(before)
        shutil.rmtree(place)


def type_in(case: Case, place: Path) -> Finished:
    released = place / "model.hash"
    return run(case.program, *case.words.replace("MODEL", released.read_text() if released.exists() else "").split())


def hurt(homes: Path, case: Case, file: Path, way: Way, target: Path) -> str:
    """Damage one file, run the command, and say what is wrong with what came of it; nothing is ""."""
    needed = any(file.match(pattern) for pattern in case.needs)
    with in_copy(homes, case, target) as place:
        way(place / file)
        before = state_of(place / file)
        ended, after = type_in(case, place), state_of(place / file)
    faults = judge(case, ended)
    written = ended.code == 0 and file.suffix in (".sqlite", ".duckdb")  # what was damaged lay where nobody looked
    if after != before and not written and not any(file.match(pattern) for pattern in case.makes):
        faults.append("the file was changed")
    if needed and ended.code == 0 and way not in (half_noise, cut, shapes, other):
        faults.append("nobody minds")
    return f"{case}, {file} {way.__name__}: {'; '.join(faults)} {ended.stderr[-300:]}" if faults else ""


def judge(case: Case, ended: Finished) -> list[str]:
    """One sentence of the program on stderr, or an answer on stdout; never a traceback."""
    if ended.raised:
        return [f"raised {ended.raised[:200]}"]
    if "Traceback" in ended.stdout + ended.stderr:
        return ["a traceback"]
    if ended.code == 0 or ended.stdout:  # an answer that is no, or a report of faults
        return []
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("20")]  # the daemon's log
    return [] if len(lines) == 1 and lines[0].startswith(f"{case.program}: ") else ["not one sentence"]


def files_of(homes: Path, case: Case) -> list[Path]:
    """The files of a folder that some command reads."""
    place = homes / place_of(case)
    files = (path.relative_to(place) for path in sorted(place.rglob("*")) if path.is_file())
    return [
        file for file in files if file.suffix not in (".html", ".lock", ".hash") and "tensorboard" not in file.parts
    ]


def ways_of(place: int) -> tuple[Way, ...]:
    """One way, another for each place, so that all have their turn; a pipe, which can hold up for ever, more often."""
    way = WAYS[5 * place % len(WAYS)]
    return (way, pipe) if place % 3 == 0 and way is not pipe else (way,)


def test_every_command_is_here() -> None:
    known = {name for program, app in APPS.items() for name in commands(typer.main.get_command(app), program)}
    typed = {name for name in known for case in CASES if f"{case} ".startswith(f"{name} ")}
    assert known == typed


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_slow], ids=str)
def test_a_file_that_a_command_needs_is_damaged(homes: Path, case: Case, tmp_path: Path) -> None:
    needed = [file for file in files_of(homes, case) if any(file.match(pattern) for pattern in case.needs)]
    assert len(needed) >= len(case.needs)
    pairs = [(file, way) for place, file in enumerate(needed, start=CASES.index(case)) for way in ways_of(place)]
    faults = [fault for file, way in pairs if (fault := hurt(homes, case, file, way, tmp_path))]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_file_is_damaged_in_any_way(homes: Path, case: Case, tmp_path: Path) -> None:
    whole = case.words.split()[0] not in NEVER_RUN_WHOLE
    files = [file for file in files_of(homes, case) if whole or any(file.match(pattern) for pattern in case.needs)]
    faults = [fault for file in files for way in WAYS if (fault := hurt(homes, case, file, way, tmp_path))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("ledger open", "ledger.sqlite"),
        ("tap", "ledger.sqlite"),
        ("status", "registry.sqlite"),
        ("revoke north", "registry.sqlite"),
    ],
)
def test_a_database_that_another_process_holds_is_one_sentence(
    homes: Path, tmp_path: Path, words: str, file: str
) -> None:
    case = next(case for case in CASES if case.words == words)
    with in_copy(homes, case, tmp_path) as place, closing(sqlite3.connect(place / file)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        ended = type_in(case, place)
    assert judge(case, ended) == []
    assert (ended.code, "locked" in ended.stderr) == (2, True)


@pytest.mark.parametrize("way", [zeros, noise, words, folder, pipe, loop], ids=lambda way: way.__name__)
def test_up_does_not_begin_with_a_file_that_its_processes_would_fall_over(
    homes: Path, tmp_path: Path, way: Way
) -> None:
    case = next(case for case in CASES if case.words == "up --no-page")
    for name in ("registry.sqlite", "signing.key"):
        with in_copy(homes, case, tmp_path) as place:
            way(place / name)
            before = state_of(place / name)
            ended = type_in(case, place)
            assert (judge(case, ended), ended.code, state_of(place / name)) == ([], 2, before), name
            assert name in ended.stderr


def test_exit_codes_are_on_the_page_of_each_program() -> None:
    codes = {0, EXIT_NO, EXIT_MISTAKE, EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_UNREAD}
    for page in PLACES:
        text = (ROOT / "docs" / f"{page}.md").read_text()
        table = text.split("| exit code | what it says |")[1].split("\n\n")[0]
        told = [int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in cell.split(", ")]
        assert sorted(told) == sorted(codes), page
