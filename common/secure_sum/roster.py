"""Who takes part in a secure sum, and on which terms."""

from __future__ import annotations


def usual_terms(num_members: int) -> tuple[int, int]:
    """Return the usual threshold and number of colluders for a roster: a third may collude, the rest must suffice.

    For simulations, and for advice before a launch; a signed plan names its own.
    """
    colluders = (num_members - 1) // 3
    return (num_members + colluders) // 2 + 1, colluders
