"""What parts of an edition are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from client.shop.forecast.setting import OnStep
from client.shop.history.history import History
from client.shop.settings import Shop


@dataclass(frozen=True)
class Source:
    """A state of the shop.

    Attributes
    ----------
    history
        Of the snapshot.
    folder
        The shop's own, where what is served is kept for `score`.
    """

    history: History
    shop: Shop
    day: date
    folder: Path
    on_step: OnStep
