"""Which products are sold no longer: `check` says so of them, `recommend` does not offer them, and none is ordered."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from client.decision.order.gathering import Gathered
from client.shop.calendar.life import find_lives
from client.shop.calendar.sold import read_sold
from client.shop.history.history import History


def find_ended(history: History, known: Gathered) -> Bool[np.ndarray, " product"]:
    """Say which products are silent beyond chance by their own rhythm, though there are some or nothing tells how many.

    One of which none is there may be silent for that alone, and is ordered as it was.
    """
    sold = read_sold(history)
    ended = {life.product for life in find_lives(sold, sold.lines_by_day > 0) if life.is_ended}
    return np.array([name in ended for name in known.products], bool) & ~(known.on_hand <= 0)
