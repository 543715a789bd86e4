"""A policy that is written from a plan accepts that plan, and one from a table names what the table has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from client.account.policy import Policy, read_policy
from client.account.scope import require_within
from client.account.starter import start_from_plan, start_from_table, write_section
from client.data.root import DataRoot
from common.errors import ConfigError, DataError, PrivacyError
from common.plan.reading import parse_toml, read_plan
from common.plan.schema import Plan

ROOT = Path(__file__).parents[3]
MERCHANTS_OWN = ["federation", "online-retail-products", "online-retail-customers"]


@pytest.mark.parametrize("name", MERCHANTS_OWN)
def test_a_policy_written_from_a_plan_lets_it_read_what_it_reads(name: str, tmp_path: Path) -> None:
    plan = read_plan(ROOT / "plans" / f"{name}.toml")
    policy = parse_toml(start_from_plan(plan, DataRoot(tmp_path)), Policy, origin="policy")
    assert policy.unit == plan.privacy.unit
    assert policy.approval.automatic is None
    require_within(policy, plan)
    other = plan.model_copy(update={"data": plan.data.model_copy(update={"entity": plan.data.time})})
    with pytest.raises(PrivacyError, match="as one entity"):
        require_within(policy, other)


def test_where_the_files_are_there_each_is_listed_with_what_it_has(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    lookup = {"path": "kinds.parquet", "key": "customer", "column": "Id"}
    plan = make_plan(data={"lookups": [lookup], "static": [{"column": "kind"}]})
    (tmp_path / "rows.csv").write_text("customer;time;email\n")
    pd.DataFrame({"Id": ["a"], "kind": ["b"], "email": ["c"]}).to_parquet(tmp_path / "kinds.parquet")
    policy = parse_toml(start_from_plan(plan, DataRoot(tmp_path)), Policy, origin="policy")
    assert policy.readable == {"rows.csv": ("customer", "time"), "kinds.parquet": ("Id", "kind")}
    require_within(policy, plan)


def test_a_policy_written_from_a_table_names_its_columns(tmp_path: Path) -> None:
    (tmp_path / "year").mkdir()
    (tmp_path / "year" / "sales.csv").write_text('"the ""product""",date,naïve\\column\n')
    root = DataRoot(tmp_path)
    (tmp_path / "policy.toml").write_text(start_from_table("year/sales.csv", 'the "product"', root))
    policy = read_policy(tmp_path / "policy.toml")
    assert policy.data is not None
    assert policy.data.entity == 'the "product"'
    assert policy.readable == {"year/sales.csv": ('the "product"', "date", "naïve\\column")}
    with pytest.raises(ConfigError, match="has no column 'sku'; name one of the"):
        start_from_table("year/sales.csv", "sku", root)
    for path in ("none.csv", "../sales.csv", "year"):
        with pytest.raises(DataError):
            start_from_table(path, "sku", root)


def test_a_section_names_the_column_of_merchants_and_how_files_are_joined(make_plan: Callable[..., Plan]) -> None:
    lookup = {"path": "kinds.csv", "key": "customer", "column": "Id"}
    section = write_section(make_plan(data={"merchant": "shop", "lookups": [lookup]}).data)
    assert 'merchant = "shop"' in section
    assert '"kinds.csv" = "Id"' in section


def test_a_policy_written_from_a_plan_names_its_calendar_as_public_and_how_a_table_is_joined(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    calendar = {"path": "calendar.csv", "time": "date", "known": [{"column": "fair"}]}
    prices = {"path": "prices.csv", "time": "date", "entity": "who", "known": [{"column": "price"}]}
    plan = make_plan(data={"ahead": [calendar, prices], "school_holidays": {"path": "school.csv"}})
    policy = parse_toml(start_from_plan(plan, DataRoot(tmp_path)), Policy, origin="policy")
    assert policy.data is not None
    assert policy.data.public == ("calendar.csv", "school.csv")
    assert policy.data.lookups == {"prices.csv": "who"}
    assert policy.data.files["school.csv"] == ("first_day", "last_day")
    require_within(policy, plan)
