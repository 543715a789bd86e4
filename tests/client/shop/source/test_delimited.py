"""Delimited text: the fast way and the careful way give the same rows, whatever the bytes are."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from client.data.lines import Header, read_lines, split_cells, split_lines
from client.shop.settings import Dialect, SourceSettings
from client.shop.source.delimited import DelimitedSource, make_is_row
from common.errors import ConfigError, DataError

HEADER = "order,date,product,note"
TOKENS = [
    b",", b",", b";", b"\t", b'"', b'"', b'""', b"\n", b"\n", b"\r\n", b"\r", b" ", b"", b"a", b"5", b"2024-01-05",
    b"\xef\xbb\xbf", b"\xff", b"\0", b"\x81", "ä".encode(), "红".encode(), "红".encode("gbk"), b"\xe9", b"\x810", b"|",
    b'1,2024-01-05,p,x\n', b'1,2024-01-05,p,"x"\r\n', b'1,2024-01-05,p,"x\n', b'2,"2024-01-06",p\n', b",,,\n",
    b'"","","",\n',
]  # fmt: skip

Found = list[tuple[int, tuple[str, ...]]]


def settings_of(**dialect: object) -> SourceSettings:
    return SourceSettings(name="shop", location="x.csv", dialect=Dialect(**dialect))  # type: ignore[arg-type]


def read(path: Path, chosen: SourceSettings, window: int = 1 << 20) -> tuple[Found, list[int]]:
    rows, unreadable = Found(), list[int]()
    for batch in DelimitedSource(path, chosen, window_bytes=window).batches():
        cells = zip(*(column.to_pylist() for column in batch.rows.columns), strict=True)
        rows += list(zip(batch.places.tolist(), cells, strict=True))
        unreadable += batch.unreadable
    return rows, unreadable


def read_carefully(content: bytes, chosen: SourceSettings) -> tuple[Found, list[int]]:
    """Read line by line, the header being the first."""
    dialect = chosen.dialect or Dialect()
    lines = split_lines(content, dialect.encoding)
    names = tuple(split_cells(lines[0].removeprefix(b"\xef\xbb\xbf").decode(), dialect.separator) or ())
    rows = list(read_lines(lines, Header(names, dialect.separator, 1), make_is_row(names, chosen)))
    read_rows = [(row.first + 1, tuple(row.cells)) for row in rows if row.cells is not None]
    return read_rows, [row.first + 1 for row in rows if row.cells is None]


def write(folder: Path, content: bytes) -> Path:
    path = folder / "x.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("encoding", "separator"),
    [
        ("utf-8", ","),
        ("utf-8", ";"),
        ("utf-8", "\t"),
        ("gb18030", ","),
        ("gb18030", "|"),
        ("cp1252", ","),
        ("latin-1", ","),
    ],
)
@settings(max_examples=150)
@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=30), window=st.sampled_from([1, 7, 40, 1 << 20]))
@example(tokens=[b'1,2024-01-05,p,"x\n', b"\n", b"\xff", b'"', b"\n"], window=7)
@example(tokens=[b"\0,2024-01-05,p,x\0y\n"], window=40)
@example(tokens=[b'1,2024-01-05,a"p,x",y\n'], window=40)
@example(tokens=[b'1,2024-01-05,p,"x\na,b,c,d\ny"\n2,2024-01-05,p,x\n'], window=1 << 20)
def test_the_fast_and_the_careful_way_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, separator: str, tokens: Sequence[bytes], window: int
) -> None:
    body = b"".join(tokens) if separator == "," else b"".join(tokens).replace(b",", separator.encode())
    content = HEADER.replace(",", separator).encode() + b"\n" + body
    chosen = settings_of(encoding=encoding, separator=separator)
    path = write(tmp_path_factory.getbasetemp(), content)
    assert read(path, chosen, window) == read_carefully(content, chosen)


@given(
    body=st.binary(max_size=60),
    window=st.sampled_from([1, 16, 1 << 20]),
    names=st.sampled_from(["a,b", "a", "a,date,c"]),
)
def test_arbitrary_bytes_are_read_the_same_both_ways(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, window: int, names: str
) -> None:
    content, chosen = names.encode() + b"\n" + body, settings_of()
    path = write(tmp_path_factory.getbasetemp(), content)
    assert read(path, chosen, window) == read_carefully(content, chosen)


@given(
    tokens=st.lists(st.sampled_from(TOKENS), max_size=20),
    odd=st.binary(max_size=5),
    window=st.sampled_from([2, 30, 1 << 20]),
)
def test_utf_16_is_read_the_same_both_ways(
    tmp_path_factory: pytest.TempPathFactory, tokens: Sequence[bytes], odd: bytes, window: int
) -> None:
    text = HEADER + "\n" + b"".join(tokens).decode("latin-1")
    content, chosen = text.encode("utf-16") + odd, settings_of(encoding="utf-16")
    path = write(tmp_path_factory.getbasetemp(), content)
    assert read(path, chosen, window) == read_carefully(content, chosen)


WHOLE = ["1,2024-01-05,p,x", "2,2024-01-05,q,", "3,2024-01-06,r,z"]


@pytest.mark.parametrize(
    "damage",
    [b'9,2024-01-05,p,"open', b"9,2024-01-05,p,x,extra", b"9,2024-01-05,p,\xff", b"9,2024-01-05,p,a\0b",
     b'9,2024-01-05,"p,x', b"\xff\xfe"],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_damaged_row_costs_nobody_else_a_row(tmp_path: Path, damage: bytes, place: int) -> None:
    lines = [row.encode() for row in WHOLE]
    content = b"\n".join([HEADER.encode(), *lines[:place], damage, *lines[place:]])
    rows, unreadable = read(write(tmp_path, content), settings_of())
    kept = [cells for _, cells in rows if cells[0] != "9"]
    assert kept == [tuple(row.split(",")) for row in WHOLE]
    assert len(rows) + len(unreadable) == 4


def test_a_note_that_goes_over_lines_is_one_cell_in_a_small_and_in_a_large_window(tmp_path: Path) -> None:
    content = f'{HEADER}\n1,2024-01-05,p,"Please, ring\ntwice, or\n""knock"""\n2,2024-01-05,q,x\n'.encode()
    for window in (1, 30, 1 << 20):
        rows, unreadable = read(write(tmp_path, content), settings_of(), window)
        assert rows[0] == (2, ("1", "2024-01-05", "p", 'Please, ring\ntwice, or\n"knock"'))
        assert (rows[1][0], len(rows), unreadable) == (5, 2, [])


@pytest.mark.parametrize(
    ("encoding", "word"), [("gb18030", "红色𠀀"), ("cp1252", "Größe €"), ("utf-8", "€红"), ("utf-16-be", "红")]
)
def test_each_encoding_reads_what_was_written(tmp_path: Path, encoding: str, word: str) -> None:
    content = f"{HEADER}\n1,2024-01-05,{word},x\n".encode(encoding)
    rows, _ = read(write(tmp_path, content), settings_of(encoding=encoding))
    assert rows == [(2, ("1", "2024-01-05", word, "x"))]


def test_only_the_columns_that_the_settings_name_are_read(tmp_path: Path) -> None:
    chosen = SourceSettings(name="shop", location="x.csv", columns={"day": "date", "product": "product"})
    rows, _ = read(write(tmp_path, f"{HEADER}\n{WHOLE[0]}\n".encode()), chosen)
    assert rows == [(2, ("2024-01-05", "p"))]


def test_words_before_the_header_are_none_of_its_rows(tmp_path: Path) -> None:
    content = f"Report of a shop\n\n{HEADER}\n{WHOLE[0]}\n".encode()
    rows, _ = read(write(tmp_path, content), settings_of(header_row=3))
    assert rows == [(4, tuple(WHOLE[0].split(",")))]


def test_a_header_with_line_breaks_is_read(tmp_path: Path) -> None:
    content = b'order,date,"units\n(pieces)"\n1,2024-01-05,3\n'
    (batch,) = DelimitedSource(write(tmp_path, content), settings_of()).batches()
    assert (batch.rows.column_names, batch.places.tolist()) == (["order", "date", "units (pieces)"], [3])


def test_columns_of_one_name_are_not_read_and_said_or_refused_where_they_are_wanted(tmp_path: Path) -> None:
    path = write(tmp_path, b"date,a,a,\n2024-01-05,1,2,\n")
    (batch,) = DelimitedSource(path, settings_of()).batches()
    assert batch.rows.column_names == ["date"]
    assert batch.notes == ("The column 'a' is there 2 times and is not read; rename it.",)
    for column, fault in (("a", "has the column 'a' twice"), ("b", "has no column 'b'; it has date, a, a")):
        chosen = SourceSettings(name="shop", location="x.csv", columns={"product": column})
        with pytest.raises(DataError, match=fault):
            list(DelimitedSource(path, chosen).batches())


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty; give a file with the names of the columns and rows below them"),
        (b"\n\n", "names no column"),
        (b'a,"b\n', "a quote stays open"),
        (b"a,\xff\n", "no header in utf-8; set dialect.encoding"),
    ],
)
def test_a_file_without_a_header_is_one_sentence(tmp_path: Path, content: bytes, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        list(DelimitedSource(write(tmp_path, content), settings_of()).batches())


def test_a_missing_file_and_an_unknown_encoding_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        list(DelimitedSource(tmp_path / "none.csv", settings_of()).batches())
    for dialect in ({"encoding": "utf-7"}, {"separator": '"'}, {"separator": "x"}):
        with pytest.raises(ConfigError, match=r"dialect\."):
            DelimitedSource(tmp_path / "x.csv", settings_of(**dialect))


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path, HEADER.encode()), settings_of()) == ([], [])


def test_the_fingerprint_tells_bytes_and_meaning_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, b"a\n1\n")
    first = DelimitedSource(path, settings_of()).fingerprint
    assert DelimitedSource(path, settings_of(decimal=",")).fingerprint != first
    assert DelimitedSource(path, settings_of()).fingerprint == first
    assert DelimitedSource(write(tmp_path, b"a\n2\n"), settings_of()).fingerprint != first
