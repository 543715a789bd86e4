"""Who is there and who takes part: two different things, and five different words.

Of the line, by when the gateway last let a member through: `online`, `offline`, or nothing where no gateway runs. Of a
launch, by what a member said to it: `accepted`, `declined`, or `silent` where it is online while the launch runs and
has said neither in a way that counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from server.process.seen import Seen, is_fresh
from server.registry.registry import Launch, Member, MemberTerms, State

ONLINE, OFFLINE = "online", "offline"


def describe_line(member: Member, seen: Seen | None, *, now: datetime) -> dict[str, Any]:
    """Say whether a member is connected, and when it was seen last; None where that is not known."""
    last = seen.last.get(member.name) if seen else None
    known = seen is not None and is_fresh(seen, now=now) and member.is_welcome
    line = (ONLINE if seen.is_online(member.name) else OFFLINE) if known and seen is not None else None
    return {"line": line, "last_seen": last.isoformat() if last else None}


def find_silent(launch: Launch, terms: Iterable[MemberTerms], online: Collection[str]) -> list[str]:
    """Name who is online while a launch runs, and has said neither yes nor no to it."""
    if launch.state != State.RUNNING:
        return []
    said = {found.member for found in terms if not found.is_lapsed}
    return sorted(name for name in online if name not in said)
