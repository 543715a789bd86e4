"""Who sums with whom: a roster that is too long for one sum is cut into cohorts, each with a secure sum of its own.

Everybody can work out the cohorts from a signed proposal, and nobody chooses them: members stand in the order of a hash
over run, whole roster and their own key, so another name or key anywhere puts all of them elsewhere. Whoever makes the
roster can still try rosters until one suits it. So threshold, colluders, and what a merchant asks of its peers are of
its own cohort, never of the roster. See docs/protocol.md §10.1.
"""

from __future__ import annotations

import hashlib
import json

from common.errors import ConfigError, MessageError
from common.plan.schema import SumPlan
from common.secure_sum.roster import MOST_MEMBERS, Peer, Session, least_threshold, require_roster, require_terms

USUAL_COHORT = 100


def cohort_sizes(num_members: int, usual: int | None = None) -> tuple[int, ...]:
    """Cut a roster into cohorts as equal as can be, each with a secure sum of its own.

    Parameters
    ----------
    usual
        About how many members a cohort has; if left out a roster of up to 300 stays whole, and a longer one is cut into
        cohorts of about 100.

    Returns
    -------
    tuple[int, ...]
        Sizes, larger ones first; they differ by at most one, and none is above 300.
    """
    if usual is None and num_members <= MOST_MEMBERS:
        return (num_members,)
    number = max(1, round(num_members / (usual or USUAL_COHORT)), -(-num_members // MOST_MEMBERS))
    return tuple(num_members // number + (place < num_members % number) for place in range(number))


def form_cohorts(roster: tuple[Peer, ...], run_hash: str, usual: int | None = None) -> tuple[tuple[Peer, ...], ...]:
    """Cut a roster, sorted by name, into cohorts that are each sorted by name.

    Raises
    ------
    MessageError
        The roster is none.
    """
    require_roster(roster)
    sizes = cohort_sizes(len(roster), usual)
    if len(sizes) == 1:
        return (roster,)
    written = {"run_hash": run_hash, "roster": [peer.model_dump(mode="json") for peer in roster]}
    content = b"hansa sum cohorts\0" + json.dumps(written, separators=(",", ":")).encode()
    seed = hashlib.sha256(content).digest()
    drawn = sorted(roster, key=lambda peer: hashlib.sha256(seed + bytes.fromhex(peer.key)).digest())
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    cohorts = (drawn[end - size : end] for size, end in zip(sizes, ends, strict=True))
    return tuple(tuple(sorted(cohort, key=lambda peer: peer.name)) for cohort in cohorts)


def form_sessions(roster: tuple[Peer, ...], run_hash: str, terms: SumPlan) -> tuple[Session, ...]:
    """Give the session of every cohort; of a roster that stays whole, the one of all.

    Raises
    ------
    ConfigError
        The terms are not legal for a cohort.
    MessageError
        The roster is none.
    """
    cohorts = form_cohorts(roster, run_hash, terms.cohort)
    return tuple(Session(run_hash, cohort, terms.threshold, terms.colluders) for cohort in cohorts)


def session_of(name: str, sessions: tuple[Session, ...]) -> Session:
    """Give the session that a member is in.

    Raises
    ------
    MessageError
        It is in none.
    """
    for session in sessions:
        if name in session.names:
            return session
    raise MessageError(f"{name!r} is not in the roster of this sum.")


def require_cohort_terms(num_members: int, terms: SumPlan) -> None:
    """Refuse terms that are not legal for every cohort of so many members.

    Raises
    ------
    ConfigError
        They are not.
    """
    for size in sorted(set(cohort_sizes(num_members, terms.cohort))):
        require_terms(size, terms.threshold, terms.colluders)


def usual_cohort_terms(num_members: int, usual: int | None = None) -> tuple[int, int]:
    """Return threshold and colluders, one pair for every cohort of so many members: a third may collude.

    Raises
    ------
    ConfigError
        No pair is legal for all of them.
    """
    sizes = cohort_sizes(num_members, usual)
    colluders = max(1, (min(sizes) - 1) // 3)
    threshold = least_threshold(max(sizes), colluders)
    for size in set(sizes):
        try:
            require_terms(size, threshold, colluders)
        except ConfigError as error:
            raise ConfigError(
                f"{num_members} members cannot be cut into sums of {min(sizes)} and {max(sizes)}; choose another "
                "privacy.sum.cohort."
            ) from error
    return threshold, colluders
