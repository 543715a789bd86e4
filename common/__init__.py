"""What both sides share, and all that passes between them."""

from common.flower import silence_flower

silence_flower()
