"""How delimited text writes things down, guessed with the evidence for each guess."""

import pytest

from client.shop.settings import Dialect
from client.shop.source.dialect import guess_dialect
from common.errors import DataError


def guess(text: str, encoding: str = "utf-8") -> tuple[Dialect, str]:
    guessed = guess_dialect(text.encode(encoding), origin="x.csv")
    return guessed.dialect, " ".join(guessed.evidence)


@pytest.mark.parametrize(
    ("encoding", "expected", "word"),
    [
        ("utf-8", "utf-8", "Größe"),
        ("utf-8-sig", "utf-8", "Größe"),
        ("cp1252", "cp1252", "Größe"),
        ("cp1252", "cp1252", "été à créé €"),
        ("latin-1", "cp1252", "Straße"),
        ("gb18030", "gb18030", "红色茶杯 大号"),
        ("gbk", "gb18030", "订单已完成"),
        ("utf-16", "utf-16-le", "Größe"),
        ("utf-16-be", "utf-16-be", "plain"),
        ("utf-8", "utf-8", "plain"),
    ],
)
def test_the_encoding_is_that_of_nearly_all_lines(encoding: str, expected: str, word: str) -> None:
    text = "order,date,title\n" + f"1,2024-01-05,{word}\n" * 20
    dialect, evidence = guess(text, encoding)
    assert dialect.encoding == expected
    assert word not in evidence


def test_one_line_of_another_encoding_changes_nothing() -> None:
    content = b"a,b\n" + "1,Größe\n".encode() * 20 + "2,Größe\n".encode("cp1252")
    guessed = guess_dialect(content, origin="x.csv")
    assert guessed.dialect.encoding == "utf-8"
    assert guessed.evidence[0] == "20 of 21 lines with other letters than plain ones are UTF-8."


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_that_by_which_lines_are_alike(separator: str) -> None:
    lines = [["order", "date", "title"], ["1", "2024-01-05", '"a, b; c|d"'], ["2", "2024-01-06", "x"]]
    dialect, evidence = guess("\n".join(separator.join(line) for line in lines))
    assert dialect.separator == separator
    assert evidence.startswith("3 of 3 lines have 3 cells between ")


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands", "quoted"),
    [
        (["1.200,50", "3,99", "5"], ",", ".", "behind a comma: 1.200,50, 3,99."),
        (["1,200.50", "3.99"], ".", ",", "behind a point: 1,200.50, 3.99."),
        (["€ 3,99", "12,00 €"], ",", ".", "behind a comma: € 3,99, 12,00 €."),
        (["950", "1.200", "7"], ",", ".", "A point stands between thousands: 1.200;"),
        (["950", "1,200", "7"], ".", ",", "A comma stands between thousands: 1,200;"),
        (["0.500", "1.250"], ".", "", ""),
        (["1", "2", "30"], ".", "", ""),
        (["0,470", "3,760"], ",", ".", "behind a comma: 0,470."),
        (["1\u202f234,5", "950,0"], ",", ".", "behind a comma: 1 234,5, 950,0."),
        (["1,23,450.50", "12,34,567.00"], ".", ",", "behind a point: 1,23,450.50, 12,34,567.00."),
        (["1,23,450", "12,34,567"], ".", ",", "A comma stands between thousands: 1,23,450, 12,34,567."),
        (["₹1,23,450.00", "₹99.50"], ".", ",", "behind a point: ₹1,23,450.00, ₹99.50."),
        (["1,5E+03", "2,0E+03"], ",", ".", "behind a comma: 1,5E+03, 2,0E+03."),
        (["5 pcs", "1,5 pcs"], ",", ".", "behind a comma: 1,5 pcs."),
        (["8.200", "15.300"], ",", ".", "Whether 8.200 is 8200 or 8.2 cannot be told; 8200 is assumed"),
        (["8,200", "15,300"], ",", ".", "Whether 8,200 is 8200 or 8.2 cannot be told; 8.2 is assumed"),
        (["1.008.200", "2.015.300"], ",", ".", "A point stands between thousands: 1.008.200, 2.015.300."),
        (["1,5", "2,5", "3.5"], ",", ".", "behind a comma: 1,5, 2,5, though 1 are written the other way."),
    ],
)
def test_the_decimal_mark_is_told_by_numbers(cells: list[str], decimal: str, thousands: str, quoted: str) -> None:
    dialect, evidence = guess("order;units\n" + "".join(f"{number};{cell}\n" for number, cell in enumerate(cells)))
    assert (dialect.decimal, dialect.thousands) == (decimal, thousands)
    assert quoted in evidence


@pytest.mark.parametrize(
    ("cells", "order", "said"),
    [
        (["2024-01-05"], "ymd", ""),
        (["25.01.2024"], "dmy", "The day stands first: 25.01.2024."),
        (["01/25/2024 10:00"], "mdy", "The month stands first: 01/25/2024 10:00."),
        (["01/02/2024", "01/03/2024", "02/01/2024"], "mdy", "in order of time if the month stands first"),
        (["01/01/2024", "03/01/2024", "02/02/2024"], "dmy", "in order of time if the day stands first"),
        (["05.01.2024"], "dmy", "cannot be told from 05.01.2024; the day is assumed: please check."),
        (["05/01/2024"], "mdy", "cannot be told from 05/01/2024; the month is assumed: please check."),
        (["5 Jan 2024", "20240105"], "ymd", ""),
    ],
)
def test_the_order_of_day_and_month_is_told_by_days(cells: list[str], order: str, said: str) -> None:
    dialect, evidence = guess("date,units\n" + "".join(f"{cell},1\n" for cell in cells))
    assert dialect.dates == order
    assert said in evidence


def test_words_before_the_header_are_passed_over() -> None:
    words = 'Report of a shop\n\n"Terms, as agreed","since, 2024"\n'
    text = f"{words}Order,Date,Title,Units\n1,2024-01-05,x,1\n2,2024-01-06,y,2\n"
    dialect, evidence = guess(text)
    assert dialect.header_row == 4
    assert "stand in line 4, below other words" in evidence


def test_a_header_with_line_breaks_is_found() -> None:
    dialect, _ = guess('order,date,"units\n(pieces)","net\nprice"\n1,2024-01-05,3,1.50\n2,2024-01-06,4,2.50\n')
    assert dialect == Dialect(thousands=",")
    assert guess('"Report of a shop\norder,date,units\n1,2024-01-05,3\n2,2024-01-06,4\n')[0].header_row == 2


def test_evidence_quotes_nothing_personal() -> None:
    header = "order;name;email;phone;Geburtsdatum;date;units;price"
    row = "1;Erika Mustermann;erika@example.org;030.123.456;24.12.1980;25.01.2024;1.200;3,50"
    _, evidence = guess(f"{header}\n{row}\n{row}\n")
    for secret in ("Erika", "erika", "030", "1980"):
        assert secret not in evidence
    assert "3,50" in evidence
    assert "25.01.2024" in evidence


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"<html><table>", "no table but HTML or XML"),
        (b'[{"a": 1}]', "no table but JSON"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\x02\x03\x04\x05\x06\x08", "no table of text"),
        (b"1,2024-01-05,3\n2,2024-01-06,4\n", "Line 1 of x.csv holds numbers or days where the names"),
    ],
)
def test_what_is_no_table_is_one_sentence(content: bytes, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        guess_dialect(content, origin="x.csv")
    assert str(caught.value).endswith(".")


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert guess("order,date,units\n")[0] == Dialect()


def test_three_digits_behind_a_comma_are_thousands_where_points_are_decimals() -> None:
    dialect, evidence = guess('order,units\n1,"8,200"\n2,"15,300"\n')
    assert (dialect.decimal, dialect.thousands) == (".", ",")
    assert "Whether 8,200 is 8200 or 8.2 cannot be told; 8200 is assumed: please check dialect.decimal." in evidence


def test_a_year_of_two_digits_that_stands_first_is_seen() -> None:
    dialect, evidence = guess("date,units\n" + "".join(f"24-01-{day:02},5\n" for day in range(1, 29)))
    assert dialect.dates == "ymd"
    assert "The year stands first, in two digits: 24-01-01, 24-01-02, 24-01-03." in evidence


def test_a_column_with_days_in_two_orders_is_refused() -> None:
    rows = [f"{month}/{day:02}/2024" for month in ("01",) for day in range(1, 32)]
    rows += [f"{day:02}/02/2024" for day in range(1, 30)]
    with pytest.raises(DataError, match=r"'date' of x.csv writes days in two orders, as 13/02/2024 and 01/13"):
        guess("date,units\n" + "".join(f"{day},5\n" for day in rows))


def test_two_days_the_other_way_round_are_slips_and_refuse_nothing() -> None:
    rows = [f"01/{day:02}/2024" for day in range(1, 32)] + ["13/02/2024", "14/02/2024"]
    dialect, evidence = guess("date,units\n" + "".join(f"{day},5\n" for day in rows))
    assert dialect.dates == "mdy"
    assert "though 2 are written the other way" in evidence


def test_empty_cells_at_the_end_of_rows_hide_no_header() -> None:
    dialect, _ = guess("product;date;units\nA;2024-01-01;5;;\nB;2024-01-02;6;;\n")
    assert (dialect.separator, dialect.header_row) == (";", 1)


def test_a_remark_as_wide_as_the_header_is_passed_over() -> None:
    dialect, _ = guess("# export, of, shop\nproduct,date,units\nA,2024-01-01,5\n")
    assert dialect.header_row == 2
    dialect, _ = guess("#order,date,units\n1,2024-01-01,5\n2,2024-01-02,5\n")
    assert dialect.header_row == 1


def test_a_column_for_each_day_is_refused_with_how_to_lay_it_out() -> None:
    days = ",".join(f"2024-01-{day:02}" for day in range(1, 11))
    with pytest.raises(DataError, match=r"x.csv has a column for each day .2024-01-01 … 2024-01-10.; lay it out"):
        guess(f"product,{days}\nA,1,2,3,4,5,6,7,8,9,10\n")


def test_rows_in_no_order_of_time_do_not_tell_day_from_month() -> None:
    days = [(7 * number) % 12 + 1 for number in range(40)]
    rows = "".join(f"{(5 * number) % 12 + 1:02}/{day:02}/2024,5\n" for number, day in enumerate(days))
    assert "cannot be told from" in guess(f"date,units\n{rows}")[1]
