"""Who is enrolled, who was revoked, and which node each is: the registry's tables of members.

A member is let in by a request that is newer than every one of its own before, and than its last revocation. Whoever
was revoked comes back with the same node key or another, and is asked for its terms anew.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from certs.request import JoinRequest
from common.errors import ConfigError
from server.registry.peer import Peers
from server.registry.renewal import Renewals

Row = TypeVar("Row")
MEMBERS = (
    "SELECT member.*, coalesce(speaks.protocol, 1) AS protocol FROM member "
    "LEFT JOIN speaks ON speaks.member = member.name"
)


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


class MemberTables(Renewals, Peers, ABC):
    """The part of a registry that is about members."""

    def members(self) -> list[Member]:
        """Everyone who was ever enrolled, in order."""
        rows = self._rows(f"{MEMBERS} ORDER BY enrolled_at, name")
        return [self._read(_member, row) for row in rows]

    def member(self, name: str) -> Member:
        """One of them.

        Raises
        ------
        ConfigError
            Nobody of this name was ever enrolled.
        """
        rows = self._rows(f"{MEMBERS} WHERE name = ?", (name,))
        if not rows:
            raise ConfigError(f"There is no member {name!r}; see: hansa-server status")
        return self._read(_member, rows[0])

    def enroll(self, request: JoinRequest, *, certificate: str, pem: str = "") -> None:
        """Add a member, or give one that is there its new certificate.

        Its older certificates, and the welcome that was handed to it live, are forgotten.

        Raises
        ------
        ConfigError
            As `require_enrollable` does.
        """
        with self._transaction():
            self.require_enrollable(request)
            self._write(
                "INSERT OR IGNORE INTO lapsed SELECT terms.launch, name FROM member JOIN terms ON terms.member = name "
                "WHERE name = ? AND member.size_class != ?",
                (request.name, request.size_class),
            )
            self._write(
                "INSERT INTO member (name, size_class, certificate, node_key, enrolled_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET size_class = excluded.size_class, "
                "certificate = excluded.certificate, node_key = excluded.node_key, revoked_at = NULL",
                (request.name, request.size_class, certificate, request.node_key, now_text()),
            )
            self._write(
                "INSERT INTO request VALUES (?, ?) ON CONFLICT (member) DO UPDATE SET made_at = excluded.made_at",
                (request.name, request.made_at),
            )
            self.forget_certificates(request.name)
            if pem:
                self.note_certificate(certificate, member=request.name, pem=pem)

    def require_enrollable(self, request: JoinRequest) -> None:
        """Refuse a request that is not the latest of its member, dates from before it was revoked, or has others' keys.

        A member keeps its node key until it is revoked, and may come back with another.

        Raises
        ------
        ConfigError
            The request was used already, an older one, from before a revocation, or its name or key is another's.
        """
        again = f"have it make a new one with: hansa-client join {request.name}"
        for member in self.members():
            if member.name != request.name and member.node_key == request.node_key:
                raise ConfigError(
                    f"The node key of {request.name!r} belongs to the member {member.name!r} already; have the "
                    "merchant join under a name and with keys of its own."
                )
            if member.name == request.name and member.node_key != request.node_key and member.is_welcome:
                raise ConfigError(
                    f"{request.name!r} is a member already, with another node key; have the merchant join under a name "
                    f"of its own, or, where it is that member and has lost its key, first: hansa-server revoke "
                    f"{request.name}"
                )
        said = f"The request of {request.name!r} of {_moment(request.made_at)}"
        used = self._rows("SELECT made_at FROM request WHERE member = ?", (request.name,))
        if used and used[0]["made_at"] == request.made_at:
            raise ConfigError(f"{said} was used already; {again}")
        if used and _time(used[0]["made_at"]) >= _time(request.made_at):
            raise ConfigError(f"{said} is older than the one of {_moment(used[0]['made_at'])}, which was used; {again}")
        revoked = self._rows(
            "SELECT revoked_at FROM revocation WHERE member = ? ORDER BY number DESC LIMIT 1", (request.name,)
        )
        if revoked and _time(revoked[0]["revoked_at"]) >= _time(request.made_at):
            raise ConfigError(f"{said} is from before it was revoked, {_moment(revoked[0]['revoked_at'])}; {again}")

    def revoke(self, name: str) -> None:
        """Close the gateway to a member, have its node shut out, and ask it for terms anew if it comes back.

        Raises
        ------
        ConfigError
            There is no such member.
        """
        with self._transaction():
            at = now_text()
            self._write(
                "INSERT INTO revocation (member, revoked_at, node_id) SELECT name, ?, node_id FROM member "
                "WHERE name = ?",
                (at, name),
            )
            self._write("INSERT OR IGNORE INTO lapsed SELECT launch, member FROM terms WHERE member = ?", (name,))
            self.forget_peer(name)
            if not self._write("UPDATE member SET revoked_at = ?, node_id = NULL WHERE name = ?", (at, name)):
                names = ", ".join(member.name for member in self.members()) or "none"
                raise ConfigError(f"There is no member {name!r}; enrolled are: {names}.")

    def note_node(self, member: Member, node_id: int) -> bool:
        """Remember under which number Flower knows a member; False where it was revoked or has another key by now."""
        return bool(
            self._write(
                "UPDATE member SET node_id = ? WHERE name = ? AND node_key = ? AND revoked_at IS NULL",
                (str(node_id), member.name, member.node_key),
            )
        )

    def forget_nodes(self) -> None:
        """Have every member looked up at the SuperLink again, which may have lost its database."""
        self._write("UPDATE member SET node_id = NULL", ())

    def left(self) -> dict[int, str]:
        """Name the nodes of revoked members that the SuperLink has not shut out yet, with the member's name."""
        rows = self._rows("SELECT node_id, member FROM revocation WHERE node_id IS NOT NULL")
        return {int(row["node_id"]): row["member"] for row in rows}

    def note_shut_out(self, node_id: int) -> None:
        """Note that the SuperLink has shut a node out."""
        self._write("UPDATE revocation SET node_id = NULL WHERE node_id = ?", (str(node_id),))

    def note_protocol(self, name: str, protocol: int) -> None:
        """Remember the highest protocol that a member and this version both speak."""
        self._write(
            "INSERT INTO speaks (member, protocol) VALUES (?, ?) "
            "ON CONFLICT (member) DO UPDATE SET protocol = excluded.protocol",
            (name, protocol),
        )

    @abstractmethod
    def _read(self, read: Callable[[sqlite3.Row], Row], row: sqlite3.Row) -> Row:
        """Read one row, or say that it is damaged."""

    @abstractmethod
    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Ask."""

    @abstractmethod
    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        """Write; return how many rows that touched."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """Write all that is written inside, or nothing."""


def now_text() -> str:
    """Write the present moment, in UTC."""
    return datetime.now(UTC).isoformat()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(text: str) -> str:
    return f"{_time(text):%Y-%m-%d %H:%M:%S} UTC"


def _member(row: sqlite3.Row) -> Member:
    values = dict(row)
    node_id = values.pop("node_id")  # as text: Flower counts to 2^64, SQLite to 2^63
    return Member(node_id=None if node_id is None else int(node_id), **values)
