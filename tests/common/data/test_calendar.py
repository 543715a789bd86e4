"""What is known ahead of each entity, from tables and public days, and what is missing of it."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.data.rows import Reading, read, read_frame, require_whole
from common.data.calendar import DayTables
from common.data.gap import find_gaps, require_told
from common.data.panel import Panel
from common.errors import ConfigError, DataError
from common.plan.near_day import near_names
from common.plan.reading import parse_plan
from common.plan.schema import DataPlan, Plan

EVENTS: dict[str, Any] = {
    "path": "rows.csv",
    "rows": "events",
    "entity": "product",
    "time": "day",
    "target": {"aggregate": "sum", "column": "units"},
    "start": date(2024, 1, 1),  # a Monday
    "end": date(2024, 1, 10),
}
SALES = pd.DataFrame(
    [("tea", "2024-01-01", 5), ("mug", "2024-01-02", 1), ("tea", "2024-01-04", 7)], columns=["product", "day", "units"]
)
CALENDAR = {"path": "calendar.csv", "time": "date", "known": [{"column": "fair"}]}
PRICES = {"path": "prices.csv", "time": "date", "entity": "sku", "known": [{"column": "price", "scale": 2.0}]}


def make_data_plan(**fields: Any) -> DataPlan:
    return DataPlan.model_validate_json(json.dumps({**EVENTS, **fields}, default=str))


def read_text(tmp_path: Path, plan: DataPlan, rows: pd.DataFrame = SALES, **files: str) -> Reading:
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return read(plan, tmp_path)


def covariate(panel: Panel, name: str, entity: str = "tea") -> list[float]:
    row = list(panel.entities).index(entity)
    return panel.known[row, :, panel.covariates.index(name)].tolist()


# ------------------------------------------------------------------ tables


def test_a_plan_of_events_knows_a_calendar_s_days_the_same_for_every_entity(tmp_path: Path) -> None:
    plan = make_data_plan(ahead=[{**CALENDAR, "missing": "zero"}])
    calendar = "date,fair\n2024-01-03,1\n2024-01-09,1\n2024-02-01,1\n"
    panel = require_whole(read_text(tmp_path, plan, calendar=calendar)).panel
    assert panel.covariates == ("fair",)
    for entity in ("tea", "mug"):
        assert covariate(panel, "fair", entity) == [0, 0, 1, 0, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("missing", "tea", "mug"),
    [
        ("zero", [2, 2, 0, 0, 3, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("refuse", [2, 2, 0, 0, 3, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("last", [2, 2, 2, 2, 3, 3, 3, 3, 3, 3], [0, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_each_entity_has_its_own_rows_and_a_gap_is_what_the_plan_says(
    tmp_path: Path, missing: str, tea: list[float], mug: list[float]
) -> None:
    plan = make_data_plan(ahead=[{**PRICES, "missing": missing}])
    prices = "sku,date,price\ntea,2024-01-01,4\ntea,2024-01-02,4\nmug,2024-01-02,2\ntea,2024-01-05,6\n"
    prices += "sugar,2024-01-01,9\ntea,2024-01-06,\ntea,2024-01-07,cheap\n"
    panel = require_whole(read_text(tmp_path, plan, prices=prices)).panel
    assert covariate(panel, "price") == tea
    assert covariate(panel, "price", "mug") == mug
    assert panel.told is not None
    told = dict(zip(panel.entities, panel.told[:, :, 0], strict=True))
    assert np.flatnonzero(told["tea"]).tolist() == [0, 1, 4]
    assert np.flatnonzero(told["mug"]).tolist() == [1]


def test_what_a_table_has_twice_counts_once_and_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    plan = make_data_plan(ahead=[PRICES])
    prices = 'sku,date,price\ntea,2024-01-01,4\ntea,2024-01-01,8\nmug,soon,2\n,2024-01-01,3\ntea,2024-01-02,"4\n'
    reading = read_text(tmp_path, plan, prices=prices)
    assert covariate(reading.panel, "price")[0] == 2.0
    assert len(reading.faults) == 3
    assert "1 of 5 rows of prices.csv" in reading.faults[0]
    assert "2 of 4 rows of prices.csv name no day or nobody (the first in row 4)" in reading.faults[1]
    assert "1 of 4 rows of prices.csv are a second one of their day (the first in row 3)" in reading.faults[2]


def test_merchants_in_one_file_have_a_calendar_each(tmp_path: Path) -> None:
    table = {**CALENDAR, "merchant": "shop", "missing": "zero"}
    plan = make_data_plan(merchant="shop", ahead=[table])
    rows = pd.concat([SALES.assign(shop="north"), SALES.assign(shop="south")])
    calendar = "shop,date,fair\nnorth,2024-01-01,1\nsouth,2024-01-02,1\n"
    panel = require_whole(read_text(tmp_path, plan, rows, calendar=calendar)).panel
    days = [(shop, int(row.argmax())) for shop, row in zip(panel.merchants, panel.known[:, :, 0], strict=True)]
    assert days == [("north", 0), ("north", 0), ("south", 1), ("south", 1)]


def test_a_file_or_a_column_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    plan = make_data_plan(ahead=[CALENDAR])
    with pytest.raises(DataError, match=r"no file .*calendar\.csv"):
        read_text(tmp_path, plan)
    with pytest.raises(DataError, match=r"column 'fair' of calendar\.csv; it has date, market"):
        read_text(tmp_path, plan, calendar="date,market\n2024-01-01,1\n")
    with pytest.raises(DataError, match="were not read"):
        read_frame(SALES, plan)


def test_school_holidays_are_spans_by_name_and_known_from_the_first_to_the_last(tmp_path: Path) -> None:
    spans = (
        "name,first_day,last_day\nwinter,2023-12-20,2024-01-02\nski,2024-01-05,2024-01-06\nodd,2024-01-09,2024-01-01\n"
    )
    school = {"path": "school.csv", "name": "name", "names": ["winter", "ski"]}
    reading = read_text(tmp_path, make_data_plan(school_holidays=school), school=spans)
    assert covariate(reading.panel, "school_holiday=winter") == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert covariate(reading.panel, "school_holiday=ski") == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert reading.panel.told is not None
    assert reading.panel.told[0, :, 0].tolist() == [True] * 6 + [False] * 4
    assert "1 of 3 rows of school.csv are no span of days (the first in row 4)" in reading.faults[0]
    together = read_text(tmp_path, make_data_plan(school_holidays={"path": "school.csv"}))
    assert covariate(together.panel, "school_holiday") == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0]


def test_public_days_need_no_file() -> None:
    names = ["holiday", "before", "after", "worked_weekend"]
    plan = make_data_plan(
        start=date(2024, 9, 28),
        end=date(2024, 10, 13),
        holidays={"country": "CN", "covariates": names},
        shopping_days=["singles_day"],
    )
    panel = read_frame(SALES.assign(day="2024-09-28"), plan).panel
    assert panel.covariates == (*names, "singles_day")
    assert np.flatnonzero(covariate(panel, "holiday")).tolist() == list(range(3, 10))  # 1 to 7 October
    assert np.flatnonzero(covariate(panel, "worked_weekend")).tolist() == [1, 14]  # 29 September, 12 October
    assert np.flatnonzero(covariate(panel, "before")).tolist() == [2]
    assert np.flatnonzero(covariate(panel, "after")).tolist() == [10]
    assert panel.told is None


def test_nearness_to_a_holiday_stands_behind_the_kinds_of_days_and_its_year_must_be_known() -> None:
    holidays = {"country": "DE", "covariates": ["holiday"], "near": ["Christmas Day", "Good Friday"]}
    plan = make_data_plan(start=date(2100, 12, 24), end=date(2101, 1, 2), holidays=holidays)
    panel = read_frame(SALES.assign(day="2100-12-24"), plan).panel
    assert panel.covariates == ("holiday", *near_names("Christmas Day"), *near_names("Good Friday"))
    assert covariate(panel, "Christmas Day -1") == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert covariate(panel, "Christmas Day +0") == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert covariate(panel, "Christmas Day +3") == pytest.approx([0, 0, 0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0])
    assert covariate(panel, "Good Friday -7") == [0] * 10
    gaps = find_gaps(panel, plan, 0, 10)
    assert [gap.covariate for gap in gaps] == list(panel.covariates)
    assert all("the first 2101-01-01" in gap.sentence for gap in gaps)


# ------------------------------------------------------------------ what is missing


def test_a_year_that_nobody_knows_is_not_told_and_not_an_ordinary_one() -> None:
    plan = make_data_plan(start=date(2100, 12, 28), end=date(2101, 1, 6), holidays={"country": "DE"})
    panel = read_frame(SALES.assign(day="2100-12-28"), plan).panel
    gaps = find_gaps(panel, plan, 0, 10)
    assert [gap.covariate for gap in gaps] == ["holiday", "before", "after"]
    assert "the first 2101-01-01, the last 2101-01-06" in gaps[0].sentence
    with pytest.raises(DataError, match="is not told by the public holidays of DE"):
        require_told(gaps)
    assert not any(
        gap.refuses for gap in find_gaps(panel, make_data_plan(holidays={"country": "DE", "missing": "zero"}), 0, 10)
    )


def test_worked_weekends_are_told_once_they_are_announced() -> None:
    names = ["holiday", "worked_weekend"]
    plan = make_data_plan(
        start=date(2050, 1, 1), end=date(2050, 1, 10), holidays={"country": "CN", "covariates": names}
    )
    panel = read_frame(SALES.assign(day="2050-01-01"), plan).panel
    assert [gap.covariate for gap in find_gaps(panel, plan, 0, 10)] == ["worked_weekend"]


def test_gaps_are_of_open_days_of_the_span_alone(tmp_path: Path) -> None:
    calendar = "date,fair\n" + "".join(f"2024-01-{day:02},0\n" for day in range(1, 10) if day not in (6, 7))
    plan = make_data_plan(ahead=[CALENDAR], closed_weekdays=["saturday", "sunday"])
    panel = read_text(tmp_path, plan, calendar=calendar).panel
    assert find_gaps(panel, plan, 0, 9) == ()
    (gap,) = find_gaps(panel, plan, 7, 3)
    assert gap.refuses
    assert gap.share == pytest.approx(1 / 3)
    assert gap.sentence == (
        "Covariate 'fair' is not told by calendar.csv on 33% of the open days from 2024-01-08 on, the first "
        '2024-01-10, the last 2024-01-10, which the plan refuses (data.ahead.missing = "refuse"); add these days to '
        "calendar.csv."
    )


def test_days_that_a_panel_s_rows_do_not_tell_are_gaps_too() -> None:
    rows = SALES.assign(price=[4.0, 2.0, np.nan])
    plan = make_data_plan(rows="panel", known=[{"column": "price"}], missing_ahead="last")
    panel = read_frame(rows, plan).panel
    assert covariate(panel, "price") == [4.0] * 10
    (gap,) = find_gaps(panel, plan, 4, 2)
    assert not gap.refuses
    assert (
        'so the last value before counts there, or 0 where there is none (data.missing_ahead = "last")' in gap.sentence
    )
    by_default = read_frame(rows, make_data_plan(rows="panel", known=[{"column": "price"}])).panel
    assert covariate(by_default, "price") == [4.0] + [0.0] * 9


def test_a_row_of_days_ahead_passes_a_filter_on_what_is_not_known_yet() -> None:
    filters = [{"column": "units", "above": 0.0}, {"column": "kind", "equals": "drink"}]
    plan = make_data_plan(rows="panel", known=[{"column": "price"}], filters=filters, missing="closed")
    ahead = pd.DataFrame([("tea", "2024-01-05", np.nan), ("tea", "2024-01-06", 0)], columns=["product", "day", "units"])
    rows = pd.concat([SALES, ahead], ignore_index=True).assign(price=3.0, kind="drink")
    rows.loc[3, "kind"] = ""
    panel = read_frame(rows, plan, ahead_from=date(2024, 1, 5)).panel
    assert covariate(panel, "price") == [3, 0, 0, 3, 3, 0, 0, 0, 0, 0]
    assert np.flatnonzero(panel.open[list(panel.entities).index("tea")]).tolist() == [0, 3, 4]
    before = read_frame(rows, plan, ahead_from=date(2024, 1, 6)).panel
    assert covariate(before, "price") == [3, 0, 0, 3, 0, 0, 0, 0, 0, 0]


# ------------------------------------------------------------------ privacy


@settings(max_examples=15)
@given(st.data())
def test_an_entity_s_covariates_are_its_own_and_the_calendar_s_whoever_else_is_there(data: st.DataObject) -> None:
    """Take entities away, from the rows and from the table of each: what is left is bit for bit what it was."""
    days = [f"2024-01-{day:02}" for day in range(1, 11)]
    everyone = ["a", "b", "c"]
    told = data.draw(
        st.lists(st.tuples(st.sampled_from(everyone), st.sampled_from(days), st.integers(0, 9)), max_size=25)
    )
    fairs = data.draw(st.lists(st.sampled_from(days), max_size=4))
    missing = data.draw(st.sampled_from(["refuse", "last", "zero"]))
    kept = data.draw(st.sets(st.sampled_from(everyone), min_size=1))
    plan = make_data_plan(
        ahead=[{**PRICES, "missing": missing}, {**CALENDAR, "missing": missing}], holidays={"country": "DE"}
    )
    rows = pd.DataFrame([(name, "2024-01-01", 1) for name in everyone], columns=["product", "day", "units"])
    prices = pd.DataFrame(told, columns=["sku", "date", "price"]).astype(object)
    calendar = pd.DataFrame({"date": fairs, "fair": "1"}, dtype=object)
    whole = read_frame(rows, plan, tables=DayTables((prices, calendar))).panel
    alone = read_frame(
        rows[rows["product"].isin(kept)], plan, tables=DayTables((prices[prices["sku"].isin(kept)], calendar))
    ).panel
    chosen = np.isin(whole.entities.astype(str), sorted(kept))
    np.testing.assert_array_equal(whole.known[chosen], alone.known)
    mine = np.ones(alone.known.shape, bool) if alone.told is None else alone.told
    theirs = np.ones(whole.known.shape, bool) if whole.told is None else whole.told
    np.testing.assert_array_equal(theirs[chosen], mine)


# ------------------------------------------------------------------ the plan


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"ahead": [{**CALENDAR, "path": "rows.csv"}]}, "holds the entities' own rows"),
        (
            {
                "ahead": [{**CALENDAR, "path": "kinds.csv"}],
                "lookups": [{"path": "kinds.csv", "key": "product", "column": "product"}],
            },
            "holds the entities' own rows",
        ),
        ({"school_holidays": {"path": "rows.csv"}}, "school_holidays.path 'rows.csv' holds the entities' own rows"),
        (
            {"ahead": [CALENDAR, {**CALENDAR, "entity": "sku", "known": [{"column": "price"}]}]},
            "ahead.path 'calendar.csv' holds the entities' own rows",
        ),
        ({"ahead": [{**CALENDAR, "merchant": "shop"}]}, "needs data.merchant"),
        ({"ahead": [CALENDAR, {**CALENDAR, "path": "other.csv"}]}, "two covariates are called 'fair'"),
        ({"ahead": [{**CALENDAR, "known": []}]}, "at least 1 item"),
        ({"source": "synthetic", "path": "", "ahead": [CALENDAR]}, "takes no file"),
        ({"holidays": {"country": "germany"}}, "data.holidays.country = 'germany'"),
        ({"shopping_days": ["grey_friday"]}, "data.shopping_days.0 = 'grey_friday'"),
        ({"school_holidays": {"path": "s.csv", "names": ["ski"]}}, "names needs the column"),
        ({"ahead": [{**CALENDAR, "path": "../calendar.csv"}]}, "it leads upwards"),
        ({"known": [{"column": "price"}]}, "name a table that does in data.ahead"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_sentence(
    make_plan: Callable[..., Plan], fields: dict[str, Any], sentence: str
) -> None:
    plan = json.loads(json.dumps(make_plan().model_dump(mode="json")))
    plan["data"] = {key: value for key, value in {**plan["data"], **fields}.items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        parse_plan(_as_toml(plan))
    assert sentence in str(caught.value)


def _as_toml(values: dict[str, Any]) -> str:
    """Write a plan as one inline table for each section."""

    def write(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {write(part)}" for key, part in value.items() if part is not None) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(write, value)) + "]"
        return json.dumps(value)

    return "\n".join(f"{key} = {write(value)}" for key, value in values.items())


def test_a_plan_that_uses_none_of_it_is_written_as_before_and_one_that_does_is_another(
    make_plan: Callable[..., Plan],
) -> None:
    plain = make_plan()
    written = plain.model_dump(mode="json")["data"]
    assert not {"ahead", "holidays", "shopping_days", "school_holidays", "missing_ahead"} & set(written)
    again = make_plan(data={"ahead": [], "missing_ahead": "zero", "shopping_days": []})
    assert again.hash == plain.hash
    assert make_plan(data={"holidays": {"country": "DE"}}).hash != plain.hash
    assert make_plan(model={"anchor": {"regime": "fair"}}, data={"ahead": [CALENDAR]}).data.covariates == ("fair",)
