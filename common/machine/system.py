"""Where hansa runs: on Linux, where it is tested; nothing in the way is known on other POSIX systems, as macOS is."""

from __future__ import annotations

import os


def require_posix() -> None:
    """End the process in one sentence on Windows: folders are locked, and processes stopped, as POSIX has it.

    Raises
    ------
    SystemExit
        This is no POSIX system.
    """
    if os.name != "posix":
        raise SystemExit("hansa runs on Linux; on Windows, run it in WSL, the Linux of Windows.")
