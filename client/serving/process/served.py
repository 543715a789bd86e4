"""What is served now: one reference to an edition, swapped whole, and what is known of the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from client.serving.edition.edition import Edition


@dataclass
class Making:
    """An edition that is being made.

    Attributes
    ----------
    share
        That is done, from 0 to 1.
    """

    began: datetime
    what: str = ""
    share: float = 0.0


@dataclass
class Served:
    """What is served now; only the keeper changes it.

    Attributes
    ----------
    current
        Take it once for a request, and answer wholly from what was taken. None until the first is made.
    is_stale
        Whether the shop has changed since, so that a newer one is wanted or being made.
    making
        How far the next one is, if one is being made.
    trouble
        Why the last attempt made none, in a sentence.
    swaps
        How often `current` was replaced.
    """

    current: Edition | None = None
    is_stale: bool = True
    making: Making | None = None
    trouble: str = ""
    swaps: int = 0
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def swap(self, edition: Edition) -> None:
        """Serve another edition from now on."""
        self.current, self.trouble, self.swaps = edition, "", self.swaps + 1
