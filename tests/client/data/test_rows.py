import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.data.rows import read_panel, read_rows, read_table
from common.data.panel import Panel, build_panel
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
    panel = build_panel(read_rows(plan, tmp_path), plan)
    assert panel.merchants.tolist() == ["BY", "HE"]
    assert panel.entities.tolist() == ["2", "1"]
    assert panel.target.tolist() == [[6.5, 0, 0], [5, 7, 0]]
    assert panel.static.tolist() == [[0, 1], [1, 0]]


def test_several_lookups_by_the_same_column_join(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.parquet")
    for name in ("a", "b", "c"):
        write(STATES.rename(columns={"State": name, "size": f"size_{name}"}), tmp_path / f"{name}.csv")
    plan = make_data_plan("rows.parquet", lookups=[lookup(f"{name}.csv") for name in ("a", "b", "c")])
    rows = read_rows(plan, tmp_path)
    assert rows[["a", "b", "c"]].to_numpy().tolist() == [["HE"] * 3, ["BY"] * 3, ["HE"] * 3]
    assert rows.index.tolist() == [0, 1, 2]


# One store without a row in the lookup turns a whole number column into floats: 10 must still be "10".
def test_a_store_that_a_lookup_does_not_know_has_empty_cells_and_changes_no_other(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    write(STATES[STATES["Store"] == 1], tmp_path / "states.parquet")
    plan = make_data_plan(
        "rows.csv",
        lookups=[lookup("states.parquet")],
        static=[{"column": "size", "categories": ["10", "20"]}, {"column": "size"}],
    )
    panel = build_panel(read_rows(plan, tmp_path), plan)
    assert panel.static.tolist() == [[1, 0, 10], [0, 0, 0]]


# A type guessed from the whole column would read "007" as 7 until another store is called "A1".
@pytest.mark.parametrize("other", ["A1", "8", "8.5"])
def test_no_row_of_a_csv_decides_how_another_is_read(tmp_path: Path, other: str) -> None:
    text = f"store,time,sales,promo\n007,2024-01-01,5,True\n{other},2024-01-01,1,maybe\n"
    (tmp_path / "rows.csv").write_text(text)
    plan = make_data_plan("rows.csv", known=[{"column": "promo"}])
    panel = build_panel(read_rows(plan, tmp_path), plan)
    assert panel.entities[0] == "007"
    assert panel.known[0, 0].tolist() == [1.0]


def test_a_lookup_with_a_value_twice_is_refused(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    write(pd.concat([STATES, STATES.iloc[:1]]), tmp_path / "states.csv")
    with pytest.raises(DataError, match=r"'Store' of states.csv has a value twice; a lookup needs one row"):
        read_rows(make_data_plan("rows.csv", lookups=[lookup("states.csv")]), tmp_path)


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


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "folder.csv"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"There is no file .* check data.path and --data-root"):
        read_table(tmp_path / name)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.xlsx is neither .csv nor .parquet; convert it"):
        read_table(tmp_path / "rows.xlsx")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, share: float) -> None:
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    write(ROWS, whole)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"Cannot read .*cut.parquet: .* Is it a whole .parquet file"):
        read_table(cut)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,b\n1,2,3\n4,5,6,7\n", b"a,b\n\xff\xfe\x00,1\n", b'a,b\n"1,2\n'])
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"Cannot read .*rows.csv: .* Is it a whole .csv file"):
        read_table(tmp_path / "rows.csv")


def same_panels(one: Panel, other: Panel) -> bool:
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_sound_table_gives_a_round_the_panel_that_it_gives_a_check(tmp_path: Path, suffix: str) -> None:
    write(ROWS.assign(state=["HE", "BY", "HE"]), tmp_path / f"rows.{suffix}")
    plan = make_data_plan(f"rows.{suffix}", filters=[{"column": "time", "equals": "2024-01-01"}], merchant="state")
    assert same_panels(read_panel(plan, tmp_path), build_panel(read_rows(plan, tmp_path), plan))


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
    sound = read_panel(plan, tmp_path)
    write(pd.concat([ROWS.astype(str), pd.DataFrame([bad])]), tmp_path / "rows.csv")
    assert same_panels(read_panel(plan, tmp_path), sound)


@pytest.mark.parametrize("time", ["2024-01-02T23:30:00+02:00", "2024-01-02 23:30", "20240102", "20240102T2330Z"])
def test_a_time_is_read_as_its_own_local_day_whatever_the_others_look_like(tmp_path: Path, time: str) -> None:
    plan = make_data_plan("rows.csv")
    newcomer = pd.DataFrame({"store": ["3"], "time": [time], "sales": ["4"]})
    write(pd.concat([ROWS.astype(str), newcomer]), tmp_path / "rows.csv")
    assert read_panel(plan, tmp_path).target.tolist() == [[5, 7, 0], [6.5, 0, 0], [0, 4, 0]]


def test_no_usable_row_is_the_panel_of_nobody(tmp_path: Path) -> None:
    plan = make_data_plan("rows.csv")
    write(ROWS.assign(time="never"), tmp_path / "rows.csv")
    assert read_panel(plan, tmp_path).target.shape == (0, 3)


def test_what_depends_on_no_entity_is_refused(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "rows.csv")
    for fields, word in (
        ({"entity": "shop"}, "'shop'"),
        ({"filters": [{"column": "open", "above": 0.0}]}, "'open'"),
        ({"path": "", "source": "synthetic"}, "a file of its own"),
    ):
        with pytest.raises(DataError, match=word):
            read_panel(
                make_data_plan("rows.csv", **fields) if "path" not in fields else make_data_plan(**fields), tmp_path
            )
