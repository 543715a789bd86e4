"""Which rounds end one horizon earlier follows from the plan and the round's number, and from nothing else."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from common.plan.leg import is_rehearsal, leg_of, legs_of
from common.plan.reading import read_plan

PLANS = Path(__file__).parents[2] / "vectors" / "0.1" / "plans"  # as they were: those of today may change
# From the version before there were legs.
HASHES = {
    "demo": "3a5bc73014cbb1c4e263c2090e52007d8f5877d1429b5d3307d80c8bc8640a8f",
    "favorita": "db4a52e5bca29e0079cacb5669fd5eb121117fc67265622f01b01106c4fafea2",
    "federation": "9156608d2089d46958650c885c66d7da93abd3cf84c344ef7dfc4dec5165c255",
}


@pytest.mark.parametrize(("name", "value"), HASHES.items())
def test_a_plan_without_a_rehearsal_is_hashed_and_written_as_before_there_were_any(name, value):
    plan = read_plan(PLANS / f"{name}.toml")
    assert plan.hash == value
    assert "rehearsal" not in json.dumps(plan.model_dump(mode="json"))


def test_a_rehearsal_is_part_of_what_is_approved(make_plan):
    without, with_one = make_plan(), make_plan(federation={"rehearsal": True})
    assert without.hash != with_one.hash
    assert type(with_one).model_validate_json(json.dumps(with_one.model_dump(mode="json"))) == with_one


@pytest.mark.parametrize(("num_rounds", "rehearsed"), [(2, 1), (3, 2), (4, 3), (10, 7), (60, 40), (100, 67)])
def test_two_thirds_of_the_rounds_end_one_horizon_before_the_last_origin(make_plan, num_rounds, rehearsed):
    plan = make_plan(privacy={"training": {"num_rounds": num_rounds}}, federation={"rehearsal": True})
    origin = plan.evaluation.origins[-1]
    first, second = legs_of(plan, private=True)
    assert (first.first_round, first.last_round, first.until) == (1, rehearsed, origin - timedelta(days=4))
    assert (second.first_round, second.last_round, second.until) == (rehearsed + 1, num_rounds, origin)
    for round_number in range(1, num_rounds + 1):
        leg = leg_of((first, second), round_number)
        assert leg.until == (first.until if round_number <= rehearsed else origin)
        assert leg.place(round_number) == (round_number if leg == first else round_number - rehearsed)
        assert is_rehearsal(plan, private=True, round_number=round_number) == (round_number <= rehearsed)


def test_without_a_rehearsal_all_rounds_are_one_leg(make_plan):
    plan = make_plan()
    (leg,) = legs_of(plan, private=True)
    assert (leg.first_round, leg.num_rounds, leg.until) == (1, plan.privacy.training.num_rounds, date(2024, 3, 1))
    assert not is_rehearsal(plan, private=True, round_number=1)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"privacy": {"training": {"num_rounds": 1}}}, "privacy.training.num_rounds of at least 2"),
        ({"evaluation": {"origins": ["2024-01-05"]}}, "leaves no whole step one horizon before"),
    ],
)
def test_a_plan_that_cannot_rehearse_is_refused(make_plan, sections, said):
    with pytest.raises(ValidationError, match=said):
        make_plan(federation={"rehearsal": True}, **sections)
