"""Columns of text as numbers and as days, under a dialect."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.shop.settings import Dialect
from client.shop.source.cells import read_days, read_number, read_numbers
from client.shop.source.zone import to_utc, to_wall

GERMAN = Dialect(decimal=",", thousands=".", dates="dmy")
ENGLISH = Dialect(thousands=",", dates="mdy")
BERLIN, SHANGHAI, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def days_of(texts: list[str | None], dialect: Dialect, zone: ZoneInfo = BERLIN) -> list[str]:
    return [str(day) for day in read_days(pa.array(texts, pa.string()), dialect, zone)[0]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.200", 1200), ("1.200,50", 1200.5), ("1 200,5", 1200.5), ("1'200,5", 1200.5), ("1\u00a0200,5", 1200.5),
        ("3,50 €", 3.5), ("€ 3,50", 3.5), ("EUR 3", 3), ("(5,5)", -5.5), ("5-", -5), ("\u22125", -5), ("-€5", -5),
        ("５，５", 5.5), ("5,-", 5), ("5,-- €", 5), ("5,00-", -5), ("٥", 5), ("12 Stk.", 12), ("5 pcs", 5), ("2x", 2),
        ("1.200 Stück", 1200), ("12件", 12),
        ("12,5 %", 0.125), ('="12"', 12), (" 7\t", 7), ("1e3", 1000), (",5", 0.5), ("1.200.300,25", 1200300.25),
    ],
)  # fmt: skip
def test_a_german_number_is_what_it_says(text: str, value: float) -> None:
    assert read_numbers(pa.array([text]), GERMAN)[0] == value


@pytest.mark.parametrize("text", ["1.20", "1.2", "1.2000", "1,5,5", "12 kg", "", "-", ".", "(-5)", "--5", "€5€", "nan"])
def test_what_is_no_german_number_is_none(text: str) -> None:
    assert np.isnan(read_numbers(pa.array([text]), GERMAN)[0])


def test_the_same_text_is_another_number_in_another_dialect() -> None:
    texts = pa.array(["1,200", "1.200", "$1,234.50", "US$5", "¥12.00", "12元"])
    assert read_numbers(texts, ENGLISH).tolist() == [1200, 1.2, 1234.5, 5, 12, 12]
    assert np.isnan(read_numbers(texts, Dialect())[0])


@pytest.mark.parametrize(("text", "value"), [("1,23,450", 123450), ("12,34,567.5", 1234567.5), ("1,23,45", None)])
def test_lakhs_are_read_where_a_comma_stands_between_thousands(text: str, value: float | None) -> None:
    found = read_numbers(pa.array([text]), ENGLISH)[0]
    assert np.isnan(found) if value is None else found == value


def test_days_as_whole_numbers_are_days_beside_a_gap() -> None:
    days, _, _ = read_days(pa.array([20240105.0, None, 20240106.5]), ENGLISH, BERLIN)
    assert [str(day) for day in days] == ["2024-01-05", "NaT", "NaT"]


def test_a_day_may_end_with_a_point_and_begin_with_a_year_of_two_digits() -> None:
    assert days_of(["2024.01.05.", "2024. 1. 5.", "24-01-05"], Dialect()) == ["2024-01-05"] * 3
    assert days_of(["24-01-05"], GERMAN) == ["2005-01-24"]


def test_typed_numbers_stay_what_they_are() -> None:
    columns = [pa.array([1, None]), pa.array([True, None]), pa.array([1.0, float("inf")]), pa.array(["1", None])]
    for column in (*columns, pa.chunked_array([columns[0]]), columns[3].dictionary_encode()):
        assert read_numbers(column, GERMAN)[0] == 1
        assert np.isnan(read_numbers(column, GERMAN)[1])
    assert np.isnan(read_numbers(pa.array([date(2024, 1, 5)]), GERMAN)).all()
    assert len(read_numbers(pa.chunked_array([], pa.string()), GERMAN)) == 0


@given(st.lists(st.text("0123456789.,-+ ()€%E'x", max_size=9)), st.sampled_from([GERMAN, ENGLISH, Dialect()]))
def test_a_column_is_read_as_its_cells_one_by_one(texts: list[str], dialect: Dialect) -> None:
    whole = read_numbers(pa.array(texts, pa.string()), dialect)
    np.testing.assert_array_equal(whole, np.array([read_number(text, dialect) for text in texts], float))


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05", "2024/1/5", "2024.01.05", "20240105", "2024年1月5日", "2024年1月5日 13:05:10", "2024-01-05T13:45",
        "2024-01-05 01:45 PM", "2024年1月5日下午3:05", "5. Januar 2024", "5 Jan 2024", "Jan 5, 2024",
        "January 5th, 2024",
        "Jan-05-24", "Fri, 05 Jan 2024 13:45:12 +0100", "2024-01-05 13:45:12 CET", " 2024-01-05\t", '="2024-01-05"',
    ],
)  # fmt: skip
def test_a_day_that_can_mean_one_thing_only_is_read_in_every_order(text: str) -> None:
    for order in ("ymd", "dmy", "mdy"):
        assert days_of([text], Dialect(dates=order)) == ["2024-01-05"]


def test_the_order_of_the_dialect_says_which_number_is_the_month() -> None:
    texts = ["05.01.2024", "5/1/24 9:05", "05-01-2024 23:59:59", "25.12.2023, 13:45 Uhr"]
    assert days_of(texts, GERMAN) == ["2024-01-05"] * 3 + ["2023-12-25"]
    assert days_of(texts, ENGLISH) == ["2024-05-01"] * 3 + ["NaT"]
    assert days_of(texts, Dialect()) == ["NaT"] * 4


@pytest.mark.parametrize(
    "text", ["2024-02-30", "0000-00-00", "2024-13-01", "5", "45296", "2024-01-05 25:00", "heute", ""]
)
def test_what_is_no_day_is_none(text: str) -> None:
    days, seconds, moments = read_days(pa.array([text]), GERMAN, BERLIN)
    assert (np.isnat(days[0]), np.isnan(seconds[0]), np.isnat(moments[0])) == (True, True, True)


def test_a_time_with_an_offset_counts_on_the_day_of_the_shop_s_clock() -> None:
    texts = ["2024-01-05T23:30:00Z", "2024-07-05 23:30:00 +0100", "2024-07-05T00:10:00+02:00", "2024-01-05 23:30"]
    days, seconds, moments = read_days(pa.array(texts), Dialect(), BERLIN)
    assert [str(day) for day in days] == ["2024-01-06", "2024-07-06", "2024-07-05", "2024-01-05"]
    assert seconds.tolist() == [1800, 1800, 600, 84600]
    assert str(moments[2]) == "2024-07-04T22:10:00.000000"
    assert str(moments[3]) == "2024-01-05T22:30:00.000000"


def test_an_export_that_switches_its_offset_in_summer_is_one_clock() -> None:
    texts = ["2024-03-30T12:00:00+01:00", "2024-03-31T12:00:00+02:00"]
    _, seconds, moments = read_days(pa.array(texts), Dialect(), BERLIN)
    assert seconds.tolist() == [43200, 43200]
    assert moments[1] - moments[0] == np.timedelta64(23, "h")


@pytest.mark.parametrize("zone", [BERLIN, SHANGHAI, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")])
@given(moments=st.lists(st.integers(-(10**9), 4 * 10**9), min_size=1))
def test_the_clock_on_the_wall_is_that_of_python(zone: ZoneInfo, moments: list[int]) -> None:
    """On days of 23 and 25 hours too: half of the drawn moments are moved near a change of the clock."""
    near = [1_711_846_800 + moment % 7200 - 3600 for moment in moments]
    seconds = np.array(moments + near + [1_729_990_800 + moment % 7200 - 3600 for moment in moments])
    wall = to_wall(seconds * 1_000_000, zone)
    for second, there in zip(seconds.tolist(), wall.tolist(), strict=True):
        now = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).astimezone(zone).replace(tzinfo=None)
        assert (now - datetime(1970, 1, 1)).total_seconds() * 1_000_000 == there
        back = int(now.replace(tzinfo=zone, fold=0).timestamp() * 1_000_000)
        assert to_utc(np.array([there]), zone)[0] == back


def test_typed_days_and_moments_go_the_same_way() -> None:
    moment = datetime(2024, 1, 5, 23, 30, tzinfo=UTC)
    for kind in ("s", "ms", "us", "ns"):
        days, seconds, _ = read_days(pa.array([moment, None], pa.timestamp(kind, "UTC")), GERMAN, BERLIN)
        assert (str(days[0]), seconds[0], np.isnat(days[1])) == ("2024-01-06", 1800, True)
    plain = pa.array([datetime(2024, 1, 5), datetime(2024, 1, 5, 9)], pa.timestamp("us"))
    days, seconds, _ = read_days(plain, GERMAN, BERLIN)
    assert days.astype(str).tolist() == ["2024-01-05"] * 2
    assert np.isnan(seconds[0])  # Excel has no other way to say a day
    assert seconds[1] == 9 * 3600
    assert read_days(pa.array([date(2024, 1, 5), None]), GERMAN, BERLIN)[0].astype(str).tolist() == [
        "2024-01-05",
        "NaT",
    ]
    assert days_of([None], GERMAN) == ["NaT"]
    assert np.isnat(read_days(pa.array([45296.5]), GERMAN, BERLIN)[0][0])


@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}( [0-9]{2}:[0-9]{2})?", fullmatch=True),
            st.from_regex(r"[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}(, [0-9]:[0-9]{2} [AP]M)?", fullmatch=True),
            st.text(max_size=12),
        ),
        max_size=20,
    ),
    st.sampled_from([GERMAN, ENGLISH, Dialect()]),
)
def test_a_column_of_days_is_read_as_its_cells_one_by_one(texts: list[str], dialect: Dialect) -> None:
    whole = read_days(pa.array(texts, pa.string()), dialect, BERLIN)
    single = [read_days(pa.array([text]), dialect, BERLIN) for text in texts]
    for number, column in enumerate(whole):
        np.testing.assert_array_equal(column, np.array([each[number][0] for each in single], column.dtype))


def test_more_shapes_than_are_read_together_are_read_one_by_one() -> None:
    texts = [f"2024-01-05 {letter * number}" for letter in "abcdefgh" for number in range(1, 20)]
    assert days_of([*texts, "2024-01-05"], Dialect())[-1] == "2024-01-05"
    assert days_of([*(text[:12] for text in texts), "2024-01-06x", "2024-01-07"], Dialect())[-1] == "2024-01-07"
