"""The ledger as the place where the one set of survivors of a round is noted, before it is signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from client.account.ledger.entry import Agreed, digest_survivors
from client.account.ledger.ledger import Ledger, now_utc


class LedgerAgreements:
    """Note agreed sets in a merchant's ledger; see `client.secure_sum.agreed.Agreements`."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], datetime] = now_utc) -> None:
        self._ledger, self._clock = ledger, clock

    def note(self, session_hash: str, round_number: int, model_hash: str, survivors: Sequence[str]) -> None:
        """Note the one set of a round that was charged; see `Ledger.agree`.

        Raises
        ------
        PrivacyError
            Another set, or one at another model, is noted, or nothing was charged for the round.
        """
        self._ledger.agree(
            Agreed(
                kind="agreed",
                at=self._clock(),
                session=session_hash,
                round_number=round_number,
                model_hash=model_hash,
                num_survivors=len(survivors),
                survivors=digest_survivors(survivors),
            )
        )
