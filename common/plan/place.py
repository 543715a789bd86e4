"""Where a plan may say that a file lies: below the data root, and nowhere else.

What the words alone tell is judged here; where links lead is judged by whoever opens the file (`client.data.root`).
"""

from __future__ import annotations

import re

from common.plan.schema import DataPlan

DRIVE = re.compile(r"[A-Za-z]:")


def places_of(data: DataPlan) -> dict[str, str]:
    """Give every place that a plan names, by the key that names it; none where the plan draws its data."""
    lookups = {f"data.lookups.{number}.path": lookup.path for number, lookup in enumerate(data.lookups)}
    beside = {f"data.ahead.{number}.path": table.path for number, table in enumerate(data.ahead)}
    if data.school_holidays is not None:
        beside["data.school_holidays.path"] = data.school_holidays.path
    own = {"data.path": data.path} if data.source == "file" else {}
    return {**own, **lookups, **beside}


def fault_of_place(path: str) -> str:
    """Say why a path may lead out of the folder that it starts from, on any system; "" where it cannot."""
    parts = path.split("/")
    if path.startswith("/"):
        return "it is absolute"
    if DRIVE.match(path):
        return "it names a drive"
    if "\\" in path:
        return "it has a backslash"
    if "\0" in path:
        return "it has a zero byte"
    if ".." in parts:
        return "it leads upwards"
    if "" in parts:
        return "a part of it is empty"
    return ""


def fault_of_places(data: DataPlan) -> str:
    """Say in a sentence which path of a plan is none below the data root; "" where all are."""
    for key, path in places_of(data).items():
        fault = fault_of_place(path)
        if fault:
            return (
                f"{key} = {path!r} is no path below the data root, since {fault}; write it as sales.csv or "
                "year/sales.csv, and give the folder that it starts from with --data-root."
            )
    return ""
