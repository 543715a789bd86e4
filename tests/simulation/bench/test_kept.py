"""The part of the benchmark about what a shop's folder keeps, on a short demo shop."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_commands_say_the_same_for_less_once_they_have_learned(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "kept", "--quick")
    assert done.code == 0
    entry = json.loads(done.stdout)["kept"]
    assert set(entry["cpu_seconds"]) == {"forecast", "explain", "order"}
    assert all(each["again"] < each["first"] for each in entry["cpu_seconds"].values()), "by seconds, of ten"
