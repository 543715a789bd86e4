"""Whatever happens in whatever order: one sum a round at most, of t at least, and never one merchant's part."""

from collections import Counter

import pytest

from sum_attack import Attacker
from sum_schedule import Honest
from sum_world import folder_in_memory


def run_all(kind: type[Honest] | type[Attacker], seeds: range) -> tuple[int, Counter[str]]:
    """Run a schedule for each seed; a failure names the seed."""
    sums, counts = 0, Counter[str]()
    for seed in seeds:
        with folder_in_memory() as folder:
            try:
                outcome = kind(seed, folder).run()
            except AssertionError as error:
                raise AssertionError(f"schedule {seed}: {error}") from error
        sums += outcome.sums
        counts += outcome.counts
    return sums, counts


# That sums come out, and that kills, forgeries and refusals happen, is held too: else nothing would be shown.
def require_lively(schedules: int, sums: int, counts: Counter[str]) -> None:
    assert sums > schedules / 2
    for what in ("killed", "forged", "refused", "crashed", "too early"):
        assert counts[what] > schedules / 10, what


def test_in_forty_schedules_each_sum_is_that_of_its_survivors_and_the_only_one() -> None:
    require_lively(40, *run_all(Honest, range(40)))


def test_a_coordinator_with_colluders_that_asks_for_anything_bares_nobody() -> None:
    _, counts = run_all(Attacker, range(20))
    assert min(counts["masked"], counts["agreed"], counts["revealed"]) > 5


@pytest.mark.slow
def test_in_a_thousand_schedules_each_sum_is_that_of_its_survivors_and_the_only_one() -> None:
    require_lively(1000, *run_all(Honest, range(1000, 2000)))


@pytest.mark.slow
def test_in_a_thousand_attacks_nobody_is_bare() -> None:
    _, counts = run_all(Attacker, range(1000, 2000))
    assert min(counts["masked"], counts["agreed"], counts["revealed"]) > 250
