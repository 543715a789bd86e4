"""Take methods apart that look at nothing but a product's own past: how high its days were lately, and by weekday."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from client.explanation.part import Daily, Parts, no_parts, place
from client.explanation.start import Start


def split_plain(mean: Daily, start: Start, days: slice) -> Parts:
    """Give what a simple or classic method says beyond the anchor.

    Its own level, the mean over the weekdays of the horizon, each once, tells how the last weeks were; what a day
    differs from that level is its weekday.
    """
    level = _level(mean, start)
    is_open = start.is_open[:, days]
    anchor = start.anchor[:, days] * is_open
    own, usual = level[:, None] * is_open, start.usual[:, None] * is_open
    parts = no_parts(len(mean))
    parts[place("recent")] = (own - usual).sum(axis=1)
    parts[place("weekday")] = ((mean[:, days] - own) - (anchor - usual)).sum(axis=1)
    return parts


def _level(mean: Daily, start: Start) -> np.ndarray:
    """Give the mean of the weekdays that are open some time in the horizon; the usual level where there is none."""
    total, weekdays = np.zeros(len(mean)), np.zeros(len(mean))
    for weekday in range(7):
        here: Bool[np.ndarray, "product day"] = start.is_open & start.is_usual & (start.weekday == weekday)
        count = here.sum(axis=1)
        total += np.where(count > 0, (mean * here).sum(axis=1) / np.maximum(count, 1), 0.0)
        weekdays += count > 0
    return np.where(weekdays > 0, total / np.maximum(weekdays, 1), start.usual)
