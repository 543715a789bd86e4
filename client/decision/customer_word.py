"""A customer on a screen: the first digits of the hash, which every command takes in place of all of them."""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import ConfigError

SHORT = 12  # digits; that two of a million customers share them has a chance of 1 in 500
FEWEST = 4  # digits that name anybody


def shorten(customer: str) -> str:
    """Give the short form of a customer."""
    return customer[:SHORT]


def find_customer(text: str, customers: Sequence[str]) -> int:
    """Find the place of the customer whose hash is `text` or begins with it.

    Raises
    ------
    ConfigError
        No customer's does, or those of several do.
    """
    asked = text.strip()
    if asked in customers:
        return list(customers).index(asked)
    wanted = asked.lower()
    found = [place for place, name in enumerate(customers) if name.startswith(wanted)] if len(wanted) >= FEWEST else []
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"{len(found):,} customers begin with {asked[:64]!r}; give more digits, as "
            f"{customers[found[0]][: max(SHORT, len(wanted) + FEWEST)]}."
        )
    raise ConfigError(
        f"No customer {asked[:64]!r} is in the history; give the digits that hansa-client customers and hansa-client "
        f"recommend show, {FEWEST} at least."
    )
