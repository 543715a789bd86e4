import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.data.check.inspection import inspect_reading
from client.data.check.report import Report
from client.data.rows import read_frame
from common.plan.schema import Plan

PLAN: dict[str, Any] = {
    "name": "small",
    "data": {
        "path": "rows.csv",
        "rows": "panel",
        "entity": "product",
        "time": "date",
        "target": {"aggregate": "sum", "column": "units"},
        "known": [{"column": "promotion"}],
        "start": "2024-01-01",
        "end": "2024-03-31",
    },
    "model": {"step": "day", "horizon_days": 7, "likelihood": "negative_binomial"},
    "privacy": {"unit": "product"},
    "evaluation": {"origins": ["2024-03-15"], "methods": ["anchor"]},
}


def make_plan(**data: Any) -> Plan:
    return Plan.model_validate_json(json.dumps({**PLAN, "data": {**PLAN["data"], **data}}))


@pytest.fixture
def rows() -> pd.DataFrame:
    """Draw eight products on every day of the span."""
    generator = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", "2024-03-31").strftime("%Y-%m-%d")
    table = pd.DataFrame([(date, f"p{number}") for number in range(8) for date in dates], columns=["date", "product"])
    return table.assign(units=generator.poisson(4.0, len(table)), promotion=generator.integers(0, 2, len(table)))


def inspect(rows: pd.DataFrame, plan: Plan) -> Report:
    return inspect_reading(read_frame(rows, plan.data), plan)


def findings(rows: pd.DataFrame, plan: Plan) -> dict[str, str]:
    report = inspect(rows, plan)
    return {finding.key: f"{finding.severity}: {finding.sentence}" for finding in report.findings}


def as_events(rows: pd.DataFrame) -> Plan:
    return make_plan(rows="events", known=[])


def test_sound_rows_give_facts_and_nothing_to_complain_of(rows: pd.DataFrame) -> None:
    report = inspect(rows, make_plan())
    assert report.findings == ()
    assert report.facts == {
        "rows": 8 * 91,
        "rows kept": 8 * 91,
        "first day with a row": "2024-01-01",
        "last day with a row": "2024-03-31",
        "merchants": 1,
        "entities": 8,
        "days": 91,
        "open days of entities": 8 * 91,
        "share of them with demand": pytest.approx((rows["units"] > 0).mean(), abs=1e-4),
        "demand": rows["units"].sum(),
    }
    assert report.panel == {
        "entities": 8,
        "demand": rows["units"].sum(),
        "open_days": 8 * 91,
        "known": {"promotion": rows["promotion"].sum()},
        "rows_left_out": {},
    }


def test_what_is_left_out_is_a_fault_in_one_sentence_with_its_reason_and_number(rows: pd.DataFrame) -> None:
    negative = rows.assign(units=rows["units"].where(rows.index > 2, -1))
    for broken, reason, count in (
        (negative, "column 'units' is negative", 3),
        (pd.concat([rows, rows[:1]]), "column 'product' has a second row for one day", 1),
        (rows.assign(date=rows["date"].where(rows.index > 0, "soon")), "column 'date' is no date", 1),
        (rows.assign(product=rows["product"].where(rows.index > 0, " ")), "column 'product' is empty", 1),
    ):
        report = inspect(broken, make_plan())
        assert report.fails
        assert report.findings[0].key == "left_out"
        assert report.findings[0].sentence.startswith(f"{count} of {len(broken)} rows cannot be used: {reason} (")
        assert "\n" not in report.findings[0].sentence
        assert report.panel["rows_left_out"] == {reason: count}


def test_no_row_at_all_is_a_fault(rows: pd.DataFrame) -> None:
    for nothing in (rows[:0], rows.assign(date="1999-01-01")):
        report = inspect(nothing, make_plan())
        assert [finding.key for finding in report.findings if finding.severity == "fault"] == ["no_rows"]
        assert report.panel["entities"] == 0


def test_faults_stand_first(rows: pd.DataFrame) -> None:
    plan = make_plan(end="2024-04-30")
    late = plan.model_copy(update={"evaluation": plan.evaluation.model_copy(update={"origins": (plan.data.start,)})})
    report = inspect(rows.assign(units=0), late)
    order = ["fault", "warning", "note"]
    severities = [order.index(finding.severity) for finding in report.findings]
    assert severities == sorted(severities)
    assert report.fails


# Rows


def test_gaps_in_a_used_column_are_counted(rows: pd.DataFrame) -> None:
    rows["promotion"] = rows["promotion"].astype("Int64").mask(rows.index < 5)
    assert "Column 'promotion' is empty in 5 of 728 rows" in findings(rows, make_plan())["missing_values"]


def test_events_that_are_there_twice_are_a_note_and_many_a_warning(rows: pd.DataFrame) -> None:
    plan = as_events(rows)
    assert findings(pd.concat([rows, rows[:3]]), plan)["duplicates"].startswith("note: 3 of 731 rows")
    assert findings(pd.concat([rows, rows]), plan)["duplicates"].startswith("warning: 728 of 1456 rows")


def test_rows_outside_the_span_are_counted(rows: pd.DataFrame) -> None:
    assert "8 rows lie outside" in findings(rows, make_plan(start="2024-01-02"))["outside_span"]


def test_values_that_are_no_category_are_named(rows: pd.DataFrame) -> None:
    plan = make_plan(static=[{"column": "family", "categories": ["food", "toys"]}])
    rows["family"] = np.where(rows["product"] == "p1", "tools", "food")
    assert "('tools') in 91 of 728 rows" in findings(rows, plan)["unknown_categories"]


# Days


def test_a_weekday_without_rows_and_a_day_without_rows_are_told_apart(rows: pd.DataFrame) -> None:
    day = pd.to_datetime(rows["date"])
    kept = rows[(day.dt.day_name() != "Sunday") & (rows["date"] != "2024-02-13")]
    found = findings(kept, as_events(rows))
    assert "12 of 12 sundays have no row of anyone" in found["closed_weekday"]
    assert 'add "sunday" to data.closed_weekdays' in found["closed_weekday"]
    assert "On 1 days that the plan calls open nobody has a row (2024-02-13)" in found["closed_dates"]


def test_declared_closed_days_are_no_fault_and_rows_on_them_are_told(rows: pd.DataFrame) -> None:
    plan = make_plan(closed_dates=["2024-02-13", "2024-02-14"])
    found = findings(rows[rows["date"] != "2024-02-14"], plan)
    assert set(found) == {"rows_on_closed_days"}
    assert "8 rows lie on 1 days that the plan declares closed (2024-02-13)" in found["rows_on_closed_days"]


def test_a_day_without_rows_may_be_chance_where_rows_are_few(rows: pd.DataFrame) -> None:
    assert "closed_dates" not in findings(rows[:91:3], as_events(rows))


def test_a_span_that_the_rows_do_not_fill_is_told(rows: pd.DataFrame) -> None:
    found = findings(rows, make_plan(start="2023-12-01", end="2024-04-30"))
    assert "The last row is on 2024-03-31, 30 days before data.end 2024-04-30" in found["span_end"]
    assert "The first row comes 31 days after" in found["span_start"]


# Series


def test_a_series_of_zeros_is_told_and_nothing_but_zeros_is_a_fault(rows: pd.DataFrame) -> None:
    silent = rows.assign(units=rows["units"].where(rows["product"] != "p3", 0))
    assert findings(silent, make_plan())["series_of_zeros"].startswith("warning: 1 of 8 series")
    assert findings(rows.assign(units=0), make_plan())["no_demand"].startswith("fault")


def test_the_wildest_day_is_named(rows: pd.DataFrame) -> None:
    rows.loc[100, "units"] = 4000
    sentence = findings(rows, make_plan())["outliers"]
    assert "1 days of 1 series" in sentence
    assert f"product {rows.loc[100, 'product']} on {rows.loc[100, 'date']} with 4000, 1000 times" in sentence


def test_long_gaps_of_panels_that_close_are_noted(rows: pd.DataFrame) -> None:
    holes = rows[(rows["product"] != "p2") | (rows["date"] < "2024-01-11") | (rows["date"] > "2024-03-20")]
    sentence = findings(holes, make_plan(missing="closed"))["long_gaps"]
    assert "1 of 8 series" in sentence
    assert "(the longest: 70, product p2)" in sentence


@pytest.mark.parametrize(("origin", "severity"), [("2024-01-05", "fault"), ("2024-01-20", "warning")])
def test_a_history_too_short_to_learn_from_is_told(rows: pd.DataFrame, origin: str, severity: str) -> None:
    plan = json.loads(make_plan().model_dump_json())
    plan["evaluation"]["origins"] = [origin]
    assert findings(rows, Plan.model_validate_json(json.dumps(plan)))["short_history"].startswith(severity)


def test_an_origin_at_which_nobody_takes_part_is_a_fault(rows: pd.DataFrame) -> None:
    plan = make_plan(active={"days": 74, "within_days": 74})
    rows["units"] = rows["units"].where(rows["date"] != "2024-03-01", 0)
    assert findings(rows, plan)["nobody"].startswith("fault: No product takes part at the origin 2024-03-15")


# Leaks


def test_a_covariate_that_is_the_target_or_nearly_is_told(rows: pd.DataFrame) -> None:
    plan = make_plan(known=[{"column": "promotion"}, {"column": "visits"}])
    for visits in (rows["units"], rows["units"] * 3 + 1, np.expm1(2 * np.log1p(rows["units"]))):
        sentence = findings(rows.assign(visits=visits), plan)["leak"]
        assert "Covariate 'visits' nearly determines the target (correlation 1.000)" in sentence


def test_a_covariate_that_comes_and_goes_with_demand_is_told(rows: pd.DataFrame) -> None:
    rows["units"] = rows["units"].where(rows.index % 3 > 0, 0)
    till = (rows["units"] > 0) * np.random.default_rng(1).integers(1, 9, len(rows))
    assert "just the days that have demand" in findings(rows.assign(promotion=till), make_plan())["leak"]


def test_a_promotion_that_helps_is_no_leak(rows: pd.DataFrame) -> None:
    rows["units"] += 5 * rows["promotion"]
    assert findings(rows, make_plan()) == {}


def test_a_covariate_that_stops_at_the_origin_is_told(rows: pd.DataFrame) -> None:
    rows["promotion"] = rows["promotion"].where(rows["date"] < "2024-03-15", 0)
    sentence = findings(rows, make_plan())["unknown_ahead"]
    assert "Covariate 'promotion' is 0 throughout the 7 days from 2024-03-15 on" in sentence


def test_a_channel_that_is_the_target_is_noted(rows: pd.DataFrame) -> None:
    plan = make_plan(observed={"sold": {"aggregate": "sum", "column": "units"}})
    assert findings(rows, plan)["same_as_target"].startswith("note: Channel 'sold'")


def test_a_weekday_that_is_closed_on_most_of_its_days_is_noticed_with_those_on_which_it_was_open(
    rows: pd.DataFrame,
) -> None:
    saturday = pd.to_datetime(rows["date"]).dt.day_name() == "Saturday"
    kept = rows[~saturday | rows["date"].isin(["2024-01-20", "2024-02-17", "2024-03-09"])]  # 10 of 13 are silent
    said = findings(kept, as_events(rows))["closed_weekday"]
    assert said.startswith("warning: 10 of 13 saturdays have no row of anyone")
    assert "name these days in data.closed_dates (it was open on 2024-01-20, 2024-02-17, 2024-03-09)" in said
    assert "closed_dates" not in findings(kept, as_events(rows))


def test_a_covariate_that_is_not_told_of_days_ahead_is_a_warning_and_where_the_plan_refuses_a_fault(
    rows: pd.DataFrame,
) -> None:
    known = rows[rows["date"] < "2024-03-18"]
    said = findings(known, make_plan())["missing_ahead"]
    assert said.startswith("warning: Covariate 'promotion' is not told by the rows of rows.csv on 57% of the open days")
    assert "the first 2024-03-18, the last 2024-03-21, so it counts as 0 there" in said
    refused = inspect(known, make_plan(missing_ahead="refuse"))
    assert refused.fails
    assert inspect(known, make_plan()).fails is False
    assert "missing_ahead" not in findings(rows, make_plan())


def test_public_holidays_that_are_not_known_or_only_of_parts_are_said(rows: pd.DataFrame) -> None:
    assert (
        "fault: data.holidays: public holidays of the country 'XX'"
        in findings(rows, make_plan(holidays={"country": "XX", "missing": "zero"}))["holidays"]
    )
    assert "name the part, one of ENG" in findings(rows, make_plan(holidays={"country": "GB"}))["holidays"]
    assert findings(rows, make_plan(holidays={"country": "GB", "subdivision": "ENG"})) == {}
