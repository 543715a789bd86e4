"""A whole federation on one machine."""

from common.flower import silence_flower

silence_flower()
