"""All planted faults, in the order of the table in docs/audit.md."""

from planted import clipping, data, message, noise

FAULTS = (*noise.FAULTS, *clipping.FAULTS, *data.FAULTS, *message.FAULTS)
