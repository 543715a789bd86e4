"""Entities that are hardly what their names say: look-alikes, numbers a spreadsheet shortened, rows of totals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from client.data.check.report import Finding
from client.language.speech import t
from common.data.panel import Panel
from common.plan.schema import Plan

SHOWN = 3  # names in a sentence
SHORTENED = re.compile(r"\d[.,]\d+[eE]\+?\d{1,2}|\d[eE]\+\d{2}")
SUM_OF = re.compile(r"(.*\S)[\s:_-]+(?:(?:sub)?total|sum|summe|gesamt|ergebnis|合计|小计|汇总)", re.IGNORECASE)
WHOLE = re.compile(r"\+?(\d+)(?:[.,]0*)?")  # 12345, 12345. and 12345,0 are one number
FEWEST_OTHERS = 2  # entities that a total is held against
CLOSE = 1e-6  # of the sum, as single precision is off


def find_name_faults(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """Look at the names of each merchant's entities."""
    entity = plan.data.entity
    alike, shortened, totals = list[tuple[str, ...]](), list[str](), list[str]()
    for merchant in np.unique(panel.merchants.astype(str)):
        mine = panel.merchants.astype(str) == merchant
        names = [str(name) for name in panel.entities[mine]]
        units = panel.target[mine].sum(axis=1, dtype=np.float64)
        alike += group_alike(names)
        shortened += find_shortened(names)
        totals += find_totals(dict(zip(names, units.tolist(), strict=True)))
    if alike:
        yield Finding(
            "warning", "alike", f"{say_alike(entity, alike)}; write each in one way, or its history is split."
        )
    if shortened:
        yield Finding("warning", "shortened", f"{say_shortened(entity, shortened)}; export them as text.")
    if totals:
        yield Finding("warning", "totals", f"{say_totals(entity, totals)}; filter such rows out with data.filters.")


def group_alike(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Group names that differ in unseen letters, blanks, wide letters or capitals alone, or are one whole number."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_key(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _key(name: str) -> str:
    whole = WHOLE.fullmatch(name)
    if whole is not None or SHORTENED.fullmatch(name):
        return whole[1] if whole else f"{float(name.replace(',', '.')):.0f}"
    if name.isascii():
        return " ".join(name.lower().split())
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())


def find_shortened(names: Sequence[str]) -> list[str]:
    """Find numbers as 4.00638E+12, of which a spreadsheet kept the first digits."""
    return [name for name in names if SHORTENED.fullmatch(name)]


def find_totals(units: Mapping[str, float]) -> list[str]:
    """Find what is as much as everything else together, where there are others enough; or is called another's total."""
    whole, enough = sum(units.values()), len(units) > FEWEST_OTHERS
    return [
        name
        for name, each in units.items()
        if (enough and each > 0 and abs(2 * each - whole) <= CLOSE * whole) or _sum_of(name) in units
    ]


def _sum_of(name: str) -> str:
    found = SUM_OF.fullmatch(name)
    return found[1] if found else ""


def say_alike(what: str, groups: Sequence[Sequence[str]]) -> str:
    """Say which names can hardly be told apart."""
    pairs = ", ".join(" and ".join(map(ascii, group)) for group in groups[:SHOWN])
    return t(
        "{number} values of {what!r} look like {groups} ({pairs})",
        number=sum(map(len, groups)),
        what=what,
        groups=len(groups),
        pairs=pairs,
    )


def say_shortened(what: str, names: Sequence[str]) -> str:
    """Say which numbers have lost digits."""
    shown = ", ".join(map(repr, names[:SHOWN]))
    return t(
        "Values of {what!r} are written as a spreadsheet shortens long numbers ({shown}; {names} in "
        "all), so that several may have become one",
        what=what,
        shown=shown,
        names=len(names),
    )


def say_totals(what: str, names: Sequence[str]) -> str:
    """Say what seems to be a sum of the others."""
    shown = ", ".join(map(repr, names[:SHOWN]))
    return t(
        "The {what!r} {shown} seems to be a row of totals: it has the demand of all others, or the name of another",
        what=what,
        shown=shown,
    )
