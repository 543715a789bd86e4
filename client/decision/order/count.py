"""How many products or lines, in words."""

from __future__ import annotations

from client.language.speech import tn


def count_products(number: int) -> str:
    """Say how many products."""
    return tn("1 product", "{number:,} products", number)


def count_lines(number: int) -> str:
    """Say how many lines."""
    return tn("1 line", "{number:,} lines", number)
