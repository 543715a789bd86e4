import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.audit.neighbour import FIRST, LAST, make_neighbours
from client.audit.replay import BOUND, TIGHT, compare_replays, make_probes, replay_neighbours, replay_rounds
from client.audit.source import make_source
from client.audit.subject import MOST_ENTITIES, AuditSubject, sample_entities
from client.data.rows import read
from common.data.panel import Panel
from common.data.rehearsal import step_back
from common.errors import DataError, PrivacyError
from common.plan.schema import Active, AheadTable, Attribute, Lookup, Measure, Plan, PublicHolidays
from common.privacy.clipping_rule import Automatic
from common.privacy.mechanism import Mechanism

START = pd.Timestamp("2024-01-01")
HISTORY_DAYS = 35
ROLES = ("first", "last", "largest", "only buyer on a day", "any")
COUNTRIES = ("here", "there", "elsewhere")

visits = st.tuples(
    st.integers(0, 5),
    st.integers(0, HISTORY_DAYS - 1),
    st.floats(0.0, 1e12) | st.integers(0, 9).map(float),
)


def to_rows(drawn: list[tuple[int, int, float]]) -> pd.DataFrame:
    customers, days, units = zip(*drawn, strict=True)
    return pd.DataFrame(
        {
            "customer": [f"customer-{number}" for number in customers],
            "time": [START + pd.Timedelta(days=day) for day in days],
            "units": units,
            "country": [COUNTRIES[number % 3] for number in customers],
        }
    )


def choose(rows: pd.DataFrame, role: str) -> str:
    """Name the customer who leaves; who is to be alone on a day gets that day for itself."""
    names = sorted(rows["customer"].unique())
    if role == "first":
        return names[0]
    if role == "largest":
        return str(rows.groupby("customer")["units"].sum().idxmax())
    return names[-1] if role == "last" else names[len(names) // 2]


def alone_on_a_day(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give one customer a day on which nobody else buys."""
    own = rows["customer"] == name
    day = rows.loc[own, "time"].iloc[0]
    return rows[own | (rows["time"] != day)]


@pytest.fixture
def check_neighbours(make_subject: Callable[..., AuditSubject]) -> Callable[..., None]:
    """Compare a drawn data set with and without one customer, in exact integers."""
    subject = make_subject(num_customers=3)
    mechanisms = [Mechanism(factor, subject.mechanism.noise_multiplier) for factor in (1.0, TIGHT)]
    request = subject.request(subject.own_series(), 1)

    def check(drawn: list[tuple[int, int, float]], role: str, tight: bool) -> None:
        rows = to_rows(drawn)
        name = choose(rows, role)
        rows = alone_on_a_day(rows, name) if role.startswith("only") else rows
        mask = (rows["customer"] == name).to_numpy()
        series = (subject.legs(subject.source.encode([part])) for part in (rows, rows[mask], rows[~mask]))
        whole, own, others = (replay_rounds(subject, part, (request,), mechanisms[tight]) for part in series)
        shifts, found = compare_replays(whole, others, own, sign=-1)
        assert found == []
        assert shifts[0] <= 1

    return check


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(visits, min_size=1, max_size=20), role=st.sampled_from(ROLES), tight=st.booleans())
def test_no_entity_moves_the_sum_by_more_than_the_clipping_norm(
    check_neighbours: Callable[..., None], drawn: list[tuple[int, int, float]], role: str, tight: bool
) -> None:
    check_neighbours(drawn, role, tight)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(visits, min_size=1, max_size=20), role=st.sampled_from(ROLES), tight=st.booleans())
def test_no_entity_of_ten_thousand_data_sets_moves_the_sum_by_more_than_the_clipping_norm(
    check_neighbours: Callable[..., None], drawn: list[tuple[int, int, float]], role: str, tight: bool
) -> None:
    check_neighbours(drawn, role, tight)


def test_a_clean_merchant_has_no_violation_and_comes_close_to_the_bound(
    make_subject: Callable[..., AuditSubject],
) -> None:
    report = replay_neighbours(make_subject())
    assert report.violations == ()
    assert 0.999 < report.measured["largest shift / C"] <= 1


def test_a_panel_with_covariates_and_typed_names_has_no_violation(make_plan: Callable[..., Plan]) -> None:
    generator = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", "2024-02-09")
    rows = pd.DataFrame({"product": np.repeat([4, 5, 9], len(days)), "date": np.tile(days.strftime("%Y-%m-%d"), 3)})
    rows = rows.assign(units=generator.poisson(3.0, len(rows)), promotion=generator.integers(0, 2, len(rows)))
    plan = make_plan(
        data={
            "rows": "panel",
            "entity": "product",
            "time": "date",
            "target": {"aggregate": "sum", "column": "units"},
            "known": [{"column": "promotion"}],
            "missing": "closed",
            "end": date(2024, 2, 9),
        },
        model={"season": False, "hidden_size": 16, "decoder_size": 16},
        privacy={"unit": "product"},
        evaluation={"origins": [date(2024, 2, 5)]},
    )
    source = make_source(rows, plan.data.path)
    subject = AuditSubject(plan, source, Mechanism(0.5, 3.0), 10, 8.0, 1e-5)
    assert replay_neighbours(subject).violations == ()


@pytest.mark.slow
def test_a_calendar_and_a_table_of_each_entity_have_no_violation(make_subject: Callable[..., AuditSubject]) -> None:
    subject = make_subject(num_customers=8)
    tables = (
        AheadTable(path="fairs.csv", time="day", known=(Attribute(column="fair"),), missing="zero"),
        AheadTable(path="offers.csv", time="day", entity="who", known=(Attribute(column="offer"),), missing="last"),
    )
    changed = {"ahead": tables, "holidays": PublicHolidays(country="DE"), "shopping_days": ("womens_day",)}
    names = sorted(set(subject.source.names("customer")))
    offers = "".join(f"{name},2024-01-{day:02},{day % 3}\n" for name in names for day in (3, 9, 20))
    beside = {"fairs.csv": b"day,fair\n2024-01-15,1\n", "offers.csv": f"who,day,offer\n{offers}".encode()}
    data = subject.plan.data.model_copy(update=changed)
    subject = replace(
        subject,
        plan=subject.plan.model_copy(update={"data": data}),
        source=replace(subject.source, lookups=beside),
    )
    assert subject.own_series().num_entities == 8
    assert replay_neighbours(subject).violations == ()


def test_whole_numbers_and_products_of_columns_have_no_violation(make_subject: Callable[..., AuditSubject]) -> None:
    whole = make_subject(num_customers=4)
    rows = whole.source.rows.assign(units=whole.source.rows["units"].astype("int16"), price=2.5)
    changes = {"derived": {"spend": ("units", "price")}, "target": Measure(aggregate="sum", column="spend")}
    plan = whole.plan.model_copy(update={"data": whole.plan.data.model_copy(update=changes)})
    report = replay_neighbours(replace(whole, plan=plan, source=make_source(rows, plan.data.path)))
    assert report.violations == ()
    assert report.measured["sums compared"] > 60


def test_entities_that_sit_out_change_nothing(make_subject: Callable[..., AuditSubject]) -> None:
    whole = make_subject(num_customers=6)
    data = whole.plan.data.model_copy(update={"active": Active(within_days=20, days=3)})
    subject = replace(whole, plan=whole.plan.model_copy(update={"data": data}))
    assert subject.own_series().num_entities < 6
    assert replay_neighbours(subject).violations == ()


@pytest.mark.parametrize("path", ["sales.csv", "sales.parquet"])
def test_neighbours_differ_by_one_entity_and_never_touch_the_original(
    make_subject: Callable[..., AuditSubject], tmp_path: Path, path: str
) -> None:
    subject = make_subject(num_customers=9, path=path)
    before = subject.source.content
    neighbours = list(make_neighbours(subject.source, subject.plan.data, subject.origin))
    assert subject.source.content == before

    def customers(content: bytes) -> set[str]:
        (tmp_path / path).write_bytes(content)
        return set(read(subject.plan.data, tmp_path).panel.entities)

    names = customers(before)
    for neighbour in neighbours:
        own = customers(neighbour.own)
        assert len(own) <= 1
        assert customers(neighbour.content) == names ^ own
        assert not own or (own <= names) != neighbour.added
    kinds = [neighbour.kind for neighbour in neighbours]
    assert len(set(kinds)) == len(kinds) >= 18
    assert "the only entity on some day joins" in kinds
    assert ("an entity whose quotes stay open joins" in kinds) == (path == "sales.csv")
    assert FIRST < min(names) < max(names) < LAST


def test_probes_hold_every_kind_of_number_that_is_hard_to_bound() -> None:
    probes = make_probes(7)
    assert not torch.isfinite(probes).all()
    assert probes[torch.isfinite(probes)].abs().max() > 1e38
    assert math.isclose(BOUND, 2**24)


def test_an_audit_of_nothing_that_is_promised_is_refused(make_subject: Callable[..., AuditSubject]) -> None:
    with pytest.raises(PrivacyError, match="promises nothing"):
        make_subject(mechanism=Mechanism(None, 0.0))
    with pytest.raises(PrivacyError, match="promises nothing"):
        make_subject(mechanism=Mechanism(1.0, 0.0))


def test_a_merchant_of_one_entity_is_refused(make_subject: Callable[..., AuditSubject]) -> None:
    with pytest.raises(DataError, match="at least 2"):
        make_subject(num_customers=1)


def test_at_most_some_entities_are_audited_the_first_and_the_last_among_them(
    make_subject: Callable[..., AuditSubject],
) -> None:
    subject = make_subject(num_customers=MOST_ENTITIES + 20)
    names = np.unique(subject.source.names("customer"))
    kept = np.unique(sample_entities(subject.source, subject.plan, names).names("customer"))
    assert len(kept) == MOST_ENTITIES
    assert (kept[0], kept[-1]) == (names[0], names[-1])
    assert len(np.unique(sample_entities(subject.source, subject.plan, names[:10]).names("customer"))) == 10


def test_automatic_clipping_has_no_violation(make_subject: Callable[..., AuditSubject]) -> None:
    report = replay_neighbours(make_subject(num_customers=20, mechanism=Mechanism(1.0, 1.0, rule=Automatic())))
    assert report.violations == ()
    assert 0.9 < report.measured["largest shift / C"] <= 1


@dataclass(frozen=True)
class ByTheMedian:
    """A rule that breaks its one condition: the factor of an entity depends on the others."""

    def factors(self, norms: torch.Tensor, clipping_norm: float) -> torch.Tensor:
        return (clipping_norm / norms.median()).expand(len(norms))


def test_a_rule_that_looks_at_other_entities_is_caught(make_subject: Callable[..., AuditSubject]) -> None:
    report = replay_neighbours(make_subject(num_customers=20, mechanism=Mechanism(1.0, 1.0, rule=ByTheMedian())))
    assert any("others' contributions change with it" in violation for violation in report.violations)


@pytest.mark.parametrize("path", ["{folder}/sales.csv", "../sales.csv"])
def test_an_audit_leaves_the_merchant_s_own_files_alone_wherever_a_plan_finds_them(
    make_subject: Callable[..., AuditSubject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    subject = make_subject(num_customers=3, path=path.format(folder=tmp_path))
    own, other = subject.source.content, tmp_path / "kinds.csv"
    other.write_bytes(b"customer,kind\n")
    (tmp_path / "sales.csv").write_bytes(own)
    lookup = Lookup(path=str(other), key="customer", column="customer")
    data = subject.plan.data.model_copy(update={"lookups": (lookup,)})
    source = replace(subject.source, lookups={lookup.path: b"customer,kind\ncustomer-000,a\n"})
    subject = replace(subject, plan=subject.plan.model_copy(update={"data": data}), source=source)
    assert subject.own_series().num_entities == 3
    assert replay_neighbours(subject).violations == ()
    assert (tmp_path / "sales.csv").read_bytes() == own
    assert other.read_bytes() == b"customer,kind\n"


def with_rehearsal(subject: AuditSubject) -> AuditSubject:
    federation = subject.plan.federation.model_copy(update={"rehearsal": True})
    return replace(subject, plan=subject.plan.model_copy(update={"federation": federation}))


def test_the_rehearsal_is_audited_as_a_round_reads_it(
    make_subject: Callable[..., AuditSubject], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = with_rehearsal(make_subject(num_customers=6))
    assert replay_neighbours(subject).violations == ()

    def all_or_nobody(panel: Panel, plan: Plan, day: int) -> tuple[Panel, int]:
        kept, earlier = step_back(panel, plan, day)
        return (kept if len(kept.entities) == len(panel.entities) else kept.select(np.arange(0))), earlier

    monkeypatch.setattr("client.round.leg.step_back", all_or_nobody)
    assert any("others' contributions change" in sentence for sentence in replay_neighbours(subject).violations)


def test_a_parquet_file_of_bytes_can_be_audited(make_subject: Callable[..., AuditSubject]) -> None:
    whole = make_subject(num_customers=3, path="sales.parquet")
    units = whole.source.rows["units"].astype(str).str.encode("utf-8")
    units.iloc[0] = b"\xff"
    source = make_source(whole.source.rows.assign(units=units), "sales.parquet")
    assert replay_neighbours(replace(whole, source=source)).violations == ()
