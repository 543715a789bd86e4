"""How many members sum together: a roster too long for one sum is cut into several of about a hundred."""

from __future__ import annotations

from common.secure_sum.roster import MOST_MEMBERS

USUAL_COHORT = 100


def cohort_sizes(num_members: int) -> tuple[int, ...]:
    """Cut a roster into cohorts as equal as can be, each with a secure sum of its own; a short one stays whole."""
    if num_members <= MOST_MEMBERS:
        return (num_members,)
    number = round(num_members / USUAL_COHORT)
    return tuple(num_members // number + (place < num_members % number) for place in range(number))
