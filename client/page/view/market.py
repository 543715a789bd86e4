"""The market: what rises and falls, what was not expected, what reviews tell, and how good the forecasts were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
RECENT_STEPS = 3  # changes of groups that Today names at most


def show_market(market: Document, score: Document, reviews: Document) -> dict[str, Any]:
    """Lay out what an edition says."""
    groups = [(_kind(group), group["sentences"]) for group in market.get("groups", []) if group.get("sentences")]
    return {
        "drifts": _drifts(score),
        "groups": groups,
        "notes": market.get("notes", []),
        "surprises": market.get("surprises", {}).get("sentences", []),
        "reviews": reviews.get("sentences", []),
        "trust": [*score.get("sentences", []), *score.get("watch_sentences", [])],
    }


def _kind(group: Document) -> str:
    """Tell up from down, where an interval leaves no doubt."""
    low, high = group.get("trend_low_per_month"), group.get("trend_high_per_month")
    if low is not None and low > 0:
        return "up"
    if high is not None and high < 0:
        return "down"
    return ""


def _drifts(score: Document) -> list[str]:
    watch = score.get("watch")
    return list(score.get("watch_sentences", []))[: len(watch["drifts"])] if watch else []


def list_changes(market: Document, score: Document, reviews: Document) -> list[tuple[str, str]]:
    """List what changed for Today: drifts, surprises, changes of mood and of groups, each with its kind."""
    found = [("warning", sentence) for sentence in _drifts(score)]
    found += _list_surprises(market)
    found += [("", sentence) for sentence in reviews.get("sentences", [])[: len(reviews.get("changes", []))]]
    stepped = [group for group in market.get("groups", []) if group.get("steps") and group.get("sentences")]
    return [*found, *((_kind(group), _last(group["sentences"])) for group in stepped[:RECENT_STEPS])]


def _list_surprises(market: Document) -> list[tuple[str, str]]:
    products = market.get("surprises", {}).get("products", [])
    sentences: Sequence[str] = market.get("surprises", {}).get("lines", [])
    return [
        ("up" if each["sold"] > each["expected"] else "down", sentence)
        for each, sentence in zip(products, sentences, strict=False)
    ]


def _last(sentences: Sequence[str]) -> str:
    return " ".join(sentence.strip() for sentence in sentences[:2])
