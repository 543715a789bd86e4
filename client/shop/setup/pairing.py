"""Files that say together what neither says alone: Taobao's lines of orders have no days, and its orders no lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os.path import commonprefix
from pathlib import Path, PurePath

from client.shop.export.description import find_columns
from client.shop.export.recognition import recognise
from client.shop.settings import Dialect
from client.shop.source.opening import find_files
from client.shop.source.source import Look
from common.errors import DataError


def pair_reports(looks: Sequence[Look], folder: Path) -> tuple[Look, ...]:
    """Make one look of the reports of lines without days (宝贝报表) and of orders (订单报表) of a folder."""
    lines, orders = _find(looks, has_day=False), _find(looks, has_day=True)
    reports = [*lines, *orders]
    if not lines or not orders or len({_write(each) for each in reports}) > 1:
        return tuple(looks)
    pattern = _find_pattern([each.location for each in reports], folder)
    if not pattern:
        return tuple(looks)
    names = ", ".join(PurePath(each.location).name for each in orders)
    said = f"It is read together with {names}, which says the day of each order."
    dialect = (lines[0].dialect or Dialect()).model_copy(update={"dates": (orders[0].dialect or Dialect()).dates})
    num_rows = sum(each.num_rows or 0 for each in lines)
    pair = replace(lines[0], location=pattern, dialect=dialect, num_rows=num_rows, evidence=(*lines[0].evidence, said))
    return tuple(pair if each is lines[0] else each for each in looks if each is lines[0] or each not in reports)


def _find(looks: Sequence[Look], *, has_day: bool) -> list[Look]:
    found = []
    for each in looks:
        export = recognise(each.sample, "taobao") if each.kind == "delimited" else None
        if export is not None:
            columns = find_columns(export, each.sample)
            if ("day" in columns) is has_day and ("kinds" in columns) is has_day:
                found.append(each)
    return found


def _write(look: Look) -> tuple[str, str, int, str]:
    """Say how a file is written: files that are read as one are written alike."""
    dialect = look.dialect or Dialect()
    return dialect.encoding, dialect.separator, dialect.header_row, str(PurePath(look.location).parent)


def _find_pattern(locations: Sequence[str], folder: Path) -> str:
    """Find a pattern that names these files of one folder and no other; "" where there is none."""
    names = [PurePath(each).name for each in locations]
    first = commonprefix(names)  # noqa: RUF071 - of letters
    last = commonprefix([name[len(first) :][::-1] for name in names])[::-1]  # noqa: RUF071 - of letters
    pattern = f"{first}*{last}"
    location = str(PurePath(locations[0]).parent / pattern)
    try:
        found = find_files(location, folder)
    except DataError:
        return ""
    return location if sorted(path.name for path in found) == sorted(names) else ""
