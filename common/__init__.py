"""What both sides share, and all that passes between them."""

from common.flower import silence_flower
from common.model.arithmetic import fix_arithmetic

__version__ = "0.1.0"

silence_flower()
fix_arithmetic()
