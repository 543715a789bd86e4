"""What privacy leaves of a federation's gain: a method's gain over the anchor, as a share of the one without noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.forecast.method import Method

NOTHING, EVERYTHING = "anchor", "federated"  # untrained, and trained without noise


@dataclass(frozen=True)
class Kept:
    """A share of the gain.

    Attributes
    ----------
    share
        1 where nothing is lost; above it where noise and clipping did good.
    spread
        Its standard deviation over seeds; 0 where there is one seed.
    """

    share: float
    spread: float


def kept_of_gain(summary: Mapping[str, Any], metric: str) -> dict[str, Kept]:
    """Tell it of every private method that is not personalised; of none where the gain itself is not known, or is none.

    Parameters
    ----------
    metric
        One that is better where it is lower.
    """
    scores = summary["methods"]
    nothing, everything = (scores.get(name, {}).get(metric) for name in (NOTHING, EVERYTHING))
    if nothing is None or everything is None or everything >= nothing:
        return {}
    gain = nothing - everything
    federated = {name: method for name in scores if (method := Method.parse(name)).is_federated and method.is_real}
    private = [name for name, method in federated.items() if method.is_private and not method.personalised]
    return {
        name: Kept((nothing - value) / gain, (summary["spread"].get(name, {}).get(metric) or 0.0) / gain)
        for name in private
        if (value := scores[name][metric]) is not None
    }
