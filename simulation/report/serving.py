"""What serves each merchant of a run: the candidates that a router averages for it, and their shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.forecast.method import Method

LEAST_SHOWN = 0.005  # of a share


@dataclass(frozen=True)
class ServedMerchant:
    """One merchant.

    Attributes
    ----------
    federated
        The share that rests on the federation, or on a control in its place.
    shares
        CANDIDATE → its share, the largest first; those that are next to nothing are left out.
    """

    name: str
    federated: float
    shares: dict[str, float]


def list_served(summary: Mapping[str, Any], method: str) -> list[ServedMerchant]:
    """List what serves each merchant by a routed method; none for any other."""
    return [_serve(name, shares) for name, shares in summary["choices"].get(method, {}).items()]


def _serve(name: str, shares: Mapping[str, float]) -> ServedMerchant:
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return ServedMerchant(
        name,
        sum((share for candidate, share in ordered if Method.parse(candidate).is_federated), 0.0),
        {candidate: share for candidate, share in ordered if share >= LEAST_SHOWN},
    )
