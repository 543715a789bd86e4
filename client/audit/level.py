"""The levels of an audit, by name, one after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from client.audit.accounting import check_accounting
from client.audit.canary import Effort, plant_canary
from client.audit.independence import compare_noise
from client.audit.replay import replay_neighbours
from client.audit.report import AuditReport, LevelReport
from client.audit.subject import AuditSubject
from common.errors import ConfigError

LEVELS = ("l0", "l1", "independence", "accounting")


def audit_merchant(
    subject: AuditSubject, *, levels: tuple[str, ...] = LEVELS, effort: Effort | None = None
) -> AuditReport:
    """Run some levels of the audit at one merchant.

    Parameters
    ----------
    subject
        The merchant's raw rows and terms.
    levels
        Names out of `LEVELS`.
    effort
        How much noise the canary level draws.

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
    run: dict[str, Callable[[AuditSubject], LevelReport]] = {
        "l0": replay_neighbours,
        "l1": partial(plant_canary, effort=effort or Effort()),
        "independence": compare_noise,
        "accounting": check_accounting,
    }
    return AuditReport(tuple(run[level](subject) for level in levels))


def check_levels(levels: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuse a level that does not exist, or none at all, with a ConfigError."""
    for level in levels or ("",):
        if level not in known:
            raise ConfigError(f"There is no audit level {level!r}; there are {', '.join(known)}.")
