"""A whole federation on one machine."""

from common.machine.flower import silence_flower

silence_flower()
