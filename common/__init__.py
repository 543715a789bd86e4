"""What both sides share, and all that passes between them."""

from common.machine.flower import silence_flower
from common.machine.system import require_posix
from common.model.arithmetic import fix_arithmetic

__version__ = "0.1.0"

require_posix()
silence_flower()
fix_arithmetic()
