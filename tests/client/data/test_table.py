"""A plan's file: what is read in windows is what is read line by line, whatever the bytes are."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import client.data.table as module
from client.data.table import Table, read_table, scan_csv
from client.data.window import open_plain
from common.errors import DataError

TOKENS = [
    b",", b";", b'"', b'""', b"\n", b"\n", b"\r\n", b"\r", b" ", b"a", b"5", b"2024-01-05", b"\xef\xbb\xbf", b"\xff",
    b"\0", "红".encode(), b'1,2024-01-05,p,x\n', b'1,2024-01-05,p,"x"\r\n', b'1,2024-01-05,p,"x\n', b",,,\n", b'y"\n',
]  # fmt: skip
WANTED = ["sku", "day"]


def is_row(cells: dict[str, str]) -> bool:
    return bool(cells.get("sku", "").strip()) and cells.get("day", "").startswith("2024")


def read_in_windows(path: Path, size: int, *, whole: bool) -> Table:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "open_plain", lambda *arguments, **named: open_plain(*arguments, **named, size=size))
        return read_table(path, WANTED, is_row, whole=whole)


@settings(max_examples=80)
@given(
    before=st.sampled_from([b"", b"\n\n", b"\xef\xbb\xbf"]),
    tokens=st.lists(st.sampled_from(TOKENS), max_size=30),
    size=st.sampled_from([1, 7, 40, 1 << 20]),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-16"]),
)
@example(before=b"", tokens=[b'1,2024-01-05,p,"x\n', b"\n", b"\xff", b'"', b"\n"], size=7, encoding="utf-8")
@example(before=b"\n", tokens=[b'1,2024-01-05,p,"x\n', b'a,b,c,d\ny"\n', b"2,2024-01-05,p,x"], size=9, encoding="utf-8")
def test_a_file_in_windows_gives_the_rows_of_its_lines(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, tokens: Sequence[bytes], size: int, encoding: str
) -> None:
    content = before + b"sku,day,note,sku2\r\n" + b"".join(tokens)
    if encoding == "utf-16":
        content = content.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").encode("utf-16")
        size = max(size, 2)  # a mark
    path = tmp_path_factory.getbasetemp() / "x.csv"
    path.write_bytes(content)
    header, rows, _ = scan_csv(content, WANTED, is_row, origin="x.csv")
    table = read_in_windows(path, size, whole=True)
    assert table.columns == header.columns == tuple(table.rows.columns)
    assert table.unreadable == tuple(row.first + 1 for row in rows if row.cells is None)
    read = [row for row in rows if row.cells is not None]
    assert table.rows.index.tolist() == [row.first + 1 for row in read]
    assert table.rows.to_numpy(object).tolist() == [row.cells for row in read]
    some = read_in_windows(path, size, whole=False)
    assert list(some.rows.columns) == WANTED
    assert some.columns == table.columns
    assert some.rows.equals(table.rows[WANTED])


def test_a_table_of_which_nothing_is_wanted_has_rows_without_cells(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    table = read_table(path, ["c"], is_row)
    assert (table.rows.shape, table.columns) == ((2, 0), ("a", "b"))


@pytest.mark.parametrize("content", [b"", b"\n\r\n \n", b"\xef\xbb\xbf"])
def test_a_file_without_a_line_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is empty; give a file with a header and rows"):
        read_table(path, WANTED, is_row)
