"""An owner's own limits in the policy to begin with."""

import pytest

from client.account.limit import SIZE_CLASSES, Limits, choose_size_class, write_limited
from client.account.policy import Policy
from client.account.starter import write_starter
from common.errors import ConfigError
from common.plan.reading import parse_toml
from common.plan.schema import PrivacyPlan


def read(text: str) -> Policy:
    return parse_toml(text, Policy, origin="policy.toml")


def test_the_limits_stand_in_the_policy_and_all_else_is_the_starter_s() -> None:
    text = write_limited(Limits("product", 128, epsilon=6.0, plan_epsilon=2.0, smallest_cohort=3))
    policy, starter = read(text), read(write_starter())
    assert (policy.unit, policy.size_class, policy.plan.smallest_cohort) == ("product", 128, 3)
    assert (policy.budget.epsilon, policy.budget.period_epsilon, policy.plan.epsilon) == (6.0, 3.0, 2.0)
    assert policy.budget.delta == starter.budget.delta
    assert policy.plan.smallest_noise_multiplier == starter.plan.smallest_noise_multiplier
    assert not policy.plan.allow_training_without_noise
    assert policy.approval == starter.approval
    changed = [new for new, old in zip(text.splitlines(), write_starter().splitlines(), strict=True) if new != old]
    assert len(changed) == 6  # delta stays
    assert all("#" in line for line in changed)  # what each means stands beside it still


@pytest.mark.parametrize("number", [1, 16, 17, 500, 30_000, 10**9])
def test_a_size_class_has_room_for_twice_as_many(number: int) -> None:
    found = choose_size_class(number)
    assert found >= min(2 * number, SIZE_CLASSES[-1])
    assert found == SIZE_CLASSES[0] or found < 4 * number
    assert found in PrivacyPlan.model_fields["size_classes"].default  # so that a plan that says nothing takes it


def test_delta_is_no_more_than_the_size_class_allows() -> None:
    assert read(write_limited(Limits("customer", 65_536))).budget.delta == pytest.approx(1 / 655_360, rel=1e-4)


@pytest.mark.parametrize("wrong", [{"plan_epsilon": 5.0}, {"epsilon": 99.0}, {"smallest_cohort": 0}])
def test_limits_that_contradict_each_other_are_one_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="What you chose"):
        write_limited(Limits("product", 128, **wrong))  # type: ignore[arg-type]
