import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from common.errors import ConfigError, MessageError
from common.privacy.mechanism import Mechanism
from server.round.aggregation import Terms, aggregate, check_norm, combine, norm_bound
from simulation.engine.seeded_noise import SeededNoise

STEP = 2.0**-24  # of the lattice at a clipping norm of 1


def terms(size_class: int = 32, *, sigma: float = 2.0, clipping_norm: float | None = 1.0) -> Terms:
    return Terms(size_class, Mechanism(clipping_norm, sigma))


def total(*values: float) -> Tensor:
    return torch.tensor([round(value / STEP) for value in values])


def test_updates_are_added_up_one_at_a_time() -> None:
    asked: list[int] = []

    def updates() -> Iterator[tuple[float, Tensor]]:
        for number, weight in enumerate((0.25, 0.5, 0.25)):
            asked.append(number)
            yield weight, torch.tensor([4.0 * number, 8.0])

    summed = aggregate(updates(), size=2)
    assert (summed.tolist(), summed.dtype) == ([4.0, 8.0], torch.float64)
    assert asked == [0, 1, 2]
    assert aggregate([], size=3).tolist() == [0.0, 0.0, 0.0]


def test_a_sum_at_its_bound_is_taken_and_one_step_more_is_refused() -> None:
    bound = norm_bound(terms(4, sigma=3.0), size=4)
    assert bound == 4 + 3 * (2 + 5)
    check_norm(total(bound, 0, 0, 0), terms(4, sigma=3.0))
    with pytest.raises(MessageError, match=r"norm 25, its terms allow 25"):
        check_norm(total(bound, 0, 0, 0) + torch.tensor([1, 0, 0, 0]), terms(4, sigma=3.0))


def test_the_bound_follows_the_clipping_norm() -> None:
    assert norm_bound(terms(4, sigma=3.0, clipping_norm=0.1), size=4) == pytest.approx(2.5)
    assert norm_bound(terms(4, sigma=0.0, clipping_norm=None), size=4) == 4 * 4096


def test_integers_at_the_end_of_their_range_do_not_wrap_around() -> None:
    for value in (2**63 - 1, -(2**63)):
        with pytest.raises(MessageError):
            check_norm(torch.full((1_000,), value), terms())


# False alarms: at most e^-12.5 = 4e-6 per message, 4e-3 for all of them; seeded, so always the same.
def test_a_thousand_honest_messages_pass() -> None:
    noise = SeededNoise(np.random.default_rng(5))
    public = terms(32, sigma=26.4)
    worst = torch.zeros(500, dtype=torch.int64)
    worst[0] = 32 * 2**24
    for _ in range(1_000):
        check_norm(public.mechanism.release(worst, noise), public)


def test_sums_become_one_weighted_mean_in_units_of_the_gradient() -> None:
    cohort = {5: terms(10, sigma=0.0), 6: terms(30, sigma=0.0)}
    mean = combine({5: total(1.0, 2.0), 6: total(3.0, -6.0)}, cohort, cap=1.0)
    assert mean.tolist() == pytest.approx([0.1, -0.1])


def test_every_sum_is_taken_off_its_own_lattice() -> None:
    cohort = {5: terms(1, clipping_norm=1.0), 6: terms(1, clipping_norm=0.5)}
    mean = combine({5: torch.tensor([2**24]), 6: torch.tensor([2**24])}, cohort, cap=1.0)
    assert mean.tolist() == pytest.approx([0.75])


def test_without_one_merchant_the_others_share_its_weight() -> None:
    cohort = {5: terms(10, sigma=0.0), 6: terms(10, sigma=0.0), 7: terms(20, sigma=0.0)}
    mean = combine({5: total(10.0), 7: total(0.0)}, cohort, cap=0.4)
    assert mean.tolist() == pytest.approx([0.5])  # two are left: the cap is an equal share


def test_a_zero_sum_stays_zero_and_no_sum_is_refused() -> None:
    assert combine({5: total(0.0, 0.0)}, {5: terms()}, cap=0.25).tolist() == [0.0, 0.0]
    with pytest.raises(MessageError, match="No sum arrived"):
        combine({}, {5: terms()}, cap=0.25)


@pytest.mark.parametrize("update", [[1.0], [], [1.0, math.nan], [math.inf, 0.0], [0.0, -math.inf], [0.0] * 3])
def test_an_update_of_another_length_or_without_a_value_is_refused(update: list[float]) -> None:
    with pytest.raises(MessageError, match="must have 2 numbers"):
        aggregate([(1.0, torch.tensor(update))], size=2)


def test_a_size_class_is_at_least_one() -> None:
    with pytest.raises(ConfigError, match="size_class is 0"):
        terms(0)
