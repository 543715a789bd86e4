"""Who takes part in a sum, and on which terms: one session, which every signature, key and seal names.

A session is one run with one roster. Its hash covers both, so keys that were signed for it bind both: a member that
was shown another roster has another session, and nothing that it says is accepted anywhere else. See docs/protocol.md
§10.1.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import Field

from common.errors import ConfigError, MessageError
from common.plan.schema import Count, Section

MOST_MEMBERS = 300  # above it, shares and the masks of those who are lost take minutes: sum in cohorts
MOST_NAME_BYTES = 1000


class Peer(Section):
    """A merchant as every other merchant of a sum knows it.

    Attributes
    ----------
    key
        The 32 bytes of its Ed25519 public key, in lower-case hex; `name_key` of them is what is told by telephone.
    size_class
        Its declared number of entities, rounded up; the sum of all is the public divisor.
    """

    name: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_class: Count


@dataclass(frozen=True)
class Session:
    """One run with one roster.

    Parameters
    ----------
    run_hash
        `Plan.run_hash`.
    roster
        Sorted by name, 2 to 300 peers, names and keys distinct.
    threshold
        t: fewer than that many are never summed.
    colluders
        c: with so many of the roster on the coordinator's side the sum still cannot be taken apart.

    Raises
    ------
    ConfigError
        If the terms are not legal for so many members.
    MessageError
        If the roster is none.

    Notes
    -----
    **Guarantee**: 2 t > n + c. Two sets that t members each have signed for share at least one honest member, which
    signs one set per round; so at most one set is ever revealed (Bonawitz et al. 2017, §6.2).
    """

    run_hash: str
    roster: tuple[Peer, ...]
    threshold: int
    colluders: int

    def __post_init__(self) -> None:
        if len(self.run_hash) != 64 or not set(self.run_hash) <= set("0123456789abcdef"):
            raise MessageError("A sum's run hash must be 64 hex digits.")
        require_roster(self.roster)
        require_terms(len(self.roster), self.threshold, self.colluders)

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hex, over run, roster and terms."""
        written = {
            "run_hash": self.run_hash,
            "roster": [peer.model_dump(mode="json") for peer in self.roster],
            "threshold": self.threshold,
            "colluders": self.colluders,
        }
        return hashlib.sha256(b"hansa sum\0" + json.dumps(written, separators=(",", ":")).encode()).hexdigest()

    @property
    def noise_share(self) -> int:
        """Return h: so many honest members' noise is in every sum, and each adds the h-th part of the variance."""
        return self.threshold - self.colluders

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        return tuple(peer.name for peer in self.roster)

    def peer(self, name: str) -> Peer:
        """Give one peer.

        Raises
        ------
        MessageError
            It is not in the roster.
        """
        return self.roster[self.point(name) - 1]

    def point(self, name: str) -> int:
        """Return where a member's shares are evaluated: 1 + its place in the roster.

        Raises
        ------
        MessageError
            It is not in the roster.
        """
        try:
            return self._points[name]
        except KeyError:
            raise MessageError(f"{name!r} is not in the roster of this sum.") from None

    @cached_property
    def _points(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names, start=1)}


def usual_terms(num_members: int) -> tuple[int, int]:
    """Return threshold and colluders for so many members: a third may collude, and as many may drop out.

    Raises
    ------
    ConfigError
        If so many cannot be summed at all.
    """
    colluders = max(1, (num_members - 1) // 3)
    threshold = least_threshold(num_members, colluders)
    require_terms(num_members, threshold, colluders)
    return threshold, colluders


def least_threshold(num_members: int, colluders: int) -> int:
    """Return the smallest t with 2 t > n + c."""
    return (num_members + colluders) // 2 + 1


def require_terms(num_members: int, threshold: int, colluders: int) -> None:
    """Refuse terms under which two sets of one round could both be signed, or nobody's noise is sure (check 6).

    Raises
    ------
    ConfigError
        They are such.
    """
    if not 2 <= num_members <= MOST_MEMBERS:
        raise ConfigError(f"A sum has 2 to {MOST_MEMBERS} members, not {num_members}; form cohorts of about 100.")
    least = least_threshold(num_members, colluders)
    if not 1 <= colluders < threshold:
        raise ConfigError(
            f"privacy.sum: colluders is {colluders}, it must be at least 1 and below the threshold {threshold}."
        )
    if not least <= threshold <= num_members:
        raise ConfigError(
            f"privacy.sum: with {num_members} members and {colluders} colluders the threshold must lie between {least} "
            f"and {num_members}, not at {threshold}."
        )


def require_roster(roster: tuple[Peer, ...]) -> None:
    """Refuse a roster that is not sorted by name, or in which a name or a key stands twice.

    Raises
    ------
    MessageError
        It is such.
    """
    names = [peer.name for peer in roster]
    if names != sorted(set(names)):
        raise MessageError("A roster must be sorted by name, each name once.")
    if len({peer.key for peer in roster}) != len(roster):
        raise MessageError("Two members of a roster have the same key; each merchant makes its own.")
    if any(len(name.encode()) > MOST_NAME_BYTES for name in names):
        raise MessageError(f"A name in a roster is longer than {MOST_NAME_BYTES} bytes.")
