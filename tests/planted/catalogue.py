"""All planted faults: those on which the audit was built, and those that were thought up without looking at it.

`FAULTS` stand in the order of the table in docs/audit.md and must be caught. `LATER` were written by somebody who had
not seen the audit, so the share of them that it catches says something about faults that nobody has thought of.
"""

import pytest

from planted import (
    channel,
    charge,
    clipping,
    coordinate,
    data,
    ledger,
    likelihood,
    message,
    noise,
    reading,
    restart,
    rounds,
    scale,
    surrounding,
)

FAULTS = (*noise.FAULTS, *clipping.FAULTS, *data.FAULTS, *message.FAULTS)
LATER = (
    *restart.FAULTS,
    *rounds.FAULTS,
    *scale.FAULTS,
    *coordinate.FAULTS,
    *channel.FAULTS,
    *likelihood.FAULTS,
    *reading.FAULTS,
    *ledger.FAULTS,
    *charge.FAULTS,
    *surrounding.FAULTS,
)


def plant(name: str, patch: pytest.MonkeyPatch) -> None:
    """Plant a fault by its name, as in a process that was started anew."""
    next(fault for fault in (*FAULTS, *LATER) if fault.name == name).plant(patch)
