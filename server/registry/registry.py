"""What a coordinator remembers: who is enrolled, what was launched, which models came of it.

SQLite in WAL mode: the command line, the gateway and the coordinator read and write it at the same time, each in
its own process. Models themselves are files beside it (safetensors).

    member     name, size_class, certificate (SHA-256), node_key, node_id, revoked
    launch     number, the signed proposal, how it is run, how far it is
    terms      launch, member: the public terms on which the member takes part, or that it declined
    answer     launch, member, round: a noised sum has arrived, whether or not a step came of it
    model      launch, the signed note, its file
    receipt    model, member: the model is on the merchant's disk
    speaks     member: the highest protocol that both ends speak, where the gateway has heard of one
    revocation number, member, and the node that is to be shut out, until it is
    request    member: the date of the request that it was enrolled with last
    lapsed     launch, member: terms from before a revocation, or of another size class, which are asked for again
    certificate, welcome, succession, rotation    see `server.registry.renewal`
    peer       member: the key by which the others of a secure sum know it
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from common.disk.database import create, migrate, say_remedy, transaction, write_through
from common.disk.reading import require_file
from common.errors import ConfigError, DataError
from common.message.signature import Signed
from server.registry.member import Member, MemberTables, Row, now_text
from server.registry.table import STEPS

BUSY_SECONDS = 30.0
__all__ = ["Launch", "Member", "MemberTerms", "Model", "Registry", "State", "now_text"]


class State(StrEnum):
    """How far a launch is."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True)
class Launch:
    """One plan that runs, ran or waits to go on."""

    number: int
    run_hash: str
    plan: str
    signed: Signed
    quorum: int
    round_seconds: float
    num_rounds: int
    round_number: int
    state: State
    reason: str
    launched_at: str
    changed_at: str


@dataclass(frozen=True)
class MemberTerms:
    """On what public terms a member takes part; both are None where it declined.

    Attributes
    ----------
    is_lapsed
        They are from before the member was revoked, or of another size class: it is asked again before it takes part.
    """

    member: str
    size_class: int | None
    noise_multiplier: float | None
    num_rounds: int
    answered_at: str
    is_lapsed: bool = False


@dataclass(frozen=True)
class Model:
    """One released model."""

    model_hash: str
    launch: int
    round_number: int
    signed: Signed
    file: str
    released_at: str


class Registry(MemberTables):
    """The coordinator's memory; several processes may hold it open, each thread with a Registry of its own.

    Parameters
    ----------
    busy_seconds
        How long a write waits for another process.

    Raises
    ------
    DataError
        The file cannot be opened or written, or a later version of hansa wrote it.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._path = path
        with self._translated():
            if not path.exists() and not path.is_symlink():
                create(path, STEPS)
            require_file(path)
            self._connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
        try:
            self._set_up()
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self) -> None:
        self._require_tables()  # before anything is written: what is no registry stays as it is
        with self._translated():
            write_through(self._connection)
            self._connection.execute("PRAGMA foreign_keys = ON")
            migrate(self._connection, STEPS, path=self._path)

    def _require_tables(self) -> None:
        """Refuse a file without members: it would become a registry that has forgotten everybody."""
        if not self._rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'member'"):
            raise DataError(
                f"{self._path} is no registry; bring a copy back, or move it away if nobody was ever enrolled."
            )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @property
    def version(self) -> int:
        """Changes whenever another connection has written."""
        return int(self._rows("PRAGMA data_version")[0][0])

    @property
    def state(self) -> tuple[int, int]:
        """Changes whenever this connection or another one has written."""
        return self.version, self._connection.total_changes

    # launches

    def launches(self) -> list[Launch]:
        """Every launch, the oldest first."""
        return [self._read(_launch, row) for row in self._rows("SELECT * FROM launch ORDER BY number")]

    def launch(self, number: int) -> Launch:
        """One launch.

        Raises
        ------
        ConfigError
            There is no such launch.
        """
        rows = self._rows("SELECT * FROM launch WHERE number = ?", (number,))
        if not rows:
            raise ConfigError(f"There is no launch {number}; see: hansa-server status")
        return self._read(_launch, rows[0])

    def add_launch(
        self, signed: Signed, *, run_hash: str, plan: str, num_rounds: int, quorum: int, round_seconds: float
    ) -> int:
        """Note a signed proposal that is to run; return its number.

        Raises
        ------
        ConfigError
            The same plan was launched before.
        """
        for launch in self.launches():
            if launch.run_hash == run_hash:
                raise ConfigError(
                    f"The plan {plan!r} was launched before, as number {launch.number}, and is {launch.state}: its "
                    "merchants answer each of its rounds once. Resume it, or change the plan (its name will do)."
                )
        self._write(
            "INSERT INTO launch (run_hash, plan, content, signature, quorum, round_seconds, num_rounds, state, "
            "launched_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run_hash, plan, signed.content, signed.signature, quorum, round_seconds, num_rounds,
                State.RUNNING, now_text(), now_text(),
            ),
        )  # fmt: skip
        return self.launches()[-1].number

    def note_launch(
        self, number: int, *, state: State | None = None, round_number: int | None = None, reason: str | None = None
    ) -> None:
        """Write down how far a launch is."""
        self._write(
            "UPDATE launch SET state = coalesce(?, state), round_number = coalesce(?, round_number), "
            "reason = coalesce(?, reason), changed_at = ? WHERE number = ?",
            (state, round_number, reason, now_text(), number),
        )

    def finish(self, number: int, *, round_number: int) -> None:
        """Close a launch, unless somebody stopped it meanwhile: resumed, it closes at once."""
        self._write(
            "UPDATE launch SET state = ?, round_number = ?, reason = '', changed_at = ? WHERE number = ? AND state = ?",
            (State.FINISHED, round_number, now_text(), number, State.RUNNING),
        )

    # terms

    def terms(self, launch: int) -> list[MemberTerms]:
        """Say what each member answered to a launch."""
        rows = self._rows(
            "SELECT member, size_class, noise_multiplier, answered_at, (SELECT count(*) FROM answer WHERE "
            "answer.launch = terms.launch AND answer.member = terms.member) AS num_rounds, EXISTS (SELECT 1 FROM "
            "lapsed WHERE lapsed.launch = terms.launch AND lapsed.member = terms.member) AS is_lapsed FROM terms "
            "WHERE launch = ? ORDER BY member",
            (launch,),
        )
        return [MemberTerms(**{**row, "is_lapsed": bool(row["is_lapsed"])}) for row in rows]

    def note_terms(self, launch: int, member: str, size_class: int | None, noise_multiplier: float | None) -> None:
        """Note a member's terms, or that it declined."""
        with self._transaction():
            self._write(
                "INSERT INTO terms (launch, member, size_class, noise_multiplier, answered_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (launch, member) DO UPDATE SET size_class = excluded.size_class, "
                "noise_multiplier = excluded.noise_multiplier, answered_at = excluded.answered_at",
                (launch, member, size_class, noise_multiplier, now_text()),
            )
            self._write("DELETE FROM lapsed WHERE launch = ? AND member = ?", (launch, member))

    def note_answers(self, launch: int, *, round_number: int, members: Iterable[str]) -> None:
        """Note whose sums of a round have arrived: written before the step, so that no release is under-counted."""
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO answer VALUES (?, ?, ?)", [(launch, member, round_number) for member in members]
            )

    # models

    def models(self) -> list[Model]:
        """Every released model, in the order of their release, whatever the clock said."""
        rows = self._rows("SELECT * FROM model ORDER BY rowid")
        return [self._read(_model, row) for row in rows]

    def add_model(
        self, signed: Signed, *, model_hash: str, launch: int, round_number: int, file: str, released_at: datetime
    ) -> None:
        """Note a released model; one that is there stays as it is."""
        self._write(
            "INSERT OR IGNORE INTO model VALUES (?, ?, ?, ?, ?, ?, ?)",
            (model_hash, launch, round_number, signed.content, signed.signature, file, released_at.isoformat()),
        )

    def receipts(self, model_hash: str) -> dict[str, str]:
        """Whose disk a model is on, and since when."""
        rows = self._rows("SELECT member, arrived_at FROM receipt WHERE model_hash = ?", (model_hash,))
        return {row["member"]: row["arrived_at"] for row in rows}

    def note_receipt(self, model_hash: str, member: str) -> None:
        """Note that a model is on a merchant's disk."""
        self._write("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?)", (model_hash, member, now_text()))

    def _read(self, read: Callable[[sqlite3.Row], Row], row: sqlite3.Row) -> Row:
        """Read one row; one that this version cannot read was not written by it."""
        try:
            return read(row)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"The registry {self._path} has a row that is damaged; bring a copy back.") from error

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._translated():
            return self._connection.execute(statement, values).fetchall()

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        with self._translated():
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated(), transaction(self._connection):
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(f"Cannot use the registry {self._path}: {error}; {say_remedy(error)}.") from error
        except OverflowError as error:
            raise DataError(
                f"Cannot note a number beyond 64 bits in the registry {self._path}; name a smaller one."
            ) from error
        except OSError as error:
            raise DataError(f"Cannot use the registry {self._path}: {error.strerror}; bring a copy back.") from error


def _launch(row: sqlite3.Row) -> Launch:
    values = dict(row)
    return Launch(
        signed=Signed(values.pop("content"), values.pop("signature")), state=State(values.pop("state")), **values
    )


def _model(row: sqlite3.Row) -> Model:
    values = dict(row)
    return Model(signed=Signed(values.pop("content"), values.pop("signature")), **values)
