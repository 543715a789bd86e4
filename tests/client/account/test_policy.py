from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import pytest

from client.account.policy import Policy, is_within_hours, read_policy
from common.errors import ConfigError, PrivacyError

STARTER = files("client.account").joinpath("starter.toml").read_text()


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return path


def test_without_a_file_nothing_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match=r"There is no policy .* nothing may be trained; write one with"):
        read_policy(tmp_path / "policy.toml")


def test_the_starter_is_legal_and_approves_nobody(tmp_path: Path) -> None:
    policy = read_policy(write(tmp_path, STARTER))
    assert policy.approval.coordinators == policy.approval.plans == ()
    assert policy.approval.automatic is None
    assert not policy.plan.allow_training_without_noise


def test_the_sections_that_the_starter_only_mentions_are_legal(tmp_path: Path) -> None:
    text = STARTER.replace('unit = "customer"', 'unit = "product"')
    begins = ["[", "units", "eps", "per", "del", "lar", "sma", "ent", "nev", '"', "ver", "col", "cus", "pee"]
    lines = [
        line.removeprefix("# ") if line.startswith(tuple(f"# {begin}" for begin in begins)) else line
        for line in text.splitlines()
    ]
    policy = read_policy(write(tmp_path, "\n".join(lines)))
    assert policy.units_per_customer == 5
    assert set(policy.budgets) == {"product", "customer"}
    assert policy.approval.automatic is not None
    assert policy.ceilings == {"product": 12.0, "customer": 36.0}
    assert policy.sum is not None
    assert (policy.sum.verified_peers, policy.sum.peers) == (3, ())
    assert policy.data is not None
    assert policy.readable == {"sales.csv": ("customer", "date", "units")}
    assert (policy.data.entity, policy.data.never) == ("customer", ("email",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epsilon = 4.0", "epsilom = 4.0", r"unknown key budget.epsilom \(did you mean epsilon\?\)"),
        ("epsilon = 4.0", "epsilon = nan", "budget.epsilon"),
        ("epsilon = 4.0", "epsilon = inf", "budget.epsilon"),
        ("epsilon = 4.0", "epsilon = 0.0", "budget.epsilon = 0.0: input should be greater than 0"),
        ("epsilon = 4.0", "epsilon = 33.0", "less than or equal to 32"),
        ("period_epsilon = 2.0", "period_epsilon = 5.0", "period_epsilon 5.0 must not exceed epsilon 4.0"),
        ("delta = 1e-5", "delta = 1e-3", "budget.delta is above 1e-05, the most for size_class 512"),
        ("size_class = 512", "size_class = 512.0", "size_class"),
        ("size_class = 512", "", "key size_class is missing"),
        ("epsilon = 1.0", "epsilon = 3.0", "plan.epsilon exceeds budget.period_epsilon"),
        ("hours = []", 'hours = ["25:00-06:00"]', "write hours as 22:00-06:00"),
        ("plans = []", 'plans = ["abc"]', "64 lower-case hex digits"),
        ("allow_training_without_noise = false", 'allow_training_without_noise = "yes"', "valid boolean"),
        ('unit = "customer"', 'unit = "person"', "unit = 'person'"),
        ("[approval]", "[approval", "is no TOML"),
    ],
)
def test_what_is_not_legal_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert STARTER.count(old) >= 1
    with pytest.raises(ConfigError, match=said):
        read_policy(write(tmp_path, STARTER.replace(old, new, 1)))


def test_a_customer_plan_needs_no_second_budget_for_customers(make_policy: Callable[..., Policy]) -> None:
    budget = {"epsilon": 9.0, "period_epsilon": 9.0, "period_days": 1, "delta": 1e-5, "units_per_customer": 2}
    with pytest.raises(ValueError, match="customer is for the other units"):
        make_policy(customer=budget)


@pytest.mark.parametrize(
    ("hours", "clock", "within"),
    [
        ((), "12:00", True),
        (("22:00-06:00",), "23:30", True),
        (("22:00-06:00",), "05:59", True),
        (("22:00-06:00",), "06:00", False),
        (("22:00-06:00",), "12:00", False),
        (("08:00-09:00", "12:00-13:00"), "12:59", True),
        (("08:00-09:00", "12:00-13:00"), "13:00", False),
    ],
)
def test_hours_may_pass_midnight_and_end_before_their_end(hours: tuple[str, ...], clock: str, within: bool) -> None:
    assert is_within_hours(hours, datetime.fromisoformat(f"2025-06-01T{clock}")) == within


DATA = """
[data]
entity = "customer"
never = ["email"]

[data.files]
"sales.csv" = ["customer", "units"]

[budget]"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('entity = "customer"', 'entity = "row_id"', "entity 'row_id' is a column of none of data.files"),
        ('entity = "customer"', "", "key data.entity is missing"),
        ('never = ["email"]', 'never = ["units"]', "never names 'units', and data.files lists it"),
        ("never", "newer", r"unknown key data.newer \(did you mean never\?\)"),
        ('never = ["email"]', 'merchant = "shop"', "merchant 'shop' is a column of none of data.files"),
        ('never = ["email"]', 'public = ["days.csv"]', "public names 'days.csv', which is none of data.files"),
        (
            'never = ["email"]',
            'lookups = { "days.csv" = "day" }',
            "lookups names 'days.csv', which is none",
        ),
        ('"sales.csv" =', "sales.csv =", 'data.files: write the name of a file in quotes, as "sales.csv"'),
        ('"sales.csv" =', '"/sales.csv" =', "it is absolute; write a file below the data root"),
        ('"sales.csv" =', '"../sales.csv" =', "it leads upwards; write a file below the data root"),
        ('"sales.csv" = ["customer", "units"]', "", "data.files: "),
    ],
)
def test_a_data_section_that_is_not_legal_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = STARTER.replace("\n[budget]", DATA, 1)
    assert read_policy(write(tmp_path, text)).readable == {"sales.csv": ("customer", "units")}
    with pytest.raises(ConfigError, match=said):
        read_policy(write(tmp_path, text.replace(DATA, DATA.replace(old, new))))


SUM = """
[sum]
smallest_cohort = 10
verified_peers = 3
colluders = 3
epsilon_if_all_collude = 12.0
"""


def test_a_policy_says_nothing_of_sums_unless_it_is_asked_to(tmp_path: Path) -> None:
    assert read_policy(write(tmp_path, STARTER)).sum is None
    assert read_policy(write(tmp_path, STARTER)).ceilings == {}
    assert read_policy(write(tmp_path, STARTER + SUM)).ceilings == {"customer": 12.0}


@pytest.mark.parametrize("key", ["smallest_cohort", "verified_peers", "colluders", "epsilon_if_all_collude"])
def test_no_term_of_a_sum_has_a_default(key: str, tmp_path: Path) -> None:
    without = "\n".join(line for line in SUM.splitlines() if not line.startswith(key))
    with pytest.raises(ConfigError, match=f"key sum.{key} is missing"):
        read_policy(write(tmp_path, STARTER + without))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("12.0", "3.0", "epsilon_if_all_collude 3.0 is below budget.epsilon 4.0"),
        ("12.0", "37.0", "less than or equal to 36"),
        ("colluders = 3", "colluders = 0", "sum.colluders = 0"),
        ("smallest_cohort = 10", "smallest_cohort = 1", "sum.smallest_cohort = 1"),
        ("verified_peers = 3", "verified_peers = -1", "sum.verified_peers = -1"),
        ("12.0", '12.0\npeers = ["ABC"]', "write a SHA-256 as 64 lower-case hex digits"),
        ("12.0", "12.0\ncustomer_epsilon_if_all_collude = 20.0", "needed with a section customer, and only then"),
    ],
)
def test_terms_of_a_sum_that_cannot_be_meant_are_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        read_policy(write(tmp_path, STARTER + SUM.replace(old, new)))


def test_where_customers_have_a_budget_they_have_a_ceiling_too(tmp_path: Path) -> None:
    customer = (
        "[customer]\nunits_per_customer = 2\nepsilon = 20.0\nperiod_epsilon = 20.0\nperiod_days = 9\ndelta = 1e-5\n"
    )
    text = STARTER.replace('unit = "customer"', 'unit = "product"') + SUM
    with pytest.raises(ConfigError, match="customer_epsilon_if_all_collude is needed with a section customer"):
        read_policy(write(tmp_path, text + customer))
    with pytest.raises(ConfigError, match=r"customer_epsilon_if_all_collude 19.0 is below customer.epsilon 20.0"):
        read_policy(write(tmp_path, f"{text}customer_epsilon_if_all_collude = 19.0\n{customer}"))
    policy = read_policy(write(tmp_path, f"{text}customer_epsilon_if_all_collude = 30.0\n{customer}"))
    assert policy.ceilings == {"product": 12.0, "customer": 30.0}
