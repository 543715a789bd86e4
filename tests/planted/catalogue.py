"""All planted faults, and the row of the table of leaks that each belongs to."""

from planted import clipping, data, message, noise

FAULTS = (*noise.FAULTS, *clipping.FAULTS, *data.FAULTS, *message.FAULTS)
