import json
from collections.abc import Callable

import pytest

from client.audit.canary import Effort
from client.audit.level import LEVELS, audit_merchant
from client.audit.report import NO_PROOF, AuditReport, LevelReport
from client.audit.subject import AuditSubject
from common.errors import ConfigError

BAD = LevelReport("l0", ("the sum moves",), {"sums compared": 3, "largest": 1.5}, 0.0)


# False alarm 1.9e-3 in all. The first level has tests of its own.
def test_every_level_reports_once_and_a_clean_merchant_is_clean(make_subject: Callable[..., AuditSubject]) -> None:
    subject = make_subject(num_customers=4)
    report = audit_merchant(subject, levels=LEVELS[1:], effort=Effort(runs=200, coordinates=50_000))
    assert [level.level for level in report.levels] == list(LEVELS[1:])
    assert report.clean


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
