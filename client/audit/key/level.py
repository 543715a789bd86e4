"""The level `restart`: the noise's key, over draws, sources, forks and restarts."""

from __future__ import annotations

from dataclasses import dataclass

from client.audit.key import entropy, restart
from client.audit.key.entropy import STREAMS, check_source, check_streams
from client.audit.key.restart import check_restarts
from client.audit.report import LevelReport

FALSE_ALARM = entropy.FALSE_ALARM + restart.FALSE_ALARM


@dataclass(frozen=True)
class KeyEffort:
    """How much is drawn.

    Attributes
    ----------
    streams
        Streams of noise that are begun: n of them tell a key of 2·log2(n) - 4 bits.
    processes
        Interpreters that are started, each of which takes two seconds.
    """

    streams: int = STREAMS
    processes: int = 3


def check_keys(effort: KeyEffort | None = None) -> LevelReport:
    """Look where the noise's key comes from, and who has the same."""
    effort = effort or KeyEffort()
    found = [*check_source(), *check_streams(effort.streams), *check_restarts(effort.processes)]
    measured: dict[str, float | int] = {"streams": effort.streams, "processes": effort.processes}
    return LevelReport("restart", tuple(found), measured, FALSE_ALARM)
