"""Write the rows of a plan's merchants to files, one folder each: what a real merchant would have on its disk."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from certs.request import NAME_PATTERN
from client.data.root import DataRoot
from common.data.cells import as_names
from common.errors import ConfigError, DataError
from common.plan.reads import calendar_files
from common.plan.schema import Plan
from simulation.origin.origin import load_rows

TRUTH = ("true_rate", "demand")  # what only the inventor of a world knows
SAFE = " !#$&'()+,;=@[]{}"  # what may stand in a folder's name on every system, beside letters, digits and _.-~
LONGEST_NAME = 120  # bytes; 255 may be, with names of files that are made of it
DEVICES = {f"{device}{number}" for device in ("com", "lpt") for number in range(10)}  # on Windows these are no files
RESERVED = {"con", "prn", "aux", "nul", *DEVICES, "coordinator"}  # the last one is the coordinator's own folder


def export_merchants(plan: Plan, data_root: Path, out: Path, *, merchants: int | None = None) -> dict[str, int]:
    """Write `out`/MERCHANT/sales.csv for each merchant, or for those with the most entities, and its calendar beside.

    Guarantee: nothing is written but below `out`, whatever the merchants are called and whatever links lie there.

    Returns
    -------
    dict[str, int]
        Entities of each merchant that was written, the largest first.

    Raises
    ------
    ConfigError
        The plan names no column of merchants, or has fewer than were asked for, or a table of what lies ahead holds
        several merchants' rows.
    DataError
        A file cannot be written, a link in `out` leads outside, or two names differ only in a way that some disks
        cannot tell apart.
    """
    if not plan.data.merchant:
        raise ConfigError(f"The plan {plan.name!r} names no data.merchant; its rows cannot be told apart.")
    if any(table.merchant for table in plan.data.ahead):
        raise ConfigError(
            f"A table of data.ahead of the plan {plan.name!r} holds the rows of several merchants; give each a file of "
            "its own, and leave out ahead.merchant."
        )
    rows = load_rows(plan, data_root)
    for column in (plan.data.merchant, plan.data.entity):
        if column not in rows:
            raise DataError(f"{plan.data.path} has no column {column!r}; name the right one in the plan.")
    names = as_names(rows[plan.data.merchant])
    sizes = {name: len(np.unique(as_names(rows[plan.data.entity][names == name]))) for name in np.unique(names)}
    chosen = sorted(sizes, key=lambda name: (-sizes[name], name))[:merchants]
    if merchants is not None and len(chosen) < merchants:
        raise ConfigError(f"The plan {plan.name!r} has {len(chosen)} merchants; ask for at most as many.")
    _require_apart(chosen)
    for name in chosen:
        _write(rows[names == name], sales_file(out, name), plan, out)
        _copy_calendar(plan, data_root, sales_file(out, name).parent)
    return {name: sizes[name] for name in chosen}


def sales_file(out: Path, merchant: str) -> Path:
    """Name the file of a merchant's rows."""
    return out / folder_name(merchant) / "sales.csv"


def folder_name(merchant: str) -> str:
    """Name a merchant's folder: its own name where that is a folder's name on every system, else with percent signs.

    Guarantee: it leads one step down and nowhere else, and two merchants never share one.
    """
    name = "".join(letter if _is_harmless(letter) else quote(letter, safe=SAFE) for letter in merchant)
    if not name or name.casefold().partition(".")[0].strip() in RESERVED or name[0] in ". ":
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if name[-1] in ". ":
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digits = hashlib.sha256(merchant.encode()).hexdigest()[:16]
    return f"{name.encode()[:LONGEST_NAME].decode(errors='ignore')}%{digits}"


def member_name(merchant: str) -> str:
    """Name under which a merchant joins a federation: its own where that is legal, else letters and digits of it."""
    if re.fullmatch(NAME_PATTERN, merchant):
        return merchant
    plain = unicodedata.normalize("NFKD", merchant).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))[:40]
    return f"{words or 'merchant'}-{hashlib.sha256(merchant.encode()).hexdigest()[:8]}"


def _is_harmless(letter: str) -> bool:
    """Whether it is a letter or a digit of another alphabet than ASCII."""
    return not letter.isascii() and letter.isalnum()


def _require_apart(merchants: Sequence[str]) -> None:
    """Refuse names that are one name on a disk that does not tell capitals, or ways to write an accent, apart."""
    known: dict[str, str] = {}
    for merchant in merchants:
        other = known.setdefault(unicodedata.normalize("NFC", folder_name(merchant)).casefold(), merchant)
        if other != merchant:
            raise DataError(f"The merchants {other!r} and {merchant!r} would share a folder; rename one of them.")


def _copy_calendar(plan: Plan, data_root: Path, folder: Path) -> None:
    root = DataRoot(data_root)
    for path in calendar_files(plan.data):
        copy = folder / path
        try:
            if not copy.resolve().is_relative_to(folder.resolve()):
                raise DataError(f"{copy} leads outside {folder}; remove that link, or choose another --out.")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(root.find(path).read_bytes())
        except OSError as error:
            raise DataError(f"Cannot copy {path} to {folder}: {error.strerror}; choose another --out.") from error


def _write(rows: pd.DataFrame, file: Path, plan: Plan, out: Path) -> None:
    hidden = [column for column in (plan.data.merchant, *TRUTH) if column in rows]
    try:
        if not file.resolve().is_relative_to(out.resolve()):
            raise DataError(f"{file} leads outside {out}; remove that link, or choose another --out.")
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.drop(columns=hidden).to_csv(file, index=False)
    except OSError as error:
        raise DataError(f"Cannot write {file}: {error.strerror}; choose another --out.") from error
