"""How many of something, in words that heed one."""

from __future__ import annotations

from client.language.speech import tn


def count_products(number: int) -> str:
    """Say how many products."""
    return tn("1 product", "{number:,} products", number)


def count_customers(number: int) -> str:
    """Say how many customers."""
    return tn("1 customer", "{number:,} customers", number)


def count_lines(number: int) -> str:
    """Say how many lines."""
    return tn("1 line", "{number:,} lines", number)


def count_rows(number: int) -> str:
    """Say how many rows of a file."""
    return tn("1 row", "{number:,} rows", number)


def count_days(number: int) -> str:
    """Say how many days."""
    return tn("1 day", "{number:,} days", number)


def count_weeks(number: int) -> str:
    """Say how many weeks."""
    return tn("1 week", "{number:,} weeks", number)
