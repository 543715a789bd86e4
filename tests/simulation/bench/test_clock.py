import time
from pathlib import Path

import pytest
import torch

from common.errors import ConfigError
from simulation.bench import clock
from simulation.bench.clock import compare, describe_timings, peak_bytes, time_side_by_side


def fill(mebibytes: int, *, warm: bool) -> None:
    torch.ones((1 if warm else mebibytes) << 18).sum()


def test_what_takes_longer_has_the_larger_ratio_and_turns_are_taken_in_order() -> None:
    order = []

    def sleep(name: str, seconds: float) -> None:
        order.append(name)
        time.sleep(seconds)

    timings = time_side_by_side(
        {"slow": lambda: sleep("slow", 0.02), "fast": lambda: sleep("fast", 0.001)}, patience_seconds=0.0
    )
    assert order == ["slow", "fast"] * 4  # one turn to warm up, and the fewest that count
    assert compare(timings, "slow", "fast")["ratio"] > 2
    assert describe_timings(timings)["slow"]["median_cpu_seconds"] < 0.02  # it slept
    assert describe_timings(timings)["slow"]["minimum_seconds"] >= 0.02
    assert timings["slow"].turns == 3


def test_a_peak_is_what_a_process_of_its_own_grew_by() -> None:
    assert peak_bytes(fill, 256) == pytest.approx(256 << 20, rel=0.05)


def test_a_peak_is_refused_where_no_process_can_tell_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clock, "RESET_PEAK", tmp_path / "no such file")
    with pytest.raises(ConfigError, match="on Linux alone"):
        peak_bytes(fill, 1)
