"""A privacy fault that real code has had, and how to plant it: a patch of the one function that would hold it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    name
        Short and unique.
    sentence
        What the faulty code does.
    plant
        Patches our own code for the length of one test.
    """

    name: str
    sentence: str
    plant: Callable[[pytest.MonkeyPatch], None]
