"""What needs a restart, a late round, many entities, a large model, a second channel or a ledger is caught."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.audit.canary import Effort, plant_canary
from client.audit.channel import look_at_channels
from client.audit.key.level import KeyEffort, check_keys
from client.audit.replay import replay_neighbours
from client.audit.report import LevelReport
from client.audit.size.level import look_at_bulk, look_at_sizes
from client.audit.source import make_source
from client.audit.subject import AuditSubject
from client.audit.way.level import walk_the_way
from common.plan.schema import Measure
from planted.further import KIN, TEN

DOCUMENT = Path(__file__).parents[3] / "docs" / "audit.md"
AUDITS: dict[str, Callable[[AuditSubject], LevelReport]] = {
    "l0": lambda subject: replay_neighbours(subject, most_violations=1, generator=np.random.default_rng(0)),
    "l1": lambda subject: plant_canary(subject, Effort(runs=100, coordinates=50_000)),
    "restart": lambda _: check_keys(KeyEffort(streams=2_000, processes=0)),
    "ledger": lambda subject: walk_the_way(subject, processes=False, most_violations=1),
    "channels": lambda subject: look_at_channels(
        subject, most_violations=1, neighbours=False, generator=np.random.default_rng(0)
    ),
    "size": lambda subject: look_at_sizes(subject, most_violations=1),
    "bulk": look_at_bulk,
}
SLOW = {"rows-capped-at-a-million"}  # the same reading is cut short at fewer rows in size/test_size.py


def cases(faults: dict, slow: set[str]) -> list:
    return [
        pytest.param(plant, level, id=name, marks=[pytest.mark.slow] * (name in slow))
        for name, (plant, level) in faults.items()
    ]


# False alarm: none is asked; a catch is certain or nearly so.
@pytest.mark.parametrize(("plant", "level"), cases(TEN, SLOW))
def test_a_fault_that_nothing_caught_is_caught(
    make_shop: Callable[..., AuditSubject],
    plant: Callable[[pytest.MonkeyPatch, Path], None],
    level: str,
    tmp_path: Path,
) -> None:
    subject = make_shop()
    with pytest.MonkeyPatch.context() as patch:
        plant(patch, tmp_path)
        assert AUDITS[level](subject).violations


@pytest.mark.slow
@pytest.mark.parametrize(("plant", "level"), cases(KIN, set()))
def test_a_fault_of_the_same_kind_is_caught(
    make_shop: Callable[..., AuditSubject],
    plant: Callable[[pytest.MonkeyPatch, Path], None],
    level: str,
    tmp_path: Path,
) -> None:
    test_a_fault_that_nothing_caught_is_caught(make_shop, plant, level, tmp_path)


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


# False alarm 1e-4 of the ledger's noise, as much of that of large messages.
@pytest.mark.parametrize("level", ["ledger", pytest.param("size", marks=pytest.mark.slow)])
def test_a_clean_merchant_passes(make_shop: Callable[..., AuditSubject], level: str) -> None:
    assert AUDITS[level](make_shop()).violations == ()


def test_the_documentation_lists_these_faults_and_the_level_that_catches_each() -> None:
    text = DOCUMENT.read_text().split("<!-- further faults -->")[1].split("<!-- end of further faults -->")[0]
    rows = re.findall(r"^\| `([\w-]+)` \|[^|]*\| (\w+) \|$", text, re.MULTILINE)
    assert dict(rows) == {name: level for name, (_, level) in (TEN | KIN).items()}
