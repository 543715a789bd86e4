"""Where a merchant notes which set of survivors it agreed to: one per session and round, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from client.secure_sum.guard import other_set


@runtime_checkable  # beartype looks at arguments under pytest
class Agreements(Protocol):
    """Notes each agreed set durably before it is signed: the ledger for real merchants, memory in a simulation."""

    def note(self, session_hash: str, round_number: int, model_hash: str, survivors: Sequence[str]) -> None:
        """Note the one set, sorted, of a round and the model that it is about (check 2).

        Guarantee: when this returns, the set is noted for good, and the same words may be noted again.

        Raises
        ------
        PrivacyError
            Another set, or another model, is noted for the round.
        """


class MemoryAgreements:
    """Agreed sets that are gone with the process."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, int], tuple[str, tuple[str, ...]]] = {}

    def note(self, session_hash: str, round_number: int, model_hash: str, survivors: Sequence[str]) -> None:
        """Note the one set of a round."""
        agreed = model_hash, tuple(survivors)
        if self._noted.setdefault((session_hash, round_number), agreed) != agreed:
            raise other_set(round_number)
