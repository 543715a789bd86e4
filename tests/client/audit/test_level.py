import json
from collections.abc import Callable

import pytest

from client.audit.canary import Effort
from client.audit.key.level import KeyEffort
from client.audit.level import DEFAULT_LEVELS, LEVELS, AuditEffort, audit_merchant, choose_levels, effort_of
from client.audit.report import NO_PROOF, AuditReport, LevelReport
from client.audit.subject import AuditSubject
from common.errors import ConfigError

BAD = LevelReport("l0", ("the sum moves",), {"sums compared": 3, "largest": 1.5}, 0.0)


# False alarm 2e-3 in all. The other levels have tests of their own.
def test_every_level_reports_once_and_a_clean_merchant_is_clean(make_subject: Callable[..., AuditSubject]) -> None:
    subject, begun = make_subject(num_customers=4), list[str]()
    levels = ("accounting", "l1", "independence", "restart")
    effort = AuditEffort(Effort(runs=200, coordinates=50_000), KeyEffort(streams=500, processes=0))
    report = audit_merchant(subject, levels=levels, effort=effort, on_level=begun.append)
    assert [level.level for level in report.levels] == begun == list(levels)
    assert report.clean


def test_levels_are_named_or_those_of_a_usual_or_a_thorough_audit() -> None:
    assert choose_levels("l0, size", thorough=False) == ("l0", "size")
    assert choose_levels("", thorough=False) == DEFAULT_LEVELS == LEVELS[:-1]
    assert choose_levels("", thorough=True) == LEVELS
    usual, thorough = effort_of(thorough=False), effort_of(thorough=True)
    assert thorough.thorough > usual.thorough
    assert thorough.keys.streams > usual.keys.streams


def test_a_level_that_does_not_exist_is_refused(make_subject: Callable[..., AuditSubject]) -> None:
    for levels in (("l9",), ()):
        with pytest.raises(ConfigError, match="There is no audit level"):
            audit_merchant(make_subject(num_customers=4), levels=levels)


def test_a_report_says_what_was_found_and_that_nothing_found_is_no_proof() -> None:
    report = AuditReport((BAD,))
    assert not report.clean
    assert "VIOLATION" in report.as_text()
    assert "the sum moves" in report.as_text()
    for said in (report.as_text(), AuditReport(()).as_text(), json.dumps(report.as_json())):
        assert NO_PROOF in said
