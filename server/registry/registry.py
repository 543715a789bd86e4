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
    certificate, welcome, succession, rotation    see `server.registry.renewal`
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from certs.request import JoinRequest
from common.disk.database import migrate
from common.errors import ConfigError, DataError
from common.message.signature import Signed
from server.registry.renewal import Renewals
from server.registry.table import STEPS

BUSY_SECONDS = 30.0


class State(StrEnum):
    """How far a launch is."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True)
class Member:
    """One enrolled merchant."""

    name: str
    size_class: int
    certificate: str
    node_key: str
    node_id: int | None
    enrolled_at: str
    revoked_at: str | None
    protocol: int

    @property
    def is_welcome(self) -> bool:
        """Whether its certificate still opens the gateway."""
        return self.revoked_at is None


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
    """On what public terms a member takes part; both are None where it declined."""

    member: str
    size_class: int | None
    noise_multiplier: float | None
    num_rounds: int
    answered_at: str


@dataclass(frozen=True)
class Model:
    """One released model."""

    model_hash: str
    launch: int
    round_number: int
    signed: Signed
    file: str
    released_at: str


class Registry(Renewals):
    """The coordinator's memory; several processes may hold it open, each thread with a Registry of its own.

    Raises
    ------
    DataError
        The file cannot be opened or written, or a later version of hansa wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._translated():
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
        try:
            self._set_up()
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self) -> None:
        with self._translated():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            migrate(self._connection, STEPS, path=self._path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @property
    def version(self) -> int:
        """Changes whenever another connection has written."""
        return int(self._rows("PRAGMA data_version")[0][0])

    # members

    def members(self) -> list[Member]:
        """Everyone who was ever enrolled, in order."""
        rows = self._rows(
            "SELECT member.*, coalesce(speaks.protocol, 1) AS protocol FROM member "
            "LEFT JOIN speaks ON speaks.member = member.name ORDER BY enrolled_at, name"
        )
        return [_member(row) for row in rows]

    def enroll(self, request: JoinRequest, *, certificate: str, pem: str = "") -> None:
        """Add a member, or give one that is there its new certificate; its name and node key stay together.

        Its older certificates, and the welcome that was handed to it live, are forgotten.

        Raises
        ------
        ConfigError
            The name or the node key is another member's.
        """
        for member in self.members():
            if (member.name == request.name) != (member.node_key == request.node_key):
                raise ConfigError(
                    f"{request.name!r} or its node key belong to the member {member.name!r} already; "
                    "have the merchant join under a name and with keys of its own."
                )
        self._write(
            "INSERT INTO member (name, size_class, certificate, node_key, enrolled_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET size_class = excluded.size_class, certificate = excluded.certificate, "
            "revoked_at = NULL",
            (request.name, request.size_class, certificate, request.node_key, now_text()),
        )
        self.forget_certificates(request.name)
        if pem:
            self.note_certificate(certificate, member=request.name, pem=pem)

    def revoke(self, name: str) -> None:
        """Close the gateway to a member.

        Raises
        ------
        ConfigError
            There is no such member.
        """
        if not self._write("UPDATE member SET revoked_at = ? WHERE name = ?", (now_text(), name)):
            names = ", ".join(member.name for member in self.members()) or "none"
            raise ConfigError(f"There is no member {name!r}; enrolled are: {names}.")

    def note_node(self, name: str, node_id: int | None) -> None:
        """Remember under which number Flower knows a member."""
        self._write("UPDATE member SET node_id = ? WHERE name = ?", (None if node_id is None else str(node_id), name))

    def note_protocol(self, name: str, protocol: int) -> None:
        """Remember the highest protocol that a member and this version both speak."""
        self._write(
            "INSERT INTO speaks (member, protocol) VALUES (?, ?) "
            "ON CONFLICT (member) DO UPDATE SET protocol = excluded.protocol",
            (name, protocol),
        )

    # launches

    def launches(self) -> list[Launch]:
        """Every launch, the oldest first."""
        return [_launch(row) for row in self._rows("SELECT * FROM launch ORDER BY number")]

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
        return _launch(rows[0])

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
            "answer.launch = terms.launch AND answer.member = terms.member) AS num_rounds FROM terms "
            "WHERE launch = ? ORDER BY member",
            (launch,),
        )
        return [MemberTerms(**row) for row in rows]

    def note_terms(self, launch: int, member: str, size_class: int | None, noise_multiplier: float | None) -> None:
        """Note a member's terms, or that it declined."""
        self._write(
            "INSERT INTO terms (launch, member, size_class, noise_multiplier, answered_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (launch, member) DO UPDATE SET size_class = excluded.size_class, "
            "noise_multiplier = excluded.noise_multiplier, answered_at = excluded.answered_at",
            (launch, member, size_class, noise_multiplier, now_text()),
        )

    def note_answers(self, launch: int, *, round_number: int, members: Iterable[str]) -> None:
        """Note whose sums of a round have arrived: written before the step, so that no release is under-counted."""
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO answer VALUES (?, ?, ?)", [(launch, member, round_number) for member in members]
            )

    # models

    def models(self) -> list[Model]:
        """Every released model, the oldest first."""
        rows = self._rows("SELECT * FROM model ORDER BY released_at, model_hash")
        return [_model(row) for row in rows]

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

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._translated():
            return self._connection.execute(statement, values).fetchall()

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        with self._translated():
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise DataError(f"Cannot use the registry {self._path}: {error}; is its disk full or read-only?") from error


def now_text() -> str:
    """Write the present moment, in UTC."""
    return datetime.now(UTC).isoformat()


def _member(row: sqlite3.Row) -> Member:
    values = dict(row)
    node_id = values.pop("node_id")  # as text: Flower counts to 2^64, SQLite to 2^63
    return Member(node_id=None if node_id is None else int(node_id), **values)


def _launch(row: sqlite3.Row) -> Launch:
    values = dict(row)
    return Launch(
        signed=Signed(values.pop("content"), values.pop("signature")), state=State(values.pop("state")), **values
    )


def _model(row: sqlite3.Row) -> Model:
    values = dict(row)
    return Model(signed=Signed(values.pop("content"), values.pop("signature")), **values)
