"""What both sides share, and all that passes between them."""

from common.flower import silence_flower
from common.model.arithmetic import fix_arithmetic
from common.system import require_posix

__version__ = "0.1.0"

require_posix()
silence_flower()
fix_arithmetic()
