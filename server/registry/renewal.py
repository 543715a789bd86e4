"""What the registry remembers of certificates and rotations.

certificate    every certificate that opens the gateway, and whose it is
welcome        the latest welcome that was issued to a member live, in which state, and since when it is used
succession     how the coordinator's signing keys followed each other, signed
rotation       that an authority was followed by another
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from common.message.signature import Signed


@dataclass(frozen=True)
class Certified:
    """A certificate of a member, as PEM."""

    fingerprint: str
    member: str
    pem: str


@dataclass(frozen=True)
class Issued:
    """The latest live welcome of a member.

    Attributes
    ----------
    digest
        Names the state of the federation that it tells of; see `server.rotation.Trust`.
    taken_at
        None where the member has not said that it uses it.
    """

    member: str
    content: bytes
    welcome_hash: str
    digest: str
    taken_at: str | None


class Renewals:
    """The part of a registry that is about certificates and rotations."""

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        raise NotImplementedError

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        raise NotImplementedError

    def certificates(self) -> Mapping[str, list[Certified]]:
        """Every certificate that is known as PEM, by member, in the order in which they came."""
        found: dict[str, list[Certified]] = defaultdict(list)
        for row in self._rows("SELECT * FROM certificate ORDER BY rowid"):
            found[row["member"]].append(Certified(**row))
        return found

    def is_certified(self, fingerprint: str, *, member: str) -> bool:
        """Whether a member's certificate is known as PEM."""
        found = self._rows("SELECT 1 FROM certificate WHERE fingerprint = ? AND member = ?", (fingerprint, member))
        return bool(found)

    def note_certificate(self, fingerprint: str, *, member: str, pem: str) -> None:
        """Let a member in by one more certificate."""
        self._write("INSERT OR IGNORE INTO certificate VALUES (?, ?, ?)", (fingerprint, member, pem))

    def note_own_certificate(self, fingerprint: str, *, member: str, pem: str) -> None:
        """Note as PEM the certificate that a member was enrolled with; any other, also an earlier one, stays out."""
        self._write(
            "INSERT OR IGNORE INTO certificate SELECT certificate, name, ? FROM member "
            "WHERE name = ? AND certificate = ? AND revoked_at IS NULL",
            (pem, member, fingerprint),
        )

    def note_further_certificate(self, fingerprint: str, *, member: str, pem: str, known: str) -> bool:
        """Let a member in by one more certificate, for the key of one that is known.

        Returns
        -------
        bool
            False, and nothing is noted, where the known one (PEM) does not count any more: the member was revoked, or
            enrolled with another key meanwhile.
        """
        return bool(
            self._write(
                "INSERT INTO certificate SELECT ?, name, ? FROM member WHERE name = ? AND revoked_at IS NULL "
                "AND EXISTS (SELECT 1 FROM certificate WHERE certificate.member = name AND certificate.pem = ?)",
                (fingerprint, pem, member, known),
            )
        )

    def forget_certificates(self, member: str) -> None:
        """Forget a member's certificates, and the welcome that was handed to it live."""
        self._write("DELETE FROM certificate WHERE member = ?", (member,))
        self._write("DELETE FROM welcome WHERE member = ?", (member,))

    def welcomes(self) -> list[Issued]:
        """Give the latest live welcome of every member that has one."""
        return [Issued(**row) for row in self._rows("SELECT * FROM welcome ORDER BY member")]

    def note_welcome(self, member: str, *, content: bytes, welcome_hash: str, digest: str) -> None:
        """Remember what a member is to use; it is not said to use it yet."""
        self._write("INSERT OR REPLACE INTO welcome VALUES (?, ?, ?, ?, NULL)", (member, content, welcome_hash, digest))

    def note_welcome_taken(self, member: str, welcome_hash: str) -> None:
        """Note that a member uses its welcome; a receipt for an earlier one says nothing."""
        self._write(
            "UPDATE welcome SET taken_at = ? WHERE member = ? AND welcome_hash = ?",
            (datetime.now(UTC).isoformat(), member, welcome_hash),
        )

    def successions(self) -> list[Signed]:
        """How the signing keys followed each other, the first one first."""
        rows = self._rows("SELECT content, signature FROM succession ORDER BY number")
        return [Signed(row["content"], row["signature"]) for row in rows]

    def add_succession(self, signed: Signed) -> None:
        """Remember that a key was named by the one that it follows."""
        self._write("INSERT INTO succession (content, signature) VALUES (?, ?)", (signed.content, signed.signature))

    def is_rotated(self) -> bool:
        """Whether an authority was ever followed by another."""
        return bool(self._rows("SELECT number FROM rotation LIMIT 1"))

    def note_rotation(self, what: str) -> None:
        """Remember that something is followed by another."""
        self._write("INSERT INTO rotation (what, at) VALUES (?, ?)", (what, datetime.now(UTC).isoformat()))
