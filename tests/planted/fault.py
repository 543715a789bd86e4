"""A privacy fault that real code has had, and how to plant it: a patch of the one function that would hold it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from client.round.fused.library import SWITCH

Severity = Literal["critical", "high", "medium", "low"]  # what each means is in docs/privacy.md


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    name
        Short and unique.
    severity
        What an attacker would gain from it, and how surely.
    sentence
        What the faulty code does.
    plant
        Patches our own code for the length of one test.
    """

    name: str
    severity: Severity
    sentence: str
    plant: Callable[[pytest.MonkeyPatch], None]


def on_torch(patch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let torch compute the rounds: what is patched there the compiled kernel does itself (`planted.kernel`)."""
    patch.setenv(SWITCH, "torch")
    return patch
