import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.data.rows import read, read_rows, require_whole
from client.data.table import read_table
from common.data.panel import Panel
from common.errors import DataError
from common.plan.schema import DataPlan

ROWS = pd.DataFrame({"store": [1, 2, 1], "time": ["2024-01-01", "2024-01-01", "2024-01-02"], "sales": [5.0, 6.5, 7.0]})
STATES = pd.DataFrame({"Store": [2, 1], "State": ["BY", "HE"], "size": [20, 10]})


def make_data_plan(path: str, **fields: Any) -> DataPlan:
    below = {
        "path": path,
        "rows": "panel",
        "entity": "store",
        "time": "time",
        "target": {"aggregate": "sum", "column": "sales"},
        "start": "2024-01-01",
        "end": "2024-01-03",
    }
    return DataPlan.model_validate_json(json.dumps({**below, **fields}))


def anything(cells: dict[str, str]) -> bool:
    return True


def lookup(path: str, key: str = "store", column: str = "Store") -> dict[str, str]:
    return {"path": path, "key": key, "column": column}


def write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("lookup_suffix", ["csv", "parquet"])
def test_csv_and_parquet_give_the_same_panel_and_lookups_join_whatever_holds_them(
    tmp_path: Path, suffix: str, lookup_suffix: str
) -> None:
    write(ROWS, tmp_path / f"rows.{suffix}")
    write(STATES, tmp_path / f"states.{lookup_suffix}")
    plan = make_data_plan(
        f"rows.{suffix}",
        lookups=[lookup(f"states.{lookup_suffix}")],
        merchant="State",
        static=[{"column": "size", "categories": ["10", "20"]}],
    )
    panel = require_whole(read(plan, tmp_path)).panel
    assert panel.merchants.tolist() == ["BY", "HE"]
    assert panel.entities.tolist() == ["2", "1"]
    assert panel.target.tolist() == [[6.5, 0, 0], [5, 7, 0]]
    assert panel.static.tolist() == [[0, 1], [1, 0]]


def test_several_lookups_by_the_same_column_join(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.parquet")
    for name in ("a", "b", "c"):
        write(STATES.rename(columns={"State": name, "size": f"size_{name}"}), tmp_path / f"{name}.csv")
    plan = make_data_plan("rows.parquet", lookups=[lookup(f"{name}.csv") for name in ("a", "b", "c")])
    rows = read_rows(plan, tmp_path, whole=True)[0].rows
    assert rows[["a", "b", "c"]].to_numpy().tolist() == [["HE"] * 3, ["BY"] * 3, ["HE"] * 3]
    assert rows.index.tolist() == [1, 2, 3]


# One store without a row in the lookup turns a whole number column into floats: 10 must still be "10".
def test_a_store_that_a_lookup_does_not_know_has_empty_cells_and_changes_no_other(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    write(STATES[STATES["Store"] == 1], tmp_path / "states.parquet")
    plan = make_data_plan(
        "rows.csv",
        lookups=[lookup("states.parquet")],
        static=[{"column": "size", "categories": ["10", "20"]}, {"column": "size"}],
    )
    panel = require_whole(read(plan, tmp_path)).panel
    assert panel.static.tolist() == [[1, 0, 10], [0, 0, 0]]


# A type guessed from the whole column would read "007" as 7 until another store is called "A1".
@pytest.mark.parametrize("other", ["A1", "8", "8.5"])
def test_no_row_of_a_csv_decides_how_another_is_read(tmp_path: Path, other: str) -> None:
    text = f"store,time,sales,promo\n007,2024-01-01,5,True\n{other},2024-01-01,1,maybe\n"
    (tmp_path / "rows.csv").write_text(text)
    plan = make_data_plan("rows.csv", known=[{"column": "promo"}])
    panel = require_whole(read(plan, tmp_path)).panel
    assert panel.entities[0] == "007"
    assert panel.known[0, 0].tolist() == [1.0]


def test_a_key_that_a_lookup_has_twice_counts_with_its_first_row_and_is_told(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    write(pd.concat([STATES, STATES.iloc[:1].assign(State="XX")]), tmp_path / "states.csv")
    reading = read(make_data_plan("rows.csv", lookups=[lookup("states.csv")], merchant="State"), tmp_path)
    assert reading.panel.merchants.tolist() == ["BY", "HE"]
    assert reading.faults == (
        "Column 'Store' of states.csv has 1 values more than once ('2'); a lookup needs one row each, so the first one "
        "counts: drop the others.",
    )


@pytest.mark.parametrize(
    ("key", "column", "sentence"),
    [
        ("shop", "Store", "needs the column 'shop' in rows.csv; it has store, time, sales."),
        ("store", "store", "needs the column 'store' in states.csv; it has Store, State, size."),
    ],
)
def test_a_lookup_that_does_not_fit_is_refused(tmp_path: Path, key: str, column: str, sentence: str) -> None:
    write(ROWS, tmp_path / "rows.csv")
    write(STATES, tmp_path / "states.csv")
    with pytest.raises(DataError, match=sentence):
        read_rows(make_data_plan("rows.csv", lookups=[lookup("states.csv", key, column)]), tmp_path)


def test_a_lookup_that_brings_a_column_again_is_refused(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    write(STATES.rename(columns={"size": "sales"}), tmp_path / "states.csv")
    with pytest.raises(DataError, match=r"Both rows.csv and states.csv have the column 'sales'; rename one"):
        read_rows(make_data_plan("rows.csv", lookups=[lookup("states.csv")]), tmp_path)


@pytest.mark.parametrize("use", [{"merchant": "kind"}, {"filters": [{"column": "kind", "equals": "a"}]}])
def test_a_column_that_a_lookup_has_twice_is_refused_if_it_is_used(tmp_path: Path, use: dict[str, Any]) -> None:
    write(ROWS, tmp_path / "rows.csv")
    (tmp_path / "kinds.csv").write_text("Store,kind,kind\n1,a,b\n2,a,b\n")
    plan = make_data_plan("rows.csv", lookups=[lookup("kinds.csv")], **use)
    with pytest.raises(DataError, match=r"kinds\.csv has the column 'kind' twice; rename one of them"):
        read(plan, tmp_path)
    assert read(make_data_plan("rows.csv", lookups=[lookup("kinds.csv")]), tmp_path).num_rows == 3


def test_a_derived_column_may_have_any_name(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    target = {"aggregate": "sum", "column": "self"}
    panel = read(make_data_plan("rows.csv", derived={"self": ["sales", "sales"]}, target=target), tmp_path).panel
    assert panel.target.tolist() == [[25.0, 49.0, 0.0], [42.25, 0.0, 0.0]]


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "folder.csv"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"There is no file .* check data.path and --data-root"):
        read_table(tmp_path / name, [], anything)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.xlsx is neither .csv nor .parquet; convert it"):
        read_table(tmp_path / "rows.xlsx", [], anything)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, share: float) -> None:
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    write(ROWS, whole)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"Cannot read .*cut.parquet: .* Is it a whole .parquet file"):
        read_table(cut, [], anything)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf\r\n"])
def test_a_csv_file_without_a_header_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"rows.csv is empty; give a file with a header and rows"):
        read_table(tmp_path / "rows.csv", [], anything)


@pytest.mark.parametrize("content", [b"a,b\xff\n1,2\n", b'a,"b\n1,2\n'])
def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"The first line of .*rows.csv is no header in UTF-8"):
        read_table(tmp_path / "rows.csv", [], anything)


def test_a_column_that_is_there_twice_is_refused_if_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("store,time,sales,sales,note,note\n1,2024-01-01,5,6,x,y\n")
    with pytest.raises(DataError, match=r"rows.csv has the column 'sales' twice; rename one of them"):
        read(make_data_plan("rows.csv"), tmp_path)


def same_panels(one: Panel, other: Panel) -> bool:
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


@pytest.mark.parametrize(
    "bad",
    [
        {"store": "3", "time": "never", "sales": "1"},
        {"store": "", "time": "2024-01-02", "sales": "1"},
        {"store": "3", "time": "2024-01-02", "sales": "-1"},
        {"store": "3", "time": "2024-01-02", "sales": "much"},
        {"store": "3", "time": "2024-01-02", "sales": "1e300"},
        {"store": "3", "time": "2025-01-02", "sales": "1"},
        {"store": "3", "time": "", "sales": ""},
        {"store": "1", "time": "2024-01-02", "sales": "99"},  # a day that store 1 has already
    ],
)
def test_a_row_that_cannot_be_used_changes_nothing_for_the_others(tmp_path: Path, bad: dict[str, str]) -> None:
    """A round that failed, or answered with nothing, would tell of the one entity whose row it is."""
    plan = make_data_plan("rows.csv")
    write(ROWS, tmp_path / "rows.csv")
    sound = read(plan, tmp_path).panel
    write(pd.concat([ROWS.astype(str), pd.DataFrame([bad])]), tmp_path / "rows.csv")
    assert same_panels(read(plan, tmp_path).panel, sound)


@pytest.mark.parametrize("time", ["2024-01-02T23:30:00+02:00", "2024-01-02 23:30", "20240102", "20240102T2330Z"])
def test_a_time_is_read_as_its_own_local_day_whatever_the_others_look_like(tmp_path: Path, time: str) -> None:
    plan = make_data_plan("rows.csv")
    newcomer = pd.DataFrame({"store": ["3"], "time": [time], "sales": ["4"]})
    write(pd.concat([ROWS.astype(str), newcomer]), tmp_path / "rows.csv")
    assert read(plan, tmp_path).panel.target.tolist() == [[5, 7, 0], [6.5, 0, 0], [0, 4, 0]]


def test_no_usable_row_is_the_panel_of_nobody(tmp_path: Path) -> None:
    plan = make_data_plan("rows.csv")
    write(ROWS.assign(time="never"), tmp_path / "rows.csv")
    assert read(plan, tmp_path).panel.target.shape == (0, 3)


def test_what_depends_on_no_entity_is_refused(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    for fields, word in (
        ({"entity": "shop"}, "'shop'"),
        ({"filters": [{"column": "open", "above": 0.0}]}, "'open'"),
        ({"path": "", "source": "synthetic"}, "a file of its own"),
    ):
        with pytest.raises(DataError, match=word):
            read(make_data_plan("rows.csv", **fields) if "path" not in fields else make_data_plan(**fields), tmp_path)


# ------------------------------------------------------------------ from the bytes on


def panel_of(content: bytes, folder: Path, **fields: Any) -> Panel:
    (folder / "rows.csv").write_bytes(content)
    return read(make_data_plan("rows.csv", **fields), folder).panel


SOUND = b"store,time,sales,note\n1,2024-01-01,5,x\n2,2024-01-01,6.5,y\n1,2024-01-02,7,z\n"


@pytest.mark.parametrize(
    "content",
    [
        SOUND.replace(b"\n", b"\r\n"),
        SOUND.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + SOUND,
        SOUND.decode().encode("utf-16"),
        SOUND.replace(b",", b";"),
        SOUND.replace(b",", b"\t"),
        SOUND.replace(b"\n", b",\n"),  # a comma at the end of each line, the header's too
        SOUND.replace(b"x\n", b"x,,\n"),  # empty cells beyond the header
        SOUND.replace(b",x\n", b"\n"),  # a cell less than the header
        SOUND.replace(b"\n", b"\n\n"),
        SOUND.replace(b"x", b'"x, ""y"""'),
        SOUND.replace(b"x", b'5" x'),
        SOUND.replace(b"x", b'"two\nlines"'),
        SOUND.replace(b"x", b'"two\r\n\r\nor, three"'),
        SOUND.replace(b",5,", b',"5",').replace(b"1,2024", b'"1",2024'),
        SOUND.replace(b"\n1", b"\n1.0"),
        SOUND.replace(b"\n1", b"\n 1 "),
        SOUND.replace(b"\n2", b"\n\xef\xbb\xbf2"),  # files that were put together
        SOUND.replace(b"2024-01-01", b"2024/1/1"),
        SOUND.replace(b"1,2024-01-01", b"1,20240101"),
    ],
)
def test_a_file_is_read_however_it_is_written(tmp_path: Path, content: bytes) -> None:
    assert same_panels(panel_of(content, tmp_path), panel_of(SOUND, tmp_path))


@pytest.mark.parametrize("name", ["NA", "null", "None", "nan", "N/A", "#N/A", "NULL", "n/a", "-", "true"])
def test_a_name_is_what_is_written(tmp_path: Path, name: str) -> None:
    panel = panel_of(SOUND.replace(b"\n2", b"\n" + name.encode()), tmp_path)
    assert set(panel.entities) == {"1", name}


def test_leading_zeros_are_part_of_a_name_and_a_point_zero_is_not(tmp_path: Path) -> None:
    content = b"store,time,sales\n007,2024-01-01,1\n7,2024-01-01,2\n7.0,2024-01-02,3\n7 ,2024-01-03,4\n"
    panel = panel_of(content, tmp_path)
    assert dict(zip(panel.entities, panel.target.tolist(), strict=True)) == {"007": [1, 0, 0], "7": [2, 3, 4]}


# NumPy and pandas end a text at a zero byte, so that "ann" and what a stranger wrote would be one.
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_name_with_a_zero_byte_is_another_name(tmp_path: Path, suffix: str) -> None:
    rows = pd.DataFrame({"store": ["ann\0", "ann", "ann\0x"], "time": "2024-01-01", "sales": [1.0, 2.0, 4.0]})
    write(rows, tmp_path / f"rows.{suffix}")
    panel = read(make_data_plan(f"rows.{suffix}"), tmp_path).panel
    assert dict(zip(panel.entities, panel.target.sum(axis=1), strict=True)) == {"ann": 2, "ann␀": 1, "ann␀x": 4}


# One number that is missing makes a column of large numbers floats, in which neighbours of 2**53 are one.
def test_long_numbers_of_a_parquet_file_stay_apart_whatever_is_missing(tmp_path: Path) -> None:
    stores = pd.array([2**53, 2**53 + 1, None], dtype="Int64")
    times = ["2024-01-01"] * 3
    pd.DataFrame({"store": stores, "time": times, "sales": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "rows.parquet")
    panel = read(make_data_plan("rows.parquet"), tmp_path).panel
    assert panel.entities.tolist() == [str(2**53), str(2**53 + 1)]


UNREADABLE = {
    "bytes that are no UTF-8": pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32).tobytes()), pa.py_buffer(b"x\xff")]
    ),
    "a day of no calendar": pa.array([19_723, 2**31 - 1], pa.int32()).cast(pa.date32()),
    "an hour of no clock": pa.array([1, 2**62], pa.int64()).cast(pa.time64("us")),
    "a moment of no calendar": pa.array([1, 2**62], pa.int64()).cast(pa.timestamp("us")),
}


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("column", ["store", "sales", "note", "unused"])
def test_a_value_of_a_parquet_file_that_cannot_be_read_costs_no_other_row(
    tmp_path: Path, kind: str, column: str
) -> None:
    plan = make_data_plan("rows.parquet", static=[{"column": "note", "categories": ["x"]}])
    ordinary = {"store": ["ann", "zed"], "time": ["2024-01-01"] * 2, "sales": ["5", "6"], "note": ["x", "y"]}
    table = pa.table({**ordinary, column: UNREADABLE[kind]})
    pq.write_table(table, tmp_path / "rows.parquet")
    both = read(plan, tmp_path).panel
    pq.write_table(table[:1], tmp_path / "rows.parquet")
    alone = read(plan, tmp_path).panel
    assert set(alone.entities) <= set(both.entities)
    assert both.target[: len(alone.entities)].tolist() == alone.target.tolist()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("own_zone", ["", "Asia/Tokyo"])
@pytest.mark.parametrize("far", [2**63 - 1, -(2**63) + 1, 2**62, -62_135_000_000_000_000, -20_000_000_000_000])
def test_a_time_beyond_every_calendar_is_no_day_for_its_own_row_alone(
    tmp_path: Path, unit: str, zone: str | None, own_zone: str, far: int
) -> None:
    noon = 1_704_196_800 * {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]  # of 2 January 2024 in Greenwich
    times = pa.array([noon, far], pa.int64()).cast(pa.timestamp(unit, tz=zone))
    pq.write_table(pa.table({"store": ["ann", "zed"], "time": times, "sales": [5, 6]}), tmp_path / "rows.parquet")
    panel = read(make_data_plan("rows.parquet", time_zone=own_zone), tmp_path).panel
    assert panel.target.tolist() == [[0, 5, 0]]


def test_lists_and_records_are_no_numbers(tmp_path: Path) -> None:
    nested = pa.array([[1.0], [2.0]])
    pq.write_table(
        pa.table({"store": ["ann", "zed"], "time": ["2024-01-01"] * 2, "sales": nested}), tmp_path / "rows.parquet"
    )
    reading = read(make_data_plan("rows.parquet"), tmp_path)
    assert "2 of 2 rows cannot be used: column 'sales' is no number (the first in row 1: '[1.0]')" in reading.faults[0]


def test_an_index_that_pandas_saved_joins_nothing(tmp_path: Path) -> None:
    pd.concat([ROWS, ROWS.assign(store=[3, 4, 3])]).to_parquet(tmp_path / "rows.parquet")  # 0, 1, 2, 0, 1, 2
    write(STATES, tmp_path / "states.csv")
    plan = make_data_plan("rows.parquet", lookups=[lookup("states.csv")], static=[{"column": "size"}])
    panel = read(plan, tmp_path).panel
    assert panel.target.sum() == 2 * ROWS["sales"].sum()
    assert panel.static[:, 0].tolist() == [10, 20, 0, 0]
    ROWS.set_index("store").to_parquet(tmp_path / "rows.parquet")
    assert read(make_data_plan("rows.parquet"), tmp_path).panel.entities.tolist() == ["1", "2"]


def test_a_product_under_the_name_of_a_factor_is_taken_once(tmp_path: Path) -> None:
    content = b"store,time,sales,pack\n1,2024-01-01,5,12\n"
    assert panel_of(content, tmp_path, derived={"sales": ["sales", "pack"]}).target.sum() == 60


def test_words_for_yes_and_no_are_numbers(tmp_path: Path) -> None:
    content = "store,time,sales,promo\n1,2024-01-01,5,yes\n1,2024-01-02,5,No\n1,2024-01-03,5,是\n".encode()
    assert panel_of(content, tmp_path, known=[{"column": "promo"}]).known[0, :, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize(("yes", "no"), [("ja", "nein"), ("WAHR", "FALSCH"), ("Ja ", " Nein")])
def test_german_words_for_yes_and_no_are_numbers(yes: str, no: str, tmp_path: Path) -> None:
    content = f"store,time,sales,promo\n1,2024-01-01,5,{yes}\n1,2024-01-02,5,{no}\n".encode()
    assert panel_of(content, tmp_path, known=[{"column": "promo"}]).known[0, :2, 0].tolist() == [1, 0]


@pytest.mark.parametrize("cell", ["1e39", "1.7e308", "inf", "-inf", "nan", "", "x"])
def test_a_covariate_that_is_no_number_to_compute_with_is_0(tmp_path: Path, cell: str) -> None:
    content = f"store,time,sales,promo\n1,2024-01-01,5,{cell}\n1,2024-01-02,5,2\n".encode()
    assert panel_of(content, tmp_path, known=[{"column": "promo"}]).known[0, :, 0].tolist() == [0, 2, 0]


def test_a_day_ahead_may_have_no_amount_yet(tmp_path: Path) -> None:
    content = b"store,time,sales,promo\n1,2024-01-01,5,0\n1,2024-01-02,,1\n1,2024-01-03,,1\n"
    (tmp_path / "rows.csv").write_bytes(content)
    plan = make_data_plan("rows.csv", missing="closed", known=[{"column": "promo"}])
    reading = read(plan, tmp_path, ahead_from=date(2024, 1, 3))
    assert reading.panel.open.tolist() == [[True, False, True]]
    assert reading.panel.known[0, :, 0].tolist() == [0, 0, 1]
    assert {each.reason: each.count for each in reading.left_out} == {"column 'sales' is empty": 1}


def test_everything_that_is_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    lines = [b"1,2024-01-01,5", b'2,"2024-01-01,5', b"2,2024-01-01,5,more", b"\xff,2024-01-01,5", b",2024-01-01,5"]
    lines += [
        b"3,never,5",
        b"3,2030-01-01,5",
        b"3,2024-01-01,much",
        b"3,2024-01-01,-1",
        b"1,2024-01-01,6",
        b"4,2024-01-01,",
    ]
    (tmp_path / "rows.csv").write_bytes(b"store,time,sales\n" + b"\n".join(lines) + b"\n")
    reading = read(make_data_plan("rows.csv"), tmp_path)
    assert (reading.panel.entities.tolist(), reading.panel.target.sum(), reading.num_rows) == (["1"], 5, len(lines))
    assert {each.reason: each.count for each in reading.left_out} == {
        "an open quote, more cells than the first line, or bytes that are no UTF-8": 3,
        "column 'store' is empty": 1,
        "column 'time' is no date": 1,
        "column 'time' lies outside 2024-01-01 … 2024-01-03": 1,
        "column 'sales' is empty": 1,
        "column 'sales' is no number": 1,
        "column 'sales' is negative": 1,
        "column 'store' has a second row for one day": 1,
    }
    assert "(line 3, 4, 5); mend them." in reading.faults[0]
    with pytest.raises(DataError, match="3 of 11 rows cannot be used: an open quote"):
        require_whole(reading)


@pytest.mark.parametrize("broken", [b'"zed', b'zed,2024-01-01,9,"note'])
def test_thousands_of_open_quotes_in_a_row_are_left_out_like_one(tmp_path: Path, broken: bytes) -> None:
    lines = [b"store,time,sales,note", b"ann,2024-01-01,1,x", *[broken] * 2000, b"bob,2024-01-02,2,y", b""]
    assert list(panel_of(b"\n".join(lines), tmp_path).entities) == ["ann", "bob"]


@pytest.mark.parametrize(
    ("header", "whole", "broken", "other"),
    [
        (b"store,time,sales,note", b"ann,2024-01-02,1,", b'ann,2024-01-01,8,"', b'zed,2024-01-01,9,"'),
        (b"store,time,sales,note", b"ann,2024-01-02,1,", b'ann,2024-01-01,8,"5 inch', b'zed,2024-01-01,9,x,y"'),
        (b"sales,note,store,time", b"1,,ann,2024-01-02", b'8,"5 inch,ann,2024-01-01', b'9,",zed,2024-01-01'),
    ],
)
def test_two_rows_with_an_open_quote_do_not_close_each_other(
    tmp_path: Path, header: bytes, whole: bytes, broken: bytes, other: bytes
) -> None:
    alone = panel_of(b"\n".join([header, whole, broken, b""]), tmp_path)
    both = panel_of(b"\n".join([header, whole, broken, other, b""]), tmp_path)
    assert list(both.entities) == list(alone.entities) == ["ann"]
    assert both.target.tolist() == alone.target.tolist() == [[0, 1, 0]]


# ------------------------------------------------------------------ nobody's bytes touch anybody else's rows

OTHERS = [
    b"ann,2024-01-01,1,plain",
    b'"bob",2024-01-01,2,"a ""quoted"" note, with a comma"',
    b"cy,2024-01-02,3,5 inch",
    b'di,2024-01-02,4,""',
    b'"NA","2024-01-03","5",","',
    b"007,2024-01-03,6",
    b'eve,2024/1/3,7,"; ,',  # unusable: its own fault
    b"ann,2024-01-03,8,x",
    b'fay,2024-01-01,9,"',  # as is this
    b'gil,2024-01-02,9,"two\nlines"',
    b'"hal\n",2024-01-02,9,"x\n"',
]
damage = st.sampled_from(
    [
        b"",
        b'"',
        b'""',
        b",",
        b",,",
        b";",
        b"\n",
        b"\r",
        b"\r\n",
        b'"\n',
        b'\n"',
        b'","',
        b"\xff",
        b"\xef\xbb\xbf",
        b"\0",
        b"\t",
    ]
)


@st.composite
def broken_line(draw: st.DrawFn) -> bytes:
    """Draw a line of the entity "zed" with damages at two places of it."""
    line = draw(
        st.sampled_from(
            [
                b"zed,2024-01-01,9,note",
                b"ann\0,2024-01-01,9,x",
                b'"zed","2024-01-02","9","note"',
                b"zed,2024-01-03,,",
                b"",
            ]
        )
    )
    for _ in range(2):
        place = draw(st.integers(0, len(line)))
        line = line[:place] + draw(damage) + line[place:]
    return line


def rows_of_others(content: bytes, folder: Path) -> dict[str, list[Any]]:
    panel = panel_of(content, folder, static=[{"column": "note", "categories": ["plain", "x", "5 inch"]}])
    return {
        name: [target, static]
        for name, target, static in zip(panel.entities, panel.target.tolist(), panel.static.tolist(), strict=True)
        if name in ("ann", "bob", "cy", "di", "NA", "007", "gil", "hal")
    }


def check_others(folder: Path, places: list[tuple[int, bytes]]) -> None:
    """Put lines between those of others, and read them as if these were not there."""
    header, lines = b"store,time,sales,note", list(OTHERS)
    alone = rows_of_others(b"\n".join([header, *lines, b""]), folder)
    for place, line in sorted(places, key=lambda each: -each[0]):
        lines.insert(place, line)
    assert len(alone) == 8
    assert rows_of_others(b"\n".join([header, *lines, b""]), folder) == alone


places = st.lists(st.tuples(st.integers(0, len(OTHERS)), broken_line()), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=places)
def test_no_bytes_of_one_entity_change_another_entity_s_rows(tmp_path: Path, places: list[tuple[int, bytes]]) -> None:
    check_others(tmp_path, places)


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 3), line=st.binary(max_size=7), beyond=st.binary(max_size=3))
def test_no_bytes_of_one_entity_change_another_s_rows_of_a_file_in_utf_16(
    tmp_path: Path, mark: bytes, place: int, line: bytes, beyond: bytes
) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    header, *lines = [text.encode(encoding) for text in SOUND.decode().splitlines()]
    zed = "zed,2024-01-01,9,".encode(encoding)
    end = "\n".encode(encoding)
    damaged = [*lines[:place], line + zed + beyond, *lines[place:]]
    read_of = [panel_of(mark + b"".join(each + end for each in [header, *rows]), tmp_path) for rows in (lines, damaged)]
    alone, beside = (dict(zip(p.entities, p.target.tolist(), strict=True)) for p in read_of)
    assert set(alone) == {"1", "2"}
    assert {name: beside[name] for name in alone} == alone


@pytest.mark.parametrize("line", [b'zed,2024-01-01,"9', b'"zed,2024-01-01,9', b'zed,2024-01-01,9,"x\n'])
def test_any_number_of_broken_lines_in_a_row_costs_nobody_else_a_row(tmp_path: Path, line: bytes) -> None:
    """A year and more of one entity, each day with an open quote: many times as many as calls may lie in each other."""
    check_others(tmp_path, [(3, b"\n".join([line] * 3000))])


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=places)
def test_no_bytes_of_one_entity_change_another_s_rows_in_ten_thousand_files(
    tmp_path: Path, places: list[tuple[int, bytes]]
) -> None:
    check_others(tmp_path, places)
