"""Seconds of CPU of a process and of all that it has started, as Linux counts them."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SMALLEST_SECONDS = 1 / TICKS  # that are told apart


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has used, with those of what it has started and that still runs."""
    return sum(_ticks(each) for each in _family(pid)) / TICKS


def _family(pid: int) -> list[int]:
    """Give a process and all that it has started, and those have."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(path)
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, rest = list[int](), [pid]
    while rest:
        found.append(rest.pop())
        rest += parents.get(found[-1], [])
    return found


def _stat(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ticks(pid: int) -> int:
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return int(fields[11]) + int(fields[12]) if fields else 0
