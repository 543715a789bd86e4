"""What a location holds: files by their bytes, folders, patterns, workbooks, Parquet."""

import gzip
import io
import struct
from datetime import UTC, date, datetime
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from client.shop.settings import Dialect, SourceSettings
from client.shop.source.opening import look, open_source
from client.shop.source.source import Batch, Look
from common.errors import DataError

CSV = "date,product,units\n2024-01-05,p,1\n2024-01-06,q,2\n"


def settings_of(seen: Look, **more: object) -> SourceSettings:
    return SourceSettings(name="shop", location=seen.location, table=seen.table, dialect=seen.dialect, **more)  # type: ignore[arg-type]


def read(seen: Look, folder: Path) -> list[Batch]:
    return list(open_source(settings_of(seen), folder).batches())


def write_book(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Verkauf"
    sheet.append(["Umsatz 2024"])
    sheet.merge_cells("A1:D1")
    sheet.append([])
    sheet.append(["Datum", "Artikel", "Menge", "Preis"])
    sheet.append([datetime(2024, 1, 5), 12345, 2, 1.25])
    sheet.append([])
    sheet.append([datetime(2024, 1, 6, 9, 30), "B", "1.200", "3,50"])
    stock = book.create_sheet("Lager")
    stock.append(["Artikel", "Bestand", "da"])
    stock.append(["A", 3, True])
    book.create_sheet("leer")
    book.save(path)
    return path


def test_a_file_is_looked_at_and_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    (seen,) = look("x.csv", tmp_path)
    assert (seen.location, seen.kind, seen.num_rows, seen.dialect) == ("x.csv", "delimited", 2, Dialect())
    assert seen.sample == {"date": ("2024-01-05", "2024-01-06"), "product": ("p", "q"), "units": ("1", "2")}
    (batch,) = read(seen, tmp_path)
    assert (batch.rows.num_rows, batch.places.tolist()) == (2, [2, 3])


def test_a_large_file_is_sampled_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    rows = "".join(f"{number},2024-01-05,a product with a name\n" for number in range(50_000))
    (tmp_path / "x.csv").write_text("order,date,product\n" + rows)
    (seen,) = look("x.csv", tmp_path)
    numbers = [int(cell) for cell in seen.sample["order"]]
    assert len(numbers) == 1000
    assert numbers == sorted(numbers)
    assert numbers[-1] > 49_000
    assert seen.num_rows == pytest.approx(50_000, rel=0.02)


def test_a_folder_has_a_look_for_each_file_and_one_for_files_that_are_alike(tmp_path: Path) -> None:
    for month in ("01", "02"):
        (tmp_path / f"orders-{month}.csv").write_text(CSV)
    (tmp_path / "returns.txt").write_text("date\treason\n2024-01-05\tbroken\n")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\x02\x03\x04\x05\x06\x08")
    (tmp_path / ".hidden.csv").write_text("x")
    alike, returns = look(".", tmp_path)
    assert (alike.location, alike.num_rows, returns.location) == ("./*.csv", 4, "returns.txt")
    assert any("logo.png is no table of text" in sentence for sentence in alike.evidence)
    assert sum(batch.rows.num_rows for batch in read(alike, tmp_path)) == 4
    assert len(open_source(settings_of(alike), tmp_path).fingerprint) == 64


def test_a_pattern_is_one_source_of_all_its_files(tmp_path: Path) -> None:
    for month in ("01", "02", "03"):
        (tmp_path / f"orders-{month}.csv").write_text(CSV)
    (seen,) = look("orders-*.csv", tmp_path)
    assert (seen.location, seen.num_rows) == ("orders-*.csv", 6)
    assert seen.evidence[0] == "3 files have the same columns."
    (tmp_path / "orders-02.csv").write_text("day,sku\n2024-01-05,p\n")
    assert len(look("orders-*.csv", tmp_path)) == 3


def test_each_sheet_of_a_workbook_is_a_table(tmp_path: Path) -> None:
    write_book(tmp_path / "x.xlsx")
    sales, stock = look("x.xlsx", tmp_path)
    assert (sales.table, sales.kind, sales.num_rows, stock.table) == ("Verkauf", "sheet", 2, "Lager")
    assert sales.dialect == Dialect(decimal=",", thousands=".", header_row=3)
    assert sales.sample["Preis"] == ("1,25", "3,50")
    (batch,) = read(sales, tmp_path)
    assert batch.rows.to_pydict() == {
        "Datum": ["2024-01-05", "2024-01-06 09:30:00"],
        "Artikel": ["12345", "B"],
        "Menge": ["2", "1.200"],
        "Preis": ["1,25", "3,50"],
    }
    assert batch.places.tolist() == [4, 6]
    (batch,) = read(stock, tmp_path)
    assert batch.rows.to_pydict() == {"Artikel": ["A"], "Bestand": ["3"], "da": ["true"]}
    with pytest.raises(DataError, match="has no sheet 'x'; it has Verkauf, Lager, leer"):
        list(open_source(settings_of(sales).model_copy(update={"table": "x"}), tmp_path).batches())


def test_a_workbook_under_another_name_is_known_by_its_bytes(tmp_path: Path) -> None:
    write_book(tmp_path / "x.xlsx").rename(tmp_path / "x.csv")
    assert [each.kind for each in look("x.csv", tmp_path)] == ["sheet", "sheet"]
    (tmp_path / "x.xls").write_text(CSV)
    assert look("x.xls", tmp_path)[0].kind == "delimited"


def write_parquet(path: Path, group_rows: int = 2) -> Path:
    table = pa.table({
        "moment": pa.array([datetime(2024, 1, 5, 12, tzinfo=UTC), None, datetime(2024, 1, 7, tzinfo=UTC)]),
        "day": [date(2024, 1, 5), date(2024, 1, 6), date(2024, 1, 7)],
        "product": pa.array(["p", None, "q"]).dictionary_encode(),
        "units": [1.5, 2.0, None],
        "tags": [["a"], [], None],
        "price": ["1,50", "2,25", "3,00"],
    })  # fmt: skip
    pq.write_table(table, path, row_group_size=group_rows)
    return path


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    write_parquet(tmp_path / "x.parquet")
    (seen,) = look("x.parquet", tmp_path)
    assert (seen.kind, seen.num_rows, seen.sample["product"]) == ("parquet", 3, ("p", "", "q"))
    assert seen.dialect == Dialect(decimal=",", thousands=".")
    batches = read(seen, tmp_path)
    assert [place for batch in batches for place in batch.places.tolist()] == [1, 2, 3]
    rows = pa.concat_tables([batch.rows for batch in batches])
    assert pa.types.is_timestamp(rows["moment"].type)
    assert rows["product"].to_pylist() == ["p", None, "q"]
    assert rows["tags"].to_pylist() == ["['a']", "[]", None]


def test_a_text_of_parquet_that_is_no_utf_8_costs_only_itself(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"ok"], pa.binary()).buffers())
    pq.write_table(pa.table({"product": broken}), tmp_path / "x.parquet")
    (batch,) = open_source(SourceSettings(name="shop", location="x.parquet"), tmp_path).batches()
    assert batch.rows["product"].to_pylist() == ["\ufffd", "ok"]


def packed_book() -> bytes:
    stream = io.BytesIO()
    with ZipFile(stream, "w") as packed:
        packed.writestr("orders.csv", CSV)
    return stream.getvalue()


def protected_book() -> bytes:
    """Write the container of a workbook with a password: its streams, and nothing in them."""
    free, end, table = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<10I", 0, 1, 1, 0, 4096, end, 0, end, 0, 0) + struct.pack("<I", free) * 108
    sectors = struct.pack("<II", table, end) + struct.pack("<I", free) * 126
    names = (("Root Entry", 5, free, 1), ("EncryptionInfo", 2, 2, free), ("EncryptedPackage", 2, free, free))
    return header + sectors + b"".join(_entry(*name) for name in names) + bytes(128)


def _entry(name: str, kind: int, right: int, child: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    numbers = struct.pack("<HBBIII", len(text), kind, 1, 0xFFFFFFFF, right, child)
    return text.ljust(64, b"\0") + numbers + bytes(36) + struct.pack("<IQ", 0xFFFFFFFE, 0)


OPEN_DOCUMENT = """<?xml version="1.0"?><office:document-content
  xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="S"><table:table-row>
<table:table-cell office:value-type="string"><text:p>date</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>units</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="date" office:date-value="2024-01-05"/>
<table:table-cell office:value-type="float" office:value="2.5"/></table:table-row></table:table>
</office:spreadsheet></office:body></office:document-content>"""


def test_open_document_is_read(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "x.ods", "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("content.xml", OPEN_DOCUMENT.replace("\n", ""))
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        book.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{manifest}"/>')
    (seen,) = look("x.ods", tmp_path)
    assert (seen.table, seen.sample) == ("S", {"date": ("2024-01-05",), "units": ("2.5",)})


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("x.csv", b"", "is empty"),
        ("x.xlsx", protected_book(), "is protected by a password; save it without one"),
        ("x.csv.gz", gzip.compress(b"a", mtime=0), "packed .gzip.; unpack it first"),
        ("x.zip", packed_book(), "packed .ZIP.; unpack it first"),
        ("x.xlsx", b"PK\x03\x04broken", "Cannot read .* as a workbook .*; save it again"),
        ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Cannot read .* as a workbook"),
        ("x.parquet", b"PAR1broken", "Is it a whole Parquet file"),
        ("x.xls", b"<html><table><tr>", "is no table but HTML"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        look(name, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("none.csv", "There is no file"),
        ("none-*.csv", "No file is called as"),
        ("empty", "no file in .*; put an export there"),
    ],
)
def test_a_place_where_nothing_is_is_one_sentence(tmp_path: Path, location: str, fault: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=fault):
        look(location, tmp_path)
    with pytest.raises(DataError):
        list(open_source(SourceSettings(name="shop", location=location), tmp_path).batches())


def test_a_pattern_in_the_name_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only the name of a file may have one"):
        look("*/x.csv", tmp_path)
