"""Real PostgreSQL and MariaDB servers, each private to a process of tests: a free port, a folder that goes, no root.

A server dies with the process that started it. Where its programs are not installed the tests that need it are skipped,
unless CI says that nothing may be.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy

from fleet.superlink import free_port

HOST = "127.0.0.1"
START_SECONDS = 60.0
Kind = Literal["postgresql", "mariadb"]
PROGRAM: dict[Kind, str] = {"postgresql": "postgres", "mariadb": "mariadbd"}
OWNERS: dict[Kind, tuple[str, ...]] = {"postgresql": ("postgres", "nobody"), "mariadb": ("mysql", "nobody")}
ADMIN: dict[Kind, str] = {"postgresql": "postgresql+psycopg://hansa", "mariadb": "mysql+pymysql://root"}
HBA = "local all all trust\nhost all reader 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
SMALL_MARIADB = (
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
)


@dataclass
class DatabaseServer:
    """A server that can be stopped and started again on the same port and data; its admin needs no password."""

    kind: Kind
    programs: Path
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    num_databases: int = 0
    free: list[str] = field(default_factory=list)

    def create(self) -> None:
        """Make an empty cluster."""
        if self.kind == "postgresql":
            how = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale", "--no-instructions"]
            self._run(self.programs / "initdb", "-D", self.data, "-U", "hansa", *how)
            (self.data / "pg_hba.conf").write_text(HBA)
        else:
            how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", *SMALL_MARIADB]
            self._run("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", *how)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = self.programs / PROGRAM[self.kind]
        if self.kind == "postgresql":
            line = [program, "-D", self.data, "-F", "-p", self.port, "-k", self.folder, "-c", "max_connections=50"]
        else:
            places = [f"--datadir={self.data}", f"--socket={self.folder / 'socket'}", f"--port={self.port}"]
            small = ["--skip-log-bin", "--skip-name-resolve", f"--bind-address={HOST}", *SMALL_MARIADB]
            line = [program, "--no-defaults", *places, *small]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._as_owner(dies=True), *map(str, line)], stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace"))
            time.sleep(0.03)

    def stop(self) -> None:
        """End it at once, as a machine that loses power would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if self.kind == "postgresql" else signal.SIGKILL)
            self.process.wait(START_SECONDS)
            self.process = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Lend an empty database by its name; it is emptied and lent again, for making one takes longer."""
        name = self.free.pop() if self.free else self._make_database()
        try:
            yield name
        finally:
            self._empty(name)
            self.free.append(name)

    def _make_database(self) -> str:
        self.num_databases += 1
        name = f"shop_{self.num_databases}"
        self.execute([f"CREATE DATABASE {name}" + (" CHARACTER SET utf8mb4" if self.kind == "mariadb" else "")])
        return name

    def _empty(self, name: str) -> None:
        if self.process is None:
            self.start()
        self.end_connections(name)
        if self.kind == "mariadb":
            self.execute([f"DROP DATABASE {name}", f"CREATE DATABASE {name} CHARACTER SET utf8mb4"])
            return
        ask = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        schemas = ", ".join(schema for (schema,) in self.execute([ask], name))
        self.execute(
            [f"DROP SCHEMA {schemas} CASCADE", "CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO PUBLIC"], name
        )

    def url(self, database: str, *, user: str = "") -> str:
        """Give the URL of a database, by default for the admin."""
        who = user or ADMIN[self.kind].partition("://")[2]
        return f"{self.kind}://{who}@{HOST}:{self.port}/{database}"

    def execute(self, statements: Sequence[str], database: str = "") -> list[Any]:
        """Run statements as the admin, each committed by itself, and give the rows of the last."""
        place = database or ("postgres" if self.kind == "postgresql" else "")
        how = "?client_encoding=utf8" if self.kind == "postgresql" else ""
        url = f"{ADMIN[self.kind]}@{HOST}:{self.port}/{place}{how}"
        engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                results = [connection.exec_driver_sql(statement) for statement in statements]
                return list(results[-1]) if results and results[-1].returns_rows else []
        finally:
            engine.dispose()

    def end_connections(self, database: str) -> int:
        """End every connection to a database but the own one, as an administrator would; give how many."""
        if self.kind == "postgresql":
            ask = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608
            return len(self.execute([ask]))
        ask = f"SELECT id FROM information_schema.processlist WHERE db = '{database}'"  # noqa: S608
        numbers = [number for (number,) in self.execute([ask])]
        self.execute([f"KILL {number}" for number in numbers])
        return len(numbers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1):
                pass
            self.execute(["SELECT 1"])
        except (OSError, sqlalchemy.exc.DBAPIError):
            return False
        return True

    def _run(self, *line: object) -> None:
        done = subprocess.run(
            [*self._as_owner(), *map(str, line)], capture_output=True, timeout=START_SECONDS, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def _as_owner(self, *, dies: bool = False) -> list[str]:
        """Neither server runs as root."""
        line = ["setpriv", "--pdeathsig", "KILL" if self.kind == "mariadb" else "QUIT"] if dies else ["setpriv"]
        owner = _owner(self.kind)
        return [*line, "--reuid", owner, "--regid", owner, "--clear-groups"] if os.geteuid() == 0 else line


@contextmanager
def running_server(kind: Kind) -> Iterator[DatabaseServer]:
    """Run a server for as long as a test session lasts."""
    programs = _find(kind)
    if programs is None:
        _do_without(f"{PROGRAM[kind]} is not installed; .ci/run says which package has it")
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix=f"hansa-{kind}-"))
    server = DatabaseServer(kind, programs, folder)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _owner(kind))
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _do_without(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _find(kind: Kind) -> Path | None:
    """Find the folder of a server's programs; Debian keeps those of PostgreSQL outside the path."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.get_exec_path()), Path("/usr/sbin")]
    return next((place for place in places if (place / PROGRAM[kind]).is_file()), None)


def _owner(kind: Kind) -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in OWNERS[kind] if name in known)
