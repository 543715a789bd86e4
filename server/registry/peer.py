"""By which key the members of a secure sum know each other: the registry's table of peer keys.

A member that is revoked is forgotten here: let in again, perhaps from another folder, it is asked anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime


class Peers:
    """The part of a registry that is about peer keys."""

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        raise NotImplementedError

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        raise NotImplementedError

    def peer_keys(self) -> Mapping[str, str]:
        """Give every peer key that is known (32 public bytes in hex), by member."""
        return {row["member"]: row["key"] for row in self._rows("SELECT member, key FROM peer ORDER BY member")}

    def peer_key(self, member: str) -> str | None:
        """Give a member's peer key; None where it is not known."""
        rows = self._rows("SELECT key FROM peer WHERE member = ?", (member,))
        return rows[0]["key"] if rows else None

    def note_peer(self, member: str, key: str) -> bool:
        """Note a member's peer key, in place of an earlier one; False where it is another member's."""
        return bool(
            self._write(
                "INSERT INTO peer (member, key, noted_at) SELECT ?, ?, ? "
                "WHERE NOT EXISTS (SELECT 1 FROM peer WHERE key = ? AND member != ?) "
                "ON CONFLICT (member) DO UPDATE SET key = excluded.key, noted_at = excluded.noted_at",
                (member, key, datetime.now(UTC).isoformat(), key, member),
            )
        )

    def forget_peer(self, member: str) -> None:
        """Forget a member's peer key."""
        self._write("DELETE FROM peer WHERE member = ?", (member,))
