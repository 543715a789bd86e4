"""Why a product is offered, in one sentence that a shop owner can check."""

from __future__ import annotations

from datetime import date

from client.language.speech import join, t, tn


def say_again(times: int, last: date) -> str:
    """Of a product that she had."""
    return tn("bought on {number:,} day, last on {last}", "bought on {number:,} days, last on {last}", times, last=last)


def say_alike(source: str, both: int, of: int) -> str:
    """Of a product whose buyers bought what she bought."""
    return tn(
        "bought with {source} by {both:,} of {number:,} customer",
        "bought with {source} by {both:,} of {number:,} customers",
        of,
        source=source,
        both=both,
    )


def say_together(source: str, both: int, of: int, lift: float) -> str:
    """Of a product that is in the same baskets."""
    said = tn(
        "in {both:,} of {number:,} basket with {source}",
        "in {both:,} of {number:,} baskets with {source}",
        of,
        source=source,
        both=both,
    )
    if lift < 1.05:
        return said
    return join((said, t(", {lift:.1f} times as often as by chance", lift=lift)))


def say_wanted(times: int, weeks: int) -> str:
    """Of a product that many want now."""
    return tn(
        "sold {number:,} time in the last {weeks} weeks",
        "sold {number:,} times in the last {weeks} weeks",
        times,
        weeks=weeks,
    )
