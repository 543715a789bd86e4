"""The coordinator's side: rounds, aggregation, models; it never sees data."""

from common.machine.flower import silence_flower

silence_flower()
