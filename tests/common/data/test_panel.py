import json
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.data.cells import as_days, as_names, as_numbers, is_empty
from common.data.panel import Panel, find_active
from common.data.usable import derive_columns, filter_mask
from common.errors import DataError
from common.plan.schema import DataPlan, Filter
from panels import build_panel

EVENTS: dict[str, Any] = {
    "path": "rows.csv",
    "rows": "events",
    "entity": "customer",
    "time": "time",
    "target": {"aggregate": "rows"},
    "start": date(2024, 1, 1),  # a Monday
    "end": date(2024, 1, 5),
}
PANEL = {**EVENTS, "rows": "panel", "entity": "store", "target": {"aggregate": "sum", "column": "sales"}}
LINES = pd.DataFrame(
    [
        ("bo", "2024-01-02", 1, "i3", 2.0, 1.5),
        ("al", "2024-01-01 09:30", 2, "i1", 1.0, 0.5),
        ("al", "2024-01-01 18:00", 4, "i1", 3.0, 0.5),
        ("al", "2024-01-04", 6, "i2", 5.0, 2.0),
    ],
    columns=["customer", "time", "line", "invoice", "quantity", "price"],
)
SALES = pd.DataFrame(
    [
        (1, "2024-01-01", 5.0, 1, "b", "c", 10.0),
        (1, "2024-01-03", 7.0, 0, "0", "c", 10.0),
        (2, "2024-01-02", 0.0, 1, "a", "d", 1000.0),
    ],
    columns=["store", "time", "sales", "promo", "holiday", "kind", "distance"],
)


def make_data_plan(below: dict[str, Any] = EVENTS, **fields: Any) -> DataPlan:
    return DataPlan.model_validate_json(json.dumps({**below, **fields}, default=str))


def complaint(rows: pd.DataFrame, plan: DataPlan) -> str:
    with pytest.raises(DataError) as caught:
        build_panel(rows, plan)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------ literal examples


@pytest.mark.parametrize(
    ("measure", "al", "bo"),
    [
        ({"aggregate": "rows"}, [2, 0, 0, 1, 0], [0, 1, 0, 0, 0]),
        ({"aggregate": "sum", "column": "quantity"}, [4, 0, 0, 5, 0], [0, 2, 0, 0, 0]),
        ({"aggregate": "distinct", "column": "invoice"}, [1, 0, 0, 1, 0], [0, 1, 0, 0, 0]),
        ({"aggregate": "mean", "column": "line"}, [3, 0, 0, 6, 0], [0, 1, 0, 0, 0]),
    ],
)
def test_a_day_is_worth_what_its_measure_says(measure: dict[str, str], al: list[int], bo: list[int]) -> None:
    panel = build_panel(LINES, make_data_plan(target=measure))
    assert panel.entities.tolist() == ["al", "bo"]
    assert panel.merchants.tolist() == ["all", "all"]
    assert panel.target.tolist() == [al, bo]
    assert panel.first_day.tolist() == [0, 1]


def test_channels_stand_in_the_order_of_the_plan_and_derived_columns_can_be_summed() -> None:
    plan = make_data_plan(
        derived={"spend": ["quantity", "price"]},
        observed={"spend": {"aggregate": "sum", "column": "spend"}, "lines": {"aggregate": "rows"}},
    )
    panel = build_panel(LINES, plan)
    assert panel.channels == ("spend", "lines")
    assert panel.observed[0].tolist() == [[2, 2], [0, 0], [0, 0], [10, 1], [0, 0]]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"column": "line", "above": 2}, [2, 3]),
        ({"column": "line", "at_least": 2}, [1, 2, 3]),
        ({"column": "line", "at_least": 2, "above": 4}, [3]),
        ({"column": "line", "equals": 2}, [1]),
        ({"column": "invoice", "equals": "i1"}, [1, 2]),
        ({"column": "cancelled", "equals": False}, [0, 2]),
        ({"column": "cancelled", "equals": True}, [1]),
        ({"column": "customer", "above": 0}, []),
        ({"column": "line", "equals": "2"}, [1]),
        ({"column": "cancelled", "above": 0}, [1]),
    ],
)
@pytest.mark.parametrize("as_csv", [False, True])
def test_filters_keep_the_rows_that_pass(condition: dict[str, Any], kept: list[int], *, as_csv: bool) -> None:
    rows = LINES.assign(cancelled=pd.Series([False, True, False, None], dtype=object))
    if as_csv:
        rows = rows.map(lambda value: None if value is None else str(value)).astype("str")
    assert rows[filter_mask(rows, [Filter(**condition)])].index.tolist() == kept


@pytest.mark.parametrize("cells", [["x", "", " ", "0"], ["x", None, float("nan"), 0], ["x", "", None, "None"]])
def test_a_filter_can_say_not_empty(cells: list[object]) -> None:
    rows = pd.DataFrame({"cancelled": pd.Series(cells, dtype=object)})
    assert rows[filter_mask(rows, [Filter(column="cancelled", filled=True)])].index.tolist() == [0, 3]
    assert rows[filter_mask(rows, [Filter(column="cancelled", filled=False)])].index.tolist() == [1, 2]
    assert rows[filter_mask(rows, [Filter(column="cancelled", filled=True, equals="x")])].index.tolist() == [0]


def test_a_row_must_pass_all_filters() -> None:
    conditions = [Filter(column="line", above=1.0), Filter(column="invoice", equals="i1")]
    assert LINES[filter_mask(LINES, conditions)].index.tolist() == [1, 2]


def test_rows_outside_the_span_are_left_out_and_its_last_day_is_in() -> None:
    late = [("al", "2024-01-05 23:59", 0), ("al", "2024-01-06", 0), ("al", "2023-12-31 23:59", 0)]
    panel = build_panel(pd.DataFrame(late, columns=["customer", "time", "x"]), make_data_plan())
    assert panel.target.tolist() == [[0, 0, 0, 0, 1]]
    assert panel.first_day.tolist() == [4]


def test_known_and_static_attributes_become_numbers_by_public_categories_and_scales() -> None:
    plan = make_data_plan(
        PANEL,
        missing="closed",
        known=[{"column": "promo"}, {"column": "holiday", "categories": ["a", "b"]}],
        static=[
            {"column": "kind", "categories": ["c", "d"]},
            {"column": "distance", "logarithm": True, "scale": 2.0},
            {"column": "distance", "scale": 10.0},
        ],
    )
    panel = build_panel(SALES, plan)
    assert panel.covariates == ("promo", "holiday=a", "holiday=b")
    assert panel.known[0].tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert panel.known[1, 1].tolist() == [1, 1, 0]
    expected = [[1, 0, np.log(11) / 2, 1], [0, 1, np.log(1001) / 2, 100]]
    np.testing.assert_allclose(panel.static, expected, rtol=1e-6)


def test_unknown_categories_gaps_and_text_in_attributes_become_zero() -> None:
    rows = SALES.assign(kind=["z", None, "d"], distance=pd.Series(["far", None, np.inf], dtype=object))
    static = [{"column": "kind", "categories": ["c", "d"]}, {"column": "distance"}]
    panel = build_panel(rows, make_data_plan(PANEL, static=static))
    assert panel.static.tolist() == [[0, 0, 0], [0, 1, 0]]


def test_a_missing_row_means_closed_where_the_plan_says_so() -> None:
    panel = build_panel(SALES, make_data_plan(PANEL, missing="closed"))
    assert panel.open.tolist() == [[True, False, True, False, False], [False, True, False, False, False]]


def test_a_missing_row_is_zero_demand_from_the_entity_s_first_day_on() -> None:
    panel = build_panel(SALES, make_data_plan(PANEL))
    assert panel.open.tolist() == [[True] * 5, [False] + [True] * 4]
    assert panel.target.tolist() == [[5, 0, 7, 0, 0], [0, 0, 0, 0, 0]]


def test_declared_weekdays_and_dates_are_closed_and_what_was_sold_on_them_is_no_demand() -> None:
    plan = make_data_plan(closed_weekdays=["monday"], closed_dates=[date(2024, 1, 4)])
    panel = build_panel(LINES, plan)
    assert panel.open[0].tolist() == [False, True, True, False, True]
    assert panel.target[0].tolist() == [0, 0, 0, 0, 0]
    assert panel.first_day[0] == 0


def test_an_entity_at_two_merchants_is_two_entities() -> None:
    rows = LINES.assign(shop=["x", "x", "y", "y"])
    panel = build_panel(rows, make_data_plan(merchant="shop"))
    pairs = list(zip(panel.merchants, panel.entities, strict=True))
    assert pairs == [("x", "al"), ("x", "bo"), ("y", "al")]
    assert panel.target.tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 1, 0]]


def test_one_entity_with_one_row_is_a_panel() -> None:
    panel = build_panel(LINES.iloc[:1], make_data_plan())
    assert panel.target.tolist() == [[0, 1, 0, 0, 0]]
    assert (panel.num_days, panel.day_of(date(2024, 1, 3))) == (5, 2)


def test_selecting_and_dealing_keep_rows_whole() -> None:
    panel = build_panel(LINES, make_data_plan()).deal(np.array(["m", "n"], dtype=object))
    bo = panel.select(np.array([1]))
    assert (bo.entities.tolist(), bo.merchants.tolist(), bo.first_day.tolist()) == (["bo"], ["n"], [1])
    assert bo.target.tolist() == [[0, 1, 0, 0, 0]]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/New_York"])
def test_a_time_with_a_zone_counts_on_its_local_day(zone: str) -> None:
    times = pd.Series(["2024-01-02 00:30", "2024-01-01 23:30"]).astype("datetime64[us]").dt.tz_localize(zone)
    panel = build_panel(pd.DataFrame({"customer": ["al", "bo"], "time": times}), make_data_plan())
    assert panel.first_day.tolist() == [1, 0]


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-02", "2024-01-03 12:00:00.5"],
        ["20240102", "2024-01-03"],
        [20240102, 20240103],
        [date(2024, 1, 2), date(2024, 1, 3)],
        [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03 23:59")],
        ["2024-01-02T00:30+09:00", "2024-01-03T23:30+09:00"],
    ],
)
def test_dates_are_read_however_iso_writes_them(times: list[Any]) -> None:
    panel = build_panel(pd.DataFrame({"customer": ["al", "bo"], "time": times}), make_data_plan())
    assert panel.first_day.tolist() == [1, 2]


# ------------------------------------------------------------------ one value by itself


@pytest.mark.parametrize("column", [[7, 12], [7.0, 12.0], [7.0, 12.0, None], ["7", "12", None]])
def test_a_gap_in_another_row_does_not_change_how_a_value_is_written(column: list[Any]) -> None:
    assert as_names(pd.Series(column)).tolist()[:2] == ["7", "12"]


def test_numbers_words_and_gaps_are_read_one_by_one() -> None:
    values = as_numbers(pd.Series([" 1.5", "true", "FALSE", "x", None, "1e400", "yes", "No", "1_0", "2,4"]))
    np.testing.assert_array_equal(values, [1.5, 1, 0, np.nan, np.nan, np.inf, 1, 0, np.nan, np.nan])


PIECES = [
    "7",
    "12",
    ".",
    "0",
    "-",
    " ",
    "e9",
    "_",
    "yes",
    "nein",
    "\0",
    "NA",
    "٣",
    "2024-01-05",
    "T",
    "09:30",
    ":61",
    "Z",
]
PIECES += ["+08:00", "\n", "1" * 17, "."]


@settings(max_examples=80)
@given(st.lists(st.none() | st.lists(st.sampled_from(PIECES), max_size=5).map("".join), max_size=8))
@example(["2024-01-05 09:30", "2024-01-05T09:30:01", "2024-01-05 09:30Z", "2024-01-05", "2024-01-05 09:30 x"])
@example(["123456789012345.123456789012345", "-0", "007", "0.1", "1234567890123456"])
def test_text_that_arrow_holds_is_read_as_python_s(values: list[str | None]) -> None:
    plain = pd.Series(values, dtype=object)
    held = plain.astype(pd.ArrowDtype(pa.string()))
    for read in (as_names, as_numbers, is_empty, as_days, lambda column: as_days(column, "Asia/Shanghai")):
        np.testing.assert_array_equal(read(held), read(plain))


# ------------------------------------------------------------------ entities do not touch each other


NAMES = ["1", "2", "07", "Zoe"]
BY_EVENTS = make_data_plan(
    observed={
        "spend": {"aggregate": "sum", "column": "spend"},
        "orders": {"aggregate": "distinct", "column": "invoice"},
        "size": {"aggregate": "mean", "column": "quantity"},
    },
    derived={"spend": ["quantity", "price"]},
    filters=[{"column": "price", "at_least": 0}],
    static=[{"column": "code", "categories": ["1", "2"]}, {"column": "price", "logarithm": True}],
    closed_weekdays=["wednesday"],
)
event = st.tuples(
    st.sampled_from(["2024-01-01", "2024-01-02 12:00", "2024-01-03", "2024-01-04T08:00:00", "2024-02-01"]),
    st.sampled_from([0, 1, 2.5, 1e11]),
    st.sampled_from([0.0, 0.1, -1.0, None, 3]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from([1, 2, None, "x"]),
)
history = st.lists(event, max_size=4)


def to_rows(histories: dict[str, list[tuple[Any, ...]]], names: list[str]) -> pd.DataFrame:
    """Let pandas infer the types of the columns, as it would from these rows alone."""
    columns = ["customer", "time", "quantity", "price", "invoice", "code"]
    rows = [(int(name) if name in "12" else name, *line) for name in names for line in histories[name]]
    return pd.DataFrame({name: list(values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)})


def row_of(panel: Panel, entity: str) -> dict[str, Any] | None:
    found = np.flatnonzero(panel.entities == entity)
    fields = ("merchants", "target", "observed", "known", "static", "open", "first_day")
    return {name: getattr(panel, name)[found[0]] for name in fields} if len(found) else None


def assert_same_row(first: dict[str, Any] | None, second: dict[str, Any] | None) -> None:
    assert (first is None) == (second is None)
    for name in first or {}:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def build_or_nothing(rows: pd.DataFrame, plan: DataPlan) -> Panel | None:
    """Nothing where no row is left; every other error is one."""
    try:
        return build_panel(rows, plan)
    except DataError as error:
        if "No row is left" not in str(error):
            raise
        return None


@settings(max_examples=60, deadline=None)
@given(
    histories=st.fixed_dictionaries(dict.fromkeys(NAMES, history)),
    order=st.permutations(NAMES),
    other=history,
    who=st.sampled_from(NAMES),
)
def test_no_entity_s_row_changes_when_another_comes_goes_or_changes(
    histories: dict[str, list[Any]], order: list[str], other: list[Any], who: str
) -> None:
    neighbours = [histories, {**histories, who: []}, {**histories, who: other}]
    frames = [to_rows(each, order) for each in neighbours if any(each.values())]
    panels = [build_or_nothing(rows, BY_EVENTS) for rows in frames]
    for name in set(NAMES) - {who}:
        rows = [row_of(panel, name) if panel else None for panel in panels]
        for row in rows[1:]:
            assert_same_row(rows[0], row)


@settings(max_examples=40, deadline=None)
@given(
    opened=st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=2, max_size=4),
    gone=st.integers(0, 3),
    reverse=st.booleans(),
)
def test_no_store_s_row_changes_when_another_store_goes(opened: list[set[int]], gone: int, reverse: bool) -> None:
    plan = make_data_plan(PANEL, missing="closed", known=[{"column": "promo", "categories": ["1"]}])
    rows = [
        (store, f"2024-01-0{day + 1}", 10.0**store + day, None if store == 0 else day % 2)
        for store, days in enumerate(opened)
        for day in sorted(days, reverse=reverse)
    ]
    frame = pd.DataFrame(rows, columns=["store", "time", "sales", "promo"])
    whole, less = build_panel(frame, plan), build_or_nothing(frame[frame["store"] != gone], plan)
    for store in set(range(len(opened))) - {gone}:
        assert less is not None
        assert_same_row(row_of(whole, str(store)), row_of(less, str(store)))


def remove(name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows[rows["customer"] != name]


# "al" has the first row, "bo" alone bought on Tuesday and most of all, "cy" has the last row.
@pytest.mark.parametrize("gone", ["al", "bo", "cy"])
def test_the_first_the_only_buyer_of_a_day_the_largest_and_the_last_leave_no_trace(gone: str) -> None:
    rows = pd.DataFrame(
        [("al", "2024-01-01", 1.0), ("bo", "2024-01-02 10:00", 1e9), ("cy", "2024-01-04", 2.0)],
        columns=["customer", "time", "quantity"],
    )
    plan = make_data_plan(target={"aggregate": "sum", "column": "quantity"})
    whole, less = build_panel(rows, plan), build_panel(remove(gone)(rows), plan)
    assert (whole.start, whole.num_days) == (less.start, less.num_days)
    for name in {"al", "bo", "cy"} - {gone}:
        assert_same_row(row_of(whole, name), row_of(less, name))


# A format guessed from the first row would read 01/02 as February after 13/02, as January without it.
@pytest.mark.parametrize("first", ["13/02/2024", "01/02/2024"])
def test_no_row_decides_how_the_dates_of_others_are_read(first: str) -> None:
    rows = pd.DataFrame({"customer": ["al", "bo"], "time": [first, "01/02/2024"]})
    assert f"is no date (the first in row 0: '{first}'); write dates as 2011-09-30" in complaint(rows, make_data_plan())


# ------------------------------------------------------------------ broken input


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"entity": "client"}, "data.entity"),
        ({"time": "when"}, "data.time"),
        ({"merchant": "shop"}, "data.merchant"),
        ({"target": {"aggregate": "sum", "column": "units"}}, "data.target and data.observed"),
        ({"filters": [{"column": "kind", "above": 0}]}, "data.filters"),
        ({"static": [{"column": "colour"}]}, "data.known and data.static"),
        ({"derived": {"spend": ["quantity", "cost"]}}, "data.derived.spend"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(fields: dict[str, Any], key: str) -> None:
    sentence = complaint(LINES, make_data_plan(**fields))
    assert sentence.startswith(key)
    assert "customer, time, line, invoice, quantity, price" in sentence


@pytest.mark.parametrize("bad", ["yesterday", "2024-13-01", "2024-02-30", "", None, "1704067200"])
def test_what_is_no_date_is_shown_with_its_row(bad: Any) -> None:
    rows = pd.DataFrame({"customer": ["al", "bo"], "time": pd.Series(["2024-01-01", bad], dtype=object)})
    assert complaint(rows, make_data_plan()).startswith(
        "1 of 2 rows cannot be used: column 'time' is no date (the first in row 1: '"
    )


@pytest.mark.parametrize("seconds", [1704067200, 1704067200.5])
def test_a_unix_time_is_no_date(seconds: float) -> None:
    assert f"column 'time' is no date (the first in row 0: '{seconds}')" in complaint(
        LINES.assign(time=seconds), make_data_plan()
    )


def test_times_with_different_offsets_count_on_the_days_that_are_written() -> None:
    times = ["2024-01-01T00:10+01:00", "2024-01-01T23:50+02:00"]
    rows = pd.DataFrame({"customer": ["al", "bo"], "time": times})
    assert build_panel(rows, make_data_plan()).first_day.tolist() == [0, 0]


def test_times_with_an_offset_count_on_the_days_of_the_plans_time_zone() -> None:
    times = ["2024-01-03T02:11:51Z", "2024-01-02T23:00:00+01:00", "2024-01-03", "2024-01-03 23:59"]
    rows = pd.DataFrame({"customer": ["al", "bo", "cy", "di"], "time": times})
    panel = build_panel(rows, make_data_plan(time_zone="America/Los_Angeles"))
    assert panel.first_day.tolist() == [1, 1, 2, 2]
    typed = rows[:2].assign(time=pd.to_datetime(rows["time"][:2], utc=True))
    assert build_panel(typed, make_data_plan(time_zone="America/Los_Angeles")).first_day.tolist() == [1, 1]


@pytest.mark.parametrize("time", ["9:30Z", "9:30:15Z", "9:30:15.250Z", "93015Z", "09:30:15+00:00"])
def test_an_hour_of_one_digit_is_no_other_day(time: str) -> None:
    rows = pd.DataFrame({"customer": ["al"], "time": [f"2024-01-02 {time}"]})
    assert build_panel(rows, make_data_plan(time_zone="Europe/Berlin")).first_day.tolist() == [1]


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r'time_zone .* is unknown; write one as "Asia/Shanghai"'):
        make_data_plan(time_zone="Middle-earth/Shire")


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, -np.inf, 1e13, "many", None, "1e39"])
@pytest.mark.parametrize("aggregate", ["sum", "mean"])
def test_what_is_no_amount_is_shown_with_its_row(bad: Any, aggregate: str) -> None:
    rows = LINES.assign(quantity=pd.Series([1.0, 2.0, bad, bad], dtype=object))
    sentence = complaint(rows, make_data_plan(target={"aggregate": aggregate, "column": "quantity"}))
    assert sentence.startswith("2 of 4 rows cannot be used: column 'quantity' is ")
    assert "(the first in row 2: '" in sentence
    assert sentence.endswith("mend the rows or filter them out with data.filters.")


def test_a_bad_factor_of_a_derived_column_is_refused_where_it_is_used() -> None:
    plan = make_data_plan(target={"aggregate": "sum", "column": "spend"}, derived={"spend": ["quantity", "price"]})
    assert "1 of 4 rows cannot be used: column 'spend' is empty" in complaint(
        LINES.assign(price=["x", "1", "2", "3"]), plan
    )
    assert derive_columns(LINES, plan)["spend"].tolist() == [3.0, 0.5, 1.5, 10.0]


def test_two_rows_of_a_panel_for_one_day_are_refused() -> None:
    rows = pd.concat([SALES, SALES.iloc[[1]]])
    assert complaint(rows, make_data_plan(PANEL)) == (
        "1 of 4 rows cannot be used: column 'store' has a second row for one day (the first in row 1: '1'); "
        'keep one row per store and day, or declare data.rows = "events" to add them up.'
    )


@pytest.mark.parametrize("rows", [LINES.iloc[:0], LINES.assign(time="2023-01-01")])
def test_data_without_a_row_in_the_span_are_refused(rows: pd.DataFrame) -> None:
    sentence = complaint(rows, make_data_plan())
    assert sentence.startswith("No row is left after the filters and within the span; check data.start")


def test_filters_that_leave_nothing_are_refused() -> None:
    assert "No row is left" in complaint(LINES, make_data_plan(filters=[{"column": "line", "above": 9}]))


@pytest.mark.parametrize("empty", [None, "", np.nan])
def test_an_empty_entity_or_merchant_is_refused(empty: Any) -> None:
    names = pd.Series(["al", empty, "al", "bo"], dtype=object)
    assert complaint(LINES.assign(customer=names), make_data_plan()).startswith(
        "1 of 4 rows cannot be used: column 'customer' is empty (the first in row 1: '"
    )
    assert complaint(LINES.assign(shop=names), make_data_plan(merchant="shop")).startswith(
        "1 of 4 rows cannot be used: column 'shop' is empty"
    )


def test_a_row_without_an_entity_can_be_filtered_out_and_leaves_no_trace() -> None:
    rows = pd.DataFrame({"customer": [12.0, None, 13.0], "time": "2024-01-01"})
    plan = make_data_plan(filters=[{"column": "customer", "at_least": 0}])
    assert build_panel(rows, plan).entities.tolist() == ["12", "13"]


# ------------------------------------------------------------------ groups, and who takes part


def test_a_group_is_the_first_characters_of_a_column() -> None:
    deal = {"by": "group", "column": "invoice", "characters": 1, "merchants": 1}
    assert build_panel(LINES, make_data_plan(deal=deal)).merchants.tolist() == ["i", "i"]
    whole = {"by": "group", "column": "kind", "merchants": 2}
    assert build_panel(SALES, make_data_plan(PANEL, deal=whole)).merchants.tolist() == ["c", "d"]


def test_a_group_needs_its_column() -> None:
    deal = {"by": "group", "column": "family", "merchants": 1}
    assert "data.deal names the column 'family'" in complaint(LINES, make_data_plan(deal=deal))


@pytest.mark.parametrize(
    ("days", "within_days", "day", "active"),
    [
        (1, 9, 4, ["al", "bo"]),
        (2, 9, 4, ["al"]),
        (1, 1, 4, ["al"]),
        (1, 2, 3, ["bo"]),
        (3, 9, 5, []),
        (1, 9, 1, ["al"]),
    ],
)
def test_who_had_demand_on_enough_of_the_last_days_takes_part(
    days: int, within_days: int, day: int, active: list[str]
) -> None:
    lines = pd.concat([LINES, LINES.iloc[[0]].assign(time="2024-01-03", customer="al")])
    plan = make_data_plan(active={"days": days, "within_days": within_days}, closed_dates=["2024-01-03"])
    panel = build_panel(lines, plan)  # "al" on days 0 and 3, and on day 2, which was closed; "bo" on day 1
    assert panel.entities[find_active(panel, plan, day)].tolist() == active


def test_who_takes_part_depends_on_no_other_entity_and_on_no_later_day(make_panel: Callable[..., Panel]) -> None:
    plan = make_data_plan(active={"days": 20, "within_days": 24})
    panel, other = make_panel(num_entities=40), make_panel(num_entities=40)
    other.target[1:] = 0
    other.target[0, 60:] = 0
    assert (0 in find_active(panel, plan, 60)) == (0 in find_active(other, plan, 60))
    other = make_panel(num_entities=40)
    other.target[:, 60:] = 0
    assert find_active(panel, plan, 60).tolist() == find_active(other, plan, 60).tolist()
    assert 0 < len(find_active(panel, plan, 60)) < 40
