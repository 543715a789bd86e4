"""The server that is measured really answers, and what it costs is counted."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_both_models_are_measured_for_one_client_and_for_several(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "serving", "--quick", "--patience", "0", "--threads", "1")
    assert done.code == 0, done.stderr
    entries = json.loads(done.stdout)["serving"]
    assert [(each["served"], each["clients"]) for each in entries] == [
        ("shop", 1),
        ("shop", 4),
        ("demand", 1),
        ("demand", 4),
    ]
    for each in entries:
        assert all(number > 0 for number in each["measured"]["hansa"].values())
        assert each["comparisons"] == []
