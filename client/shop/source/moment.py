"""Moments as shops write them: a day in one of three orders or with the month's name, a time, an offset.

What a text says depends on its shape alone (which characters are digits, and what the others are), so that one text of
a shape tells where the numbers of all of that shape stand; see `client.shop.source.cells`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Order = Literal["ymd", "dmy", "mdy"]

MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "jan january januar jänner",
            "feb february februar feber",
            "mar march mär märz mrz maerz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ),
        start=1,
    )
    for word in words.split()
}
ZONES = {  # hours from Greenwich of the words that marketplaces write behind a time
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("BST", "CET", "MEZ", "WEST"), 1),
    **dict.fromkeys(("CEST", "MESZ", "EET"), 2),
    **{"EEST": 3, "JST": 9, "AEST": 10, "AEDT": 11, "PST": -8, "PDT": -7},
}
AFTERNOON, MORNING = ("pm", "下午"), ("am", "上午")

_MARK = r"(?P<mark>[-/. ]) ?"
_YEAR = r"(?P<year>[0-9]{4}|[0-9]{2})"
_NAME = r"(?P<name>[^\W\d_]+)\.?"
_GAP = r"[-/., ]+"
_NTH = r"(?:st|nd|rd|th|\.)?"
_WEEKDAY = r"(?:[^\W\d_]+\.?,? )?"
_SHORT_YEAR = r"(?P<year>[0-9]{2})(?P<mark>[-/.])(?P<month>[0-9]{2})(?P=mark)(?P<day>[0-9]{2})"
_NAMED = (
    rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}}){_NTH}{_GAP}{_NAME}{_GAP}{_YEAR}",
    rf"{_NAME}{_GAP}(?P<day>[0-9]{{1,2}}){_NTH}{_GAP}{_YEAR}",
    rf"(?P<year>[0-9]{{4}}){_GAP}{_NAME}{_GAP}(?P<day>[0-9]{{1,2}})",
)
_YEAR_FIRST = (
    r"(?P<year>[0-9]{4})(?P<mark>[-/. ])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})",
    r"(?P<year>[0-9]{4})\. ?(?P<month>[0-9]{1,2})\. ?(?P<day>[0-9]{1,2})\.",
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})",
    r"(?P<year>[0-9]{4}) ?年 ?(?P<month>[0-9]{1,2}) ?月 ?(?P<day>[0-9]{1,2}) ?[日号]",
)
_DAYS: dict[Order, tuple[str, ...]] = {
    "ymd": (*_YEAR_FIRST, _SHORT_YEAR, *_NAMED),
    "dmy": (
        *_YEAR_FIRST,
        rf"(?P<day>[0-9]{{1,2}}){_MARK}(?P<month>[0-9]{{1,2}})(?P=mark) ?{_YEAR}",
        *_NAMED,
    ),
    "mdy": (
        *_YEAR_FIRST,
        rf"(?P<month>[0-9]{{1,2}}){_MARK}(?P<day>[0-9]{{1,2}})(?P=mark) ?{_YEAR}",
        *_NAMED,
    ),
}
_TIME = (
    r"(?:(?:T|t|,? +|(?<=[日号])) *(?P<half_>上午|下午)? *(?P<hour>[0-9]{1,2})(?:[:时]?(?P<minute>[0-9]{2})分?"
    r"(?:[:.]?(?P<second>[0-9]{2})秒?(?:[.,](?P<fraction>[0-9]+))?)?| ?(?=[AaPp]))"
    r" *(?P<half>[AaPp]\.?[Mm]\.?)?(?: ?Uhr)?"
    r" *(?:(?P<sign>[-+])(?P<away>[0-9]{2})(?::?(?P<away_>[0-9]{2}))?|(?P<zone>[A-Za-z]+))?)?"
)
PATTERNS = {order: tuple(re.compile(day + _TIME) for day in days) for order, days in _DAYS.items()}
NUMBERS = ("year", "month", "day", "hour", "minute", "second", "fraction", "away", "away_")


@dataclass(frozen=True)
class Shape:
    """What all texts of one shape say.

    Attributes
    ----------
    spans
        From where to where a number stands, for those of `NUMBERS` that are there.
    month
        Of a name; 0 where the month is a number.
    has_time, has_offset
        Whether there is a time of day, and whether it says how far from Greenwich it is.
    half
        "am", "pm", or "" for a clock of 24 hours.
    sign
        Of the offset; 0 where the offset is `zone_hours` alone.
    """

    spans: dict[str, tuple[int, int]]
    month: int
    has_time: bool
    has_offset: bool
    half: str
    sign: int
    zone_hours: int


def find_shape(text: str, order: Order) -> Shape | None:
    """Find out where in a text of this shape the numbers stand; None where it is no moment."""
    return next(_shapes(text, order), None)


def _shapes(text: str, order: Order) -> Iterator[Shape]:
    for pattern in PATTERNS[order]:
        found = pattern.fullmatch(text)
        shape = None if found is None else _describe(found)
        if shape is not None:
            yield shape


def _describe(found: re.Match[str]) -> Shape | None:
    said = found.groupdict()
    month = MONTHS.get(said["name"].lower(), 0) if said.get("name") else 0
    zone = ZONES.get(said["zone"].upper()) if said["zone"] else 0
    if zone is None or (said.get("name") and not month):
        return None
    spans = {name: found.span(name) for name in NUMBERS if said.get(name) is not None}
    half = (said["half"] or said["half_"] or "").lower().replace(".", "")
    return Shape(
        spans=spans,
        month=month,
        has_time=said["hour"] is not None,
        has_offset=bool(said["sign"] or said["zone"]),
        half="pm" if half in AFTERNOON else "am" if half in MORNING else "",
        sign={"+": 1, "-": -1}.get(said["sign"] or "", 0),
        zone_hours=zone,
    )
