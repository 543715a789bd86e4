"""A policy to begin with that has the owner's own limits: the commented starter, with her numbers in its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from client.account.policy import Policy
from client.account.starter import write_starter
from client.language.speech import t
from common.errors import ConfigError
from common.plan.reading import parse_toml
from common.plan.schema import Unit
from common.privacy.accounting import delta_for

SIZE_CLASSES = tuple(2**power for power in range(5, 17))  # that a plan knows where it says nothing else
STARTER_DELTA = "1e-5"


@dataclass(frozen=True)
class Limits:
    """What an owner says about her policy; the rest is as the starter has it.

    Attributes
    ----------
    size_class
        A number above that of her units.
    epsilon
        Most for the life of the ledger; half of it in a year, or what one plan gets where that is more.
    plan_epsilon
        Given to one plan.
    smallest_cohort
        Merchants that must be asked in every round, she included.
    """

    unit: Unit
    size_class: int
    epsilon: float = 4.0
    plan_epsilon: float = 1.0
    smallest_cohort: int = 5


def choose_size_class(number: int) -> int:
    """Choose a size class for so many units: twice as many have room in it, so that it holds for some years."""
    return next((each for each in SIZE_CLASSES if each >= 2 * number), SIZE_CLASSES[-1])


def write_limited(limits: Limits) -> str:
    """Write the starter with an owner's limits.

    Raises
    ------
    ConfigError
        They contradict each other, or one is not legal.
    """
    text, most = write_starter(), delta_for(limits.size_class)
    for section, key, value in (
        ("", "unit", f'"{limits.unit}"'),
        ("", "size_class", f"{limits.size_class}"),
        ("budget", "epsilon", f"{limits.epsilon:g}"),
        ("budget", "period_epsilon", f"{max(limits.epsilon / 2, min(limits.plan_epsilon, limits.epsilon)):g}"),
        ("budget", "delta", STARTER_DELTA if most >= float(STARTER_DELTA) else repr(most)),
        ("plan", "epsilon", f"{limits.plan_epsilon:g}"),
        ("plan", "smallest_cohort", f"{limits.smallest_cohort}"),
    ):
        text = _put(text, section, key, value)
    parse_toml(text, Policy, origin=t("What you chose"))
    return text


def _put(text: str, section: str, key: str, value: str) -> str:
    """Put a value into the first line of a section that sets a key; its comment stays where it was."""
    start = text.index(f"\n[{section}]") if section else 0
    found = re.compile(rf"(?m)^{key} = \S+ *").search(text, start)
    if found is None:  # the starter was changed
        raise ConfigError(f"The starter sets no {key}; write policy.toml yourself.")
    line = f"{key} = {value}"
    return text[: found.start()] + line.ljust(len(found[0])) + text[found.end() :]
