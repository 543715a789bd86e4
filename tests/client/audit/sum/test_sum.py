"""What leaves for a secure sum and what comes out of it is held against the promise; each planted fault shows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from client.audit.accounting import check_accounting
from client.audit.level import DEFAULT_LEVELS
from client.audit.subject import AuditSubject
from client.audit.sum.account import check_terms
from client.audit.sum.level import look_at_sum
from client.audit.sum.noise import MISSED, TEST_FALSE_ALARM, check_bytes, check_noise, check_seeds, coordinates_needed
from common.secure_sum import mask
from planted.fault import Fault
from planted.secure_sum import NOISES, off
from sum_probe import invented_members_are_accepted, too_few_colluders_are_borne

CHARGES = {"share-for-all", "charged-once", "charged-for-n"}  # seen without a sum
OFTEN = "noise-tenth-less"  # the smallest of the others, planted in the default suite


# False alarm 1e-3.
def test_a_clean_sum_passes_and_says_both_epsilons(make_summed: Callable[..., AuditSubject]) -> None:
    report = look_at_sum(make_summed())
    assert report.violations == ()
    assert report.measured["may drop out"] == 2
    for words in ("epsilon", "epsilon if all collude"):
        assert 0.5 * report.measured[f"{words} claimed"] < report.measured[f"{words} at least"]
        assert report.measured[f"{words} at least"] <= report.measured[f"{words} claimed"]


def test_a_plan_that_trusts_nobody_has_no_sum(make_subject: Callable[..., AuditSubject]) -> None:
    assert look_at_sum(make_subject(num_customers=4)).measured == {"secure sums": 0}
    assert "sum" in DEFAULT_LEVELS


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] * (fault.name != OFTEN))
        for fault in NOISES
        if fault.name not in CHARGES
    ],
)
def test_a_planted_fault_of_the_noise_is_caught(fault: Fault, make_summed: Callable[..., AuditSubject]) -> None:
    subject = make_summed()
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        assert any("noise" in sentence for sentence in look_at_sum(subject, runs=100).violations)


@pytest.mark.parametrize("fault", [fault for fault in NOISES if fault.name in CHARGES], ids=lambda fault: fault.name)
def test_a_planted_fault_of_the_charge_is_caught(fault: Fault, make_summed: Callable[..., AuditSubject]) -> None:
    clean = make_summed()
    assert check_terms(clean, clean.plan.privacy.sum, "0" * 64) == []
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        subject = make_summed()
        assert check_terms(subject, subject.plan.privacy.sum, "0" * 64)


# Check 6, the merchant's own floors.
@pytest.mark.parametrize(
    ("guard", "probe"),
    [("_require_verified", invented_members_are_accepted), ("require_trust", too_few_colluders_are_borne)],
)
def test_members_that_nobody_knows_and_terms_that_are_too_weak_are_accepted_without_the_check_alone(
    guard: str, probe: Callable[..., bool], make_summed: Callable[..., AuditSubject]
) -> None:
    plan = make_summed().plan
    assert not probe(plan)
    with pytest.MonkeyPatch.context() as patch:
        off(guard)(patch)
        if guard == "require_trust":
            patch.setattr("sum_probe.require_trust", lambda *given, **named: None)
        assert probe(plan)


def test_the_account_of_a_sum_is_that_of_its_noise(make_summed: Callable[..., AuditSubject]) -> None:
    subject = make_summed()
    assert check_accounting(subject).violations == ()
    assert any("claimed" in said for said in check_accounting(replace(subject, epsilon=1.9)).violations)


# By simulation: the share of missed shortfalls is at most its bound, with a margin of four deviations.
def test_as_many_coordinates_are_needed_as_tell_a_tenth_too_little_noise() -> None:
    needed, draw = coordinates_needed(), np.random.default_rng(3)
    assert 1500 < needed < 4000
    tries = 2000
    low = stats_low(needed)
    missed = sum(float((0.81 * draw.chisquare(needed)) / needed) ** 0.5 >= low for _ in range(tries))
    assert missed <= tries * MISSED + 4 * (tries * MISSED) ** 0.5
    fewer = needed // 2
    assert sum(float((0.81 * draw.chisquare(fewer)) / fewer) ** 0.5 >= stats_low(fewer) for _ in range(tries)) > 20
    assert check_noise(draw.standard_normal(needed - 1), "so")[0].endswith("are needed")


def stats_low(count: int) -> float:
    from client.audit.canary import chi_square_range

    return chi_square_range(count, TEST_FALSE_ALARM)[0]


# False alarm 4e-4 and less: the seeds are fixed, so it is so always or never.
def test_masked_numbers_are_uniform_and_those_without_masks_or_with_half_of_them_are_not() -> None:
    import torch

    draw = np.random.default_rng(5)
    hidden = np.stack([mask.expand(draw.bytes(32), 5000) for _ in range(6)])
    assert check_bytes(torch.from_numpy(hidden.view(np.int64))) == []
    noise = (2.0**25 * draw.standard_normal((6, 5000))).astype(np.int64)
    assert check_bytes(torch.from_numpy(noise))
    half = (hidden & np.uint64(0xFFFFFFFF)).view(np.int64) + (noise << 32)
    assert check_bytes(torch.from_numpy(half))
    twice = hidden.copy()
    twice[1] = twice[0]
    assert any("twice" in said for said in check_bytes(torch.from_numpy(twice.view(np.int64))))


# 300,000 of 2³² collide but for 3e-5; of 2²⁵⁶ never.
@pytest.mark.slow
def test_seeds_that_are_hashed_from_32_bits_are_caught_by_enough_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    expand = mask.expand
    monkeypatch.setattr(
        mask, "expand", lambda seed, size: expand(hashlib.sha256(hashlib.sha256(seed).digest()[:4]).digest(), size)
    )
    assert check_seeds(300_000)
