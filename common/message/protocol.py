"""Which forms of the messages an end speaks, and the highest that both do (docs/protocol.md §5.1).

The numbers travel as a header of every request to the gateway and of every answer of it. An end from before there
were numbers neither sends the header nor looks at it; it speaks protocol 1.

    1    as first released
    2    a proposal and a release name the public model that training starts from, a proposal names its quorum, every
         round is called with who is asked, signed, and a welcome may come as a message
    3    a proposal may have a roster, and the rounds of such a plan are secure sums (docs/protocol.md §5.9 to §5.14);
         a message comes, and its answer goes, in one piece (§5.15)
"""

from __future__ import annotations

import re

HEADER = "hansa-protocol"
FIRST = range(1, 2)
SPOKEN = range(1, 4)
WELCOMES = 2  # the first protocol in which a welcome may come as a message
SUMS = 3  # the first protocol in which a plan may be a secure sum
PARCELS = 3  # the first protocol in which a message comes and goes in one piece


def write_spoken(spoken: range = SPOKEN) -> str:
    """Write what is spoken, lowest and highest, as the header's value."""
    return f"{spoken[0]}-{spoken[-1]}"


def read_spoken(header: str | None) -> range:
    """Read what the other end speaks; who does not say it in this form speaks protocol 1."""
    found = re.fullmatch(r"([1-9]\d{0,3})-([1-9]\d{0,3})", header or "")
    spoken = range(int(found[1]), int(found[2]) + 1) if found else FIRST
    return spoken or FIRST


def choose_protocol(theirs: range, ours: range = SPOKEN) -> int | None:
    """Return the highest number that both ends speak; None where there is none."""
    return max(set(theirs) & set(ours), default=None)
