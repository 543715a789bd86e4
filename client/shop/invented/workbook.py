"""Write an Excel workbook: sheets of text, numbers, days and moments, with shared texts as Excel itself writes them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from xml.sax.saxutils import escape

Cell = str | int | float | date | None
_DAY_ZERO = datetime(1899, 12, 30)  # Excel's, whose 1900 is a leap year
_PLAIN, _DAY, _MOMENT = 0, 1, 2  # places among the styles
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3">'
    '<xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def write_xlsx(sheets: Mapping[str, Iterable[Sequence[Cell]]]) -> bytes:
    """Write a workbook, a sheet for each name."""
    texts = _Texts()
    pages = [_sheet(rows, texts) for rows in sheets.values()]
    files = {f"xl/worksheets/sheet{number}.xml": page for number, page in enumerate(pages, 1)}
    files |= {
        "xl/workbook.xml": _workbook(list(sheets)),
        "xl/styles.xml": _STYLES,
        "xl/sharedStrings.xml": texts.write(),
    }
    files |= {"[Content_Types].xml": _content_types(len(pages)), "_rels/.rels": _package_links()}
    files |= {"xl/_rels/workbook.xml.rels": _workbook_links(len(pages))}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            package.writestr(zipfile.ZipInfo(name), _HEAD + text)
    return content.getvalue()


@dataclass
class _Texts:
    places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))

    def write(self) -> str:
        items = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in self.places)
        return f'<sst xmlns="{_MAIN}">{items}</sst>'


def _sheet(rows: Iterable[Sequence[Cell]], texts: _Texts) -> str:
    written = "".join(
        f'<row r="{number}">{"".join(_cell(cell, number, place, texts) for place, cell in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{written}</sheetData></worksheet>'


def _cell(cell: Cell, row: int, place: int, texts: _Texts) -> str:
    where = f'r="{_column(place)}{row}"'
    if cell is None or cell == "":
        return ""
    if isinstance(cell, str):
        return f'<c {where} t="s"><v>{texts.place(cell)}</v></c>'
    if isinstance(cell, date):
        style = _MOMENT if isinstance(cell, datetime) else _DAY
        return f'<c {where} s="{style}"><v>{_serial(cell)}</v></c>'
    return f"<c {where}><v>{cell!r}</v></c>"


def _serial(day: date) -> str:
    moment = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)
    return repr(round((moment - _DAY_ZERO) / timedelta(days=1), 9)).removesuffix(".0")


def _column(place: int) -> str:
    more, rest = divmod(place, 26)
    return (_column(more - 1) if more else "") + chr(ord("A") + rest)


def _workbook(names: list[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>' for number, name in enumerate(names, 1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{sheets}</sheets></workbook>'


def _content_types(count: int) -> str:
    kinds = {"xl/workbook.xml": "sheet.main", "xl/styles.xml": "styles", "xl/sharedStrings.xml": "sharedStrings"}
    kinds |= {f"xl/worksheets/sheet{number}.xml": "worksheet" for number in range(1, count + 1)}
    parts = "".join(f'<Override PartName="/{name}" ContentType="{_KIND}.{kind}+xml"/>' for name, kind in kinds.items())
    links = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    return f'<Types xmlns="{_PACKAGE}/content-types">{links}{parts}</Types>'


def _package_links() -> str:
    link = f'<Relationship Id="rId1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/>'
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{link}</Relationships>'


def _workbook_links(count: int) -> str:
    targets = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, count + 1)]
    targets += [("styles", "styles.xml"), ("sharedStrings", "sharedStrings.xml")]
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{_LINKS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'
