"""Which round of which session of secure sums a message is about: the three fields that each of them has.

| field          | what it is                                                                              |
|----------------|-----------------------------------------------------------------------------------------|
| `plan_hash`    | about, str: `Plan.run_hash`, as in any round                                            |
| `session_hash` | about, str: run, roster, threshold and colluders (`common.secure_sum.roster.Session`)   |
| `round_number` | about, int: 1 for the first round                                                       |

See docs/protocol.md §5.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from flwr.app import ConfigRecord, RecordDict

from common.errors import MessageError
from common.message.record import ABOUT, check_hash, read_text, read_whole

PLACE_FIELDS = frozenset({"plan_hash", "session_hash", "round_number"})
MOST_ROUNDS = 1 << 20


@dataclass(frozen=True)
class Place:
    """One round of one session.

    Raises
    ------
    MessageError
        If a hash is none or the round is below 1.
    """

    plan_hash: str
    session_hash: str
    round_number: int

    def __post_init__(self) -> None:
        check_hash(self.plan_hash, "plan_hash")
        check_hash(self.session_hash, "session_hash")
        if not 1 <= self.round_number <= MOST_ROUNDS:
            raise MessageError("The round_number of a message is below 1, or beyond all plans.")


def write_place(place: Place, **fields: str | int | bytes) -> ConfigRecord:
    """Write a place, and what else a message says."""
    named: dict[str, str | int | bytes] = {
        "plan_hash": place.plan_hash,
        "session_hash": place.session_hash,
        "round_number": place.round_number,
    }
    return ConfigRecord(named | fields)  # type: ignore[arg-type]  # Flower's own type knows them, and no mapping of them


def read_place(about: ConfigRecord) -> Place:
    """Read which round of which session a message is about.

    Raises
    ------
    MessageError
        It does not say.
    """
    return Place(read_text(about, "plan_hash"), read_text(about, "session_hash"), read_whole(about, "round_number"))


def require_same_place(place: Place, expected: Place) -> None:
    """Refuse an answer to another question.

    Raises
    ------
    MessageError
        It is one.
    """
    if place != expected:
        raise MessageError("the answer belongs to another round or sum")


def read_run(record: RecordDict) -> str:
    """Read which run a message is about, before anything else of it is looked at.

    Raises
    ------
    MessageError
        It does not say.
    """
    about = record.get(ABOUT)
    if not isinstance(about, ConfigRecord) or "plan_hash" not in about:
        raise MessageError("A message does not say which plan it is about.")
    return read_text(about, "plan_hash")
