"""What a merchant remembers of the rounds that it answered, so that none is answered twice in different words.

An answer log has two implementations: this one, in memory, for a whole federation in one process; and
`client.account.ledger.answer_log`, which charges the merchant's ledger and seals every message on its disk.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from flwr.app import RecordDict

from client.account.late_round import round_is_over
from common.message.round import RoundRequest
from common.privacy.mechanism import Mechanism


@runtime_checkable  # beartype looks at arguments under pytest
class AnswerLog(Protocol):
    """Charge a round before anything is computed for it; seal its answer before it is sent."""

    def reserve(self, request: RoundRequest, mechanism: Mechanism) -> RecordDict | None:
        """Charge for one release of `mechanism`, and return None; or return the answer that is sealed already.

        A request that was charged and has no sealed answer is not charged again: what was computed for it
        never left.

        Raises
        ------
        HansaError
            The round may not be answered: nothing is charged.
        """

    def seal(self, request: RoundRequest, answer: RecordDict) -> RecordDict:
        """Keep the answer to a charged request; return what may be sent: the first answer ever sealed for it."""

    def model_of(self, round_number: int) -> str | None:
        """Name the model, by its hash, that a round was charged for; None where it was not."""


class MemoryAnswerLog:
    """Remember the latest answer for as long as the process lives; there is nothing to pay with."""

    def __init__(self) -> None:
        self._latest: tuple[RoundRequest, RecordDict] | None = None

    def reserve(self, request: RoundRequest, mechanism: Mechanism) -> RecordDict | None:
        """Return the latest answer if `request` asks for it again, None if it asks for a later round."""
        if self._latest is None:
            return None
        asked, answer = self._latest
        if request.round_number > asked.round_number:
            return None
        if (request.round_number, request.model_hash) != (asked.round_number, asked.model_hash):
            raise round_is_over(request.round_number, asked.round_number)
        return answer

    def seal(self, request: RoundRequest, answer: RecordDict) -> RecordDict:
        """Keep the answer."""
        self._latest = request, answer
        return answer

    def model_of(self, round_number: int) -> str | None:
        """Name the model of the latest round."""
        asked = None if self._latest is None else self._latest[0]
        return asked.model_hash if asked is not None and asked.round_number == round_number else None
