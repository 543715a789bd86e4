"""The whole command on a few small points; figures are looked at for their sense, not for their size."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from simulation.bench.document import PARTS

FAST = ("--quick", "--patience", "0", "--threads", "1")


def ratios(entry: dict[str, Any]) -> list[float]:
    return [comparison["ratio"] for comparison in entry["comparisons"]]


def test_every_part_has_ratios_and_says_where_it_was_measured(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "federation", *FAST)
    assert done.code == 0
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert document["machine"]["threads"] == 1
    assert set(document) == {"schema", "machine", "federation"}
    assert [entry["merchants"] for entry in document["federation"]] == [2, 4]
    assert all(ratio > 0 for entry in document["federation"] for ratio in ratios(entry))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_table_shows_every_ratio(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", *FAST)
    assert done.code == 0
    for word in ("step", "federation", "forecast", "server", "memory", "auto_ets", "nn_gru", "opacus"):
        assert word in done.stdout


def test_an_unknown_part_is_refused_with_the_names_of_all(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--only", "steps", *FAST)
    assert (done.code, done.stdout) == (2, "")
    assert all(part in done.stderr for part in PARTS)
