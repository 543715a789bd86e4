"""Who is to blame for shares that do not fit: who told them, or who made them.

Of a share that is wrong, or that its holder could not open, either its holder is at fault or its owner, and no
cryptography tells which. But no more than c members lie, so where more than c holders have no right share of one owner,
the owner made them wrong. Everything else is said of the holder, with the owner's name, for a person to judge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.secure_sum.recovery import Recovered
from common.secure_sum.roster import Session


@dataclass(frozen=True)
class Blame:
    """What is said of members in a round whose sum may have come out all the same.

    Attributes
    ----------
    owners
        By name, of whom shares are broken: no round with it gives a sum.
    holders
        By name, who told shares that do not fit, or could not open some.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> dict[str, str]:
        """Return what is said, by name."""
        return {**self.holders, **self.owners}


def find_blame(session: Session, secrets: Recovered) -> Blame:
    """Say who is to blame for what does not fit."""
    bad = Counter(owner for _, owner in secrets.wrong | secrets.missing)
    broken = {owner for owner, count in bad.items() if count > session.colluders}
    owners = dict.fromkeys(sorted(broken), "more members than may lie have no right share of its secrets: it made them")
    if len(secrets.unknown) <= session.colluders:  # else it is those who told them
        for owner in secrets.unknown:
            owners.setdefault(
                owner, "what others told of its secrets is not what it published: it made wrong shares, or they lie"
            )
    told, closed = _by_holder(secrets.wrong, owners), _by_holder(secrets.missing, owners)
    holders = {
        name: "; ".join(
            said
            for said in (
                f"it told wrong shares of {', '.join(told[name])}" if name in told else "",
                f"it could not open what {', '.join(closed[name])} sealed for it" if name in closed else "",
            )
            if said
        )
        for name in sorted(told.keys() | closed.keys())
    }
    return Blame(owners, holders)


def _by_holder(pairs: frozenset[tuple[str, str]], owners: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for holder, owner in sorted(pairs):
        if owner not in owners:
            found[holder].append(owner)
    return dict(found)
