"""The figures of docs/audit.md: long, and printed with -s (`make audit-study`)."""

import time
from collections.abc import Callable

import pytest
from scipy import stats

from client.audit.canary import Effort, plant_canary
from client.audit.key.level import KeyEffort
from client.audit.level import AuditEffort, audit_merchant
from client.audit.subject import AuditSubject
from planted.noise import scaled

pytestmark = pytest.mark.slow
CLEAN_AUDITS, WEAK_AUDITS, UNIT_RUNS = 500, 60, 5
SMALL = Effort(runs=1_000, coordinates=200_000)
FRUGAL = AuditEffort(  # false alarms do not depend on how much is drawn
    Effort(runs=400, coordinates=100_000), KeyEffort(streams=2_000, processes=0), processes=False
)
DRAWING = ("l1", "independence", "restart", "ledger", "size")  # the other levels draw nothing


def say(words: str) -> None:
    print(f"\n{words}")  # noqa: T201


# By theory 2.2e-3 an audit; more than 5 of 500 alarms come by chance with 1e-3.
def test_clean_audits_raise_no_more_than_one_alarm_in_a_hundred(make_subject: Callable[..., AuditSubject]) -> None:
    subject = make_subject(num_customers=4)
    audits = [audit_merchant(subject, levels=DRAWING, effort=FRUGAL) for _ in range(CLEAN_AUDITS)]
    alarms = [level.violations for audit in audits for level in audit.levels if level.violations]
    say(f"{len(alarms)} false alarms in {CLEAN_AUDITS} clean audits: {alarms}")
    assert len(alarms) <= 0.01 * CLEAN_AUDITS


# All 60 caught say at least 95.1 % at confidence .95.
def test_noise_cut_by_a_tenth_is_caught(
    make_subject: Callable[..., AuditSubject], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject(num_customers=4)
    scaled(0.9)(monkeypatch)
    caught = sum(bool(plant_canary(subject, SMALL).violations) for _ in range(WEAK_AUDITS))
    at_least = stats.beta.ppf(0.05, caught, WEAK_AUDITS - caught + 1)
    say(f"noise x .9: {caught} of {WEAK_AUDITS} caught, power at least {at_least:.3f} at confidence .95")
    assert at_least >= 0.95


# False alarm: mu_LB lies above 1 with 1e-6, below .90 with 4e-3 a run; the deviation is off by .5 % with 1e-11.
def test_the_canary_at_full_effort_bounds_mu_closely(make_subject: Callable[..., AuditSubject]) -> None:
    for _ in range(UNIT_RUNS):
        started = time.process_time()
        report = plant_canary(make_subject(), Effort())
        say(f"{report.measured}, {time.process_time() - started:.0f} s of CPU")
        assert 0.90 < report.measured["mu at least"] <= 1.0
        assert report.measured["sd / accounted"] == pytest.approx(1, abs=0.005)
