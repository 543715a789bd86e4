"""Why a product is offered, in one sentence that a shop owner can check."""

from __future__ import annotations

from datetime import date


def say_again(times: int, last: date) -> str:
    """Of a product that she had."""
    return f"bought on {_count(times, 'day', 'days')}, last on {last}"


def say_alike(source: str, both: int, of: int) -> str:
    """Of a product whose buyers bought what she bought."""
    return f"bought with {source} by {both:,} of {_count(of, 'customer', 'customers')}"


def say_together(source: str, both: int, of: int, lift: float) -> str:
    """Of a product that is in the same baskets."""
    chance = f", {lift:.1f} times as often as by chance" if lift >= 1.05 else ""
    return f"in {both:,} of {_count(of, 'basket', 'baskets')} with {source}{chance}"


def say_wanted(times: int, weeks: int) -> str:
    """Of a product that many want now."""
    return f"sold {_count(times, 'time', 'times')} in the last {weeks} weeks"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
