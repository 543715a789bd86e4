"""A table of a shop as a file: what stands on the tab, and what a cell holds."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from client.shop.forecast import table as form
from client.shop.forecast.table import write_rows
from common.errors import ConfigError
from sheet import read_sheet

TABLE = pa.table({"product": ["=1+1", "P"], "day": [date(2024, 2, 28), None], "pieces": [1.5, None]})


def test_a_tab_is_named_after_what_it_holds_and_text_is_no_formula(tmp_path: Path) -> None:
    write_rows(TABLE, tmp_path / "a.xlsx", sheet="orders")
    name, (head, first, second) = read_sheet(tmp_path / "a.xlsx")
    assert (name, head) == ("orders", ("product", "day", "pieces"))
    assert (first[0], str(first[1])[:10], first[2]) == ("=1+1", "2024-02-28", 1.5)
    assert second == ("P", None, None)


def test_other_forms_hold_the_same_and_have_no_tab(tmp_path: Path) -> None:
    for suffix in (".csv", ".parquet"):
        write_rows(TABLE, tmp_path / f"a{suffix}", sheet="orders")
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").equals(TABLE)
    assert pyarrow.csv.read_csv(tmp_path / "a.csv")["pieces"].to_pylist() == [1.5, None]


def test_what_no_sheet_can_hold_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(TABLE, tmp_path / "a.xlsx", sheet="orders")
    before = (tmp_path / "a.xlsx").read_bytes()
    monkeypatch.setattr(form, "MOST_SHEET_ROWS", 1)
    with pytest.raises(ConfigError, match=r"2 rows, more than a sheet has; choose \.parquet"):
        write_rows(TABLE, tmp_path / "a.xlsx", sheet="orders")
    assert (tmp_path / "a.xlsx").read_bytes() == before
    with pytest.raises(ConfigError, match="none of"):
        write_rows(TABLE, tmp_path / "a.ods", sheet="orders")
