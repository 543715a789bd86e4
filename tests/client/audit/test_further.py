"""What needs a restart, a late round, many entities, a large model, a second channel or a ledger is caught."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from client.audit.canary import Effort
from client.audit.key.level import KeyEffort
from client.audit.level import AuditEffort, audit_merchant
from client.audit.source import make_source
from client.audit.subject import AuditSubject
from common.plan.schema import Measure
from planted.further import KIN, TEN

LITTLE = AuditEffort(Effort(runs=100, coordinates=50_000), KeyEffort(streams=20_000, processes=0), processes=False)
SLOW = {"rows-capped-at-a-million"}


def cases(faults: dict) -> list:
    return [
        pytest.param(plant, level, id=name, marks=[pytest.mark.slow] * (name in SLOW))
        for name, (plant, level) in faults.items()
    ]


# False alarm: none is asked; a catch is certain or nearly so.
@pytest.mark.parametrize(("plant", "level"), [*cases(TEN), *cases(KIN)])
def test_a_fault_is_caught_by_the_level_that_looks_for_it(
    make_shop: Callable[..., AuditSubject],
    plant: Callable[[pytest.MonkeyPatch, Path], None],
    level: str,
    tmp_path: Path,
) -> None:
    subject = make_shop()
    with pytest.MonkeyPatch.context() as patch:
        plant(patch, tmp_path)
        assert not audit_merchant(subject, levels=(level,), effort=LITTLE).clean


@pytest.fixture
def make_shop(make_subject: Callable[..., AuditSubject]) -> Callable[..., AuditSubject]:
    """Make a shop that observes a second channel."""

    def make() -> AuditSubject:
        subject = make_subject(num_customers=6)
        rows = subject.source.rows.assign(spend=subject.source.rows["units"] * 2.5)
        observed = {"observed": {"spend": Measure(aggregate="sum", column="spend")}}
        plan = subject.plan.model_copy(update={"data": subject.plan.data.model_copy(update=observed)})
        return replace(subject, plan=plan, source=make_source(rows, "sales.csv"))

    return make


# False alarm 1e-4 of the ledger's noise, as much of that of large messages, 1e-6 of restarts.
def test_a_clean_merchant_passes_every_further_level(make_shop: Callable[..., AuditSubject]) -> None:
    report = audit_merchant(make_shop(), levels=("restart", "ledger", "channels", "size"), effort=LITTLE)
    assert report.clean, report.as_text()
