"""What privacy leaves of a federation's gain: a method's gain, as a share of the one without noise.

The gain is over what nobody had to share data for: the public model where the run holds it and it is better than the
anchor, else the anchor. Over the anchor alone the public model's merit would count as the federation's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.forecast.method import Method

UNSHARED, EVERYTHING = ("anchor", "warm"), "federated"  # trained on nobody's data, and without noise


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


def name_unshared(summary: Mapping[str, Any], metric: str) -> str:
    """Name the better of the anchor and the public model, as far as the run holds them; else the anchor."""
    scores = summary["methods"]
    known = {name: loss for name in UNSHARED if (loss := scores.get(name, {}).get(metric)) is not None}
    return min(known, key=lambda name: known[name], default=UNSHARED[0])


def kept_of_gain(summary: Mapping[str, Any], metric: str) -> dict[str, Kept]:
    """Tell it of every private method that is not personalised; of none where the gain itself is not known, or is none.

    Parameters
    ----------
    metric
        One that is better where it is lower.
    """
    scores = summary["methods"]
    nothing, everything = (scores.get(name, {}).get(metric) for name in (name_unshared(summary, metric), EVERYTHING))
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
