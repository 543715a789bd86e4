"""The levels of an audit, by name, one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from client.audit.accounting import check_accounting
from client.audit.canary import Effort, plant_canary
from client.audit.channel import look_at_channels
from client.audit.independence import compare_noise
from client.audit.key.level import KeyEffort, check_keys
from client.audit.replay import replay_neighbours
from client.audit.report import AuditReport, LevelReport
from client.audit.size.level import look_at_bulk, look_at_sizes
from client.audit.subject import AuditSubject
from client.audit.sum.level import look_at_sum
from client.audit.way.level import walk_the_way
from common.errors import ConfigError

LEVELS = ("l0", "l1", "independence", "accounting", "restart", "ledger", "channels", "size", "sum", "bulk")
DEFAULT_LEVELS = tuple(level for level in LEVELS if level != "bulk")  # which takes 1.5 GB of memory
THOROUGH_KEYS = KeyEffort(streams=150_000, processes=12)


@dataclass(frozen=True)
class AuditEffort:
    """How much of everything is looked at.

    Attributes
    ----------
    noise
        How much the canary level draws.
    keys
        How much the level of restarts draws.
    processes
        Whether the ledger is also answered from by processes of their own.
    thorough
        Whether all rounds, and more and larger ones of everything, are looked at.
    seed
        Of what is chosen at random: rounds, counts, sizes, days. Entropy where it is None; a number is for tests, since
        an audit that can be foreseen can be passed.
    """

    noise: Effort = field(default_factory=Effort)
    keys: KeyEffort = field(default_factory=KeyEffort)
    processes: bool = True
    thorough: bool = False
    seed: int | None = None


def effort_of(*, thorough: bool) -> AuditEffort:
    """Say how much is looked at."""
    return AuditEffort(keys=THOROUGH_KEYS, thorough=True) if thorough else AuditEffort()


def choose_levels(named: str, *, thorough: bool) -> tuple[str, ...]:
    """Read levels from a list with commas; where it is empty those of a usual audit, or of a thorough one."""
    if named:
        return tuple(name.strip() for name in named.split(","))
    return LEVELS if thorough else DEFAULT_LEVELS


def audit_merchant(
    subject: AuditSubject,
    *,
    levels: tuple[str, ...] = DEFAULT_LEVELS,
    effort: AuditEffort | None = None,
    on_level: Callable[[str], None] = lambda level: None,
) -> AuditReport:
    """Run some levels of the audit at one merchant.

    Parameters
    ----------
    subject
        The merchant's raw rows and terms.
    levels
        Names out of `LEVELS`.
    effort
        How much is looked at.
    on_level
        Told the name of each level before it begins.

    Returns
    -------
    AuditReport
        A level that fails to run counts as a violation: the promise is that a merchant always answers.

    Raises
    ------
    ConfigError
        If there is no such level.
    """
    check_levels(levels, LEVELS)
    effort = effort or AuditEffort()
    generator = np.random.default_rng(effort.seed)
    run: dict[str, Callable[[AuditSubject], LevelReport]] = {
        "l0": partial(replay_neighbours, generator=generator),
        "l1": partial(plant_canary, effort=effort.noise),
        "independence": compare_noise,
        "accounting": check_accounting,
        "restart": lambda _: check_keys(effort.keys),
        "ledger": partial(walk_the_way, every_round=effort.thorough, processes=effort.processes, generator=generator),
        "channels": partial(look_at_channels, generator=generator),
        "size": partial(look_at_sizes, thorough=effort.thorough, generator=generator),
        "sum": look_at_sum,
        "bulk": look_at_bulk,
    }
    reports = []
    for level in levels:
        on_level(level)
        reports.append(run[level](subject))
    return AuditReport(tuple(reports))


def check_levels(levels: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuse a level that does not exist, or none at all, with a ConfigError."""
    for level in levels or ("",):
        if level not in known:
            raise ConfigError(f"There is no audit level {level!r}; there are {', '.join(known)}.")
