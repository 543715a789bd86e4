from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from client.data.check.likelihood import find_model_faults, find_size_faults
from common.data.panel import Panel
from common.plan.schema import Plan

KINDS = ("negative_binomial", "hurdle_negative_binomial", "log_normal")
SHAPE = (6, 60)


@pytest.fixture
def findings(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel]) -> Callable[..., dict[str, str]]:
    """Hold a target against a likelihood."""

    def found(likelihood: str, target: np.ndarray, **fields) -> dict[str, str]:
        panel = make_panel(target=target.astype(np.float32), **fields)
        plan = make_plan(model={"likelihood": likelihood, "season": False})
        return {finding.key: f"{finding.severity}: {finding.sentence}" for finding in find_model_faults(panel, plan)}

    return found


def whole(mean: float) -> np.ndarray:
    return np.random.default_rng(0).poisson(mean, SHAPE)


@pytest.mark.parametrize("likelihood", KINDS[:2])
def test_kilograms_under_a_likelihood_that_counts_are_warned_of(findings, likelihood: str) -> None:
    found = findings(likelihood, (1 + whole(9.0)) * 0.05)
    assert set(found) == {"fractions"}
    assert found["fractions"].startswith("warning: The target has fractions on ")
    assert f'model.likelihood = "{likelihood}" counts' in found["fractions"]
    assert 'take "log_normal", or count in a smaller unit' in found["fractions"]


def test_where_zeros_are_many_too_only_a_smaller_unit_is_advised(findings) -> None:
    sentence = findings("negative_binomial", whole(0.7) * 0.35)["fractions"]
    assert "log_normal" not in sentence
    assert "count in a smaller unit (grams for kilograms)" in sentence


@pytest.mark.parametrize("likelihood", KINDS[:2])
def test_whole_numbers_of_any_size_are_no_fractions(findings, likelihood: str) -> None:
    for target in (whole(0.1), whole(4.0), whole(4.0) * 1000, whole(3.0) * 3_000_000):
        assert findings(likelihood, target) == {}


def test_a_few_slips_among_whole_numbers_are_no_complaint(findings) -> None:
    target = whole(4.0).astype(float)
    target[0, :2] = 1.5
    assert findings("negative_binomial", target) == {}


def test_many_zeros_under_log_normal_are_warned_of(findings) -> None:
    amounts = 40.0 * (np.random.default_rng(0).random(SHAPE) < 0.2)
    found = findings("log_normal", amounts)
    assert set(found) == {"zeros"}
    assert found["zeros"].startswith("warning: The target is 0 on 8")
    assert "hurdle_negative_binomial" in found["zeros"]


def test_amounts_with_hardly_a_zero_fit_log_normal(findings) -> None:
    amounts = 40.0 * (np.random.default_rng(0).random(SHAPE) < 0.97)
    assert findings("log_normal", amounts) == {}


def test_zeros_on_closed_days_and_before_the_first_row_do_not_count(findings) -> None:
    amounts, is_open = np.full(SHAPE, 40.0), np.ones(SHAPE, bool)
    amounts[:, 6::7], is_open[:, 6::7] = 0.0, False
    amounts[0, :50] = 0.0
    assert findings("log_normal", amounts, open=is_open, first_day=np.array([50, 0, 0, 0, 0, 0])) == {}


def test_no_demand_at_all_is_for_another_check(findings) -> None:
    assert [findings(likelihood, np.zeros(SHAPE)) for likelihood in KINDS] == [{}, {}, {}]


def test_a_model_larger_than_the_proof_is_a_fault(make_plan: Callable[..., Plan]) -> None:
    (finding,) = find_size_faults(make_plan(model={"hidden_size": 1024, "decoder_size": 1024}))
    assert (finding.severity, finding.key) == ("fault", "model_size")
    assert "is proven for up to 4,194,296" in finding.sentence
    assert list(find_size_faults(make_plan(model={"hidden_size": 512, "decoder_size": 1024}))) == []


def test_a_start_that_does_not_exist_is_not_for_this_check(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(federation={"start": "warm"}, model={"hidden_size": 7}, evaluation={"origins": [date(2024, 3, 1)]})
    assert list(find_size_faults(plan)) == []
