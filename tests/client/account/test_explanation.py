"""What a person reads before a plan is approved: every column, and what decides whose rows count as one record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.account.explanation import explain_reading
from client.account.policy import Policy
from common.plan.reading import read_plan
from common.plan.reads import columns_in, files_of
from common.plan.schema import Plan

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.toml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_file_and_column_of_a_plan_is_named(path: Path, make_policy: Callable[..., Policy]) -> None:
    data = read_plan(path).data
    said = "\n".join(explain_reading(data, make_policy()))
    for name in (data.entity, *files_of(data), *(column for file in columns_in(data).values() for column in file)):
        assert repr(name) in said
    assert len(said.splitlines()) < 20
    assert ("draws its data" in said) == (data.source == "synthetic")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "is all rows with the same 'customer'; in your policy one customer is all rows with the same 'customer'."),
        ({"entity": "row_id"}, "is all rows with the same 'row_id'; in your policy one customer is all rows"),
        ({"merchant": "date"}, "all rows with the same 'customer' and 'date'"),
        (
            {"deal": {"by": "group", "column": "land", "characters": 2, "merchants": 2}},
            "all rows with the same 'customer' and the first 2 characters of 'land'",
        ),
        ({"derived": {"customer": ["a", "b"]}}, "'customer' ('customer' is computed, see below)"),
        ({"derived": {"customer": ["a", "b"]}}, "It computes 'customer' as 'a' times 'b'."),
        ({"lookups": [{"path": "x.csv", "key": "customer", "column": "id"}]}, "whose 'id' is the row's 'customer'."),
        ({"lookups": [{"path": "x.csv", "key": "land", "column": "id"}]}, "becomes part of the record of others too."),
        ({"filters": [{"column": "land", "equals": "fr"}]}, "Only rows count in which 'land' is 'fr'."),
        ({"filters": [{"column": "n", "above": 2.0, "at_least": 3.0}]}, "'n' is above 2 and is at least 3."),
        ({"filters": [{"column": "note", "filled": True}]}, "Only rows count in which 'note' is not empty."),
        ({"filters": [{"column": "note", "filled": False}]}, "Only rows count in which 'note' is empty."),
        ({"filters": [{"column": "returned", "equals": False}]}, "in which 'returned' is False."),
        ({"time_zone": "Asia/Shanghai"}, "a time with an offset counts on its day in Asia/Shanghai."),
        ({"active": {"days": 2, "within_days": 9}}, "demand on at least 2 of the 9 days before the origin take part."),
        ({"rows": "panel", "missing": "closed"}, "A day without a row is closed."),
        ({"closed_weekdays": ["sunday"]}, "A day without a row is a day without demand; closed is every sunday."),
        ({"closed_dates": [f"2024-01-0{day}" for day in range(1, 6)]}, "2024-01-03 and 2 more dates."),
        ({"rows": "panel"}, "of a second one of the same day the first counts."),
        ({}, "any number of rows a day"),
        ({"static": [{"column": "kind", "categories": ["a", "b"]}]}, "of its first row: 'kind' (whether 'a' or 'b')"),
        ({"deal": {"by": "random", "merchants": 2, "smallest": 1, "largest": 2}}, "which is for simulations"),
        ({"entity": "a\nallowed: True"}, "'a\\nallowed: True'"),
        ({"observed": {"a\nb": {"aggregate": "sum", "column": "c"}}}, "'c' (data.observed.'a\\nb')"),
        ({"derived": {"a\nb": ["c", "d"]}}, "It computes 'a\\nb' as 'c' times 'd'."),
        (
            {"ahead": [{"path": "c.csv", "time": "date", "known": [{"column": "fair"}]}]},
            "It takes of 'c.csv', by its 'date', the same for all records, of nobody's rows: 'fair' (data.ahead).",
        ),
        (
            {"ahead": [{"path": "p.csv", "time": "date", "entity": "who", "known": [{"column": "price"}]}]},
            "It takes of 'p.csv', by its 'date', of those rows whose 'who' is the record's: 'price' (data.ahead).",
        ),
        ({"holidays": {"country": "DE", "subdivision": "BY"}}, "public holidays of 'BY DE' (data.holidays)"),
        ({"shopping_days": ["black_friday"]}, "It knows the days black_friday (data.shopping_days)"),
        (
            {"school_holidays": {"path": "s.csv", "name": "what", "names": ["ski"]}},
            "It takes of 's.csv', the same for all records, the spans of days in 'first_day', 'last_day' and 'what' "
            "(those called 'ski') (data.school_holidays).",
        ),
    ],
)
def test_what_decides_what_a_record_is_and_which_rows_count_is_said(
    data: dict[str, Any], said: str, make_plan: Callable[..., Plan], make_policy: Callable[..., Policy]
) -> None:
    sentences = explain_reading(make_plan(data=data).data, make_policy())
    assert said in "\n".join(sentences)
    assert all("\n" not in sentence and sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize("aggregate", ["sum", "mean", "distinct", "rows"])
def test_what_is_forecast_is_said(
    aggregate: str, make_plan: Callable[..., Plan], make_policy: Callable[..., Policy]
) -> None:
    target = {"aggregate": aggregate} | ({} if aggregate == "rows" else {"column": "units"})
    said = json.dumps(explain_reading(make_plan(data={"target": target}).data, make_policy(data=None)))
    assert ("'units'" in said) == (aggregate != "rows")
    assert "your policy has no [data] section, so you alone decide whether that is one customer" in said
