"""What both sides share, and all that passes between them."""

from common.arithmetic import fix_arithmetic
from common.flower import silence_flower

silence_flower()
fix_arithmetic()
