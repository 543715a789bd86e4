import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from client import cli
from client.account.policy import read_policy
from client.audit import subject as subjects
from client.audit.subject import AuditSubject
from client.daemon.handlers import count_parameters
from client.data.root import DataRoot
from client.round.leg import read_legs
from common.plan.reading import parse_plan, read_plan
from common.privacy.accounting import epsilon_of
from common.privacy.guarantee import gaussian_delta

PLAN = """
name = "own"

[data]
path = "rows.csv"
rows = "events"
entity = "customer"
time = "time"
target = { aggregate = "sum", column = "units" }
start = 2024-01-01
end = 2024-02-09

[model]
step = "day"
horizon_days = 4
likelihood = "negative_binomial"
hidden_size = 16
decoder_size = 16
window_steps = 12
positions = 3
season = false

[privacy]
unit = "customer"
training = { num_rounds = 20 }

[evaluation]
origins = [2024-02-05]
methods = ["anchor"]
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_subject: Callable[..., AuditSubject]) -> Path:
    """Keep a policy, a plan and rows in one folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "rows.csv").write_bytes(make_subject(num_customers=6).source.content)
    run(monkeypatch, "policy", "--out", "policy.toml")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["hansa-client", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


# False alarm 0: nothing is drawn.
def test_a_merchant_audits_its_own_rows_and_spends_nothing(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(monkeypatch, "audit", "plan.toml", "--level", "l0,accounting", "--json") == 0
    assert json.loads(capsys.readouterr().out)["clean"] is True
    assert {path.name for path in shop.iterdir()} == {"plan.toml", "rows.csv", "policy.toml"}


def test_the_noise_is_what_the_policy_asks_for(shop: Path) -> None:
    policy = read_policy(shop / "policy.toml")
    subject = subjects.make_subject(read_plan(shop / "plan.toml"), shop, policy)
    mu, delta = (20 * subject.mechanism.mu_squared) ** 0.5, policy.budget.delta
    size = count_parameters(subject.plan, private=True)
    left = gaussian_delta(policy.plan.epsilon, delta, num_coordinates=20 * size)  # by what finite precision takes
    assert epsilon_of(mu, left) == pytest.approx(policy.plan.epsilon, rel=1e-6)


def test_the_last_origin_is_audited_as_a_round_reads_up_to_it(shop: Path) -> None:
    text = (shop / "plan.toml").read_text().replace("[2024-02-05]", "[2024-01-20, 2024-02-05]")
    subject = subjects.make_subject(parse_plan(text), shop, read_policy(shop / "policy.toml"))
    own, (round_reads, _) = subject.own_series(), read_legs(subject.plan, shop)
    assert torch.equal(own.cutoffs, round_reads.cutoffs)
    assert torch.equal(own.inputs, round_reads.inputs)


def test_an_audit_reads_what_the_policy_lets_a_round_read_and_no_plan_beyond_it(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "policy.toml").unlink()
    assert run(monkeypatch, "policy", "--plan", "plan.toml", "--out", "policy.toml") == 0
    policy = read_policy(shop / "policy.toml")
    subject = subjects.make_subject(read_plan(shop / "plan.toml"), shop, policy)
    assert subject.allowed == {"rows.csv": ("customer", "time", "units")}
    (round_reads, _) = read_legs(subject.plan, DataRoot(shop, policy.readable))
    assert torch.equal(subject.own_series().inputs, round_reads.inputs)
    (shop / "policy.toml").write_text((shop / "policy.toml").read_text().replace('"time", "units"', '"time"'))
    capsys.readouterr()
    assert run(monkeypatch, "audit", "plan.toml", "--level", "l0") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "would read the column 'units' (data.target), which data.files does not list" in said


def test_a_violation_ends_with_1_and_a_mistake_with_2(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("common.privacy.accounting.customer_mu", lambda mu, products: mu)
    assert run(monkeypatch, "audit", "plan.toml", "--level", "accounting") == 1
    assert "An absent violation is no proof" in capsys.readouterr().out
    assert run(monkeypatch, "audit", "plan.toml", "--level", "l7") == 2


# False alarm 1e-3 of the sum, 1e-4 of the ledger's way, which is walked as under a plan that trusts nobody.
@pytest.mark.slow
def test_a_plan_that_trusts_in_a_sum_is_audited_and_both_epsilons_are_said(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terms = 'trust = "sum"\nsum = { threshold = 4, colluders = 1, noise_multiplier = 18.0 }\n'
    text = (shop / "plan.toml").read_text()
    (shop / "plan.toml").write_text(text.replace("training = {", terms + "training = {"))
    capsys.readouterr()
    assert run(monkeypatch, "audit", "plan.toml", "--level", "l0,accounting,ledger,sum", "--json") == 0
    levels = json.loads(capsys.readouterr().out)["levels"]
    measured = levels["sum"]["measured"]
    assert 1.5 * measured["epsilon claimed"] < measured["epsilon if all collude claimed"]
    assert measured["epsilon if all collude at least"] <= measured["epsilon if all collude claimed"]
