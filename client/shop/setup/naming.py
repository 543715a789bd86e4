"""Give sources short names that a person recognises."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePath
from urllib.parse import urlsplit

LONGEST = 64


def name_source(location: str, table: str, taken: Collection[str]) -> str:
    """Name a source after its file or table; a name that is taken gets a number."""
    stem = table if "://" in location else PurePath(location).stem
    if table and "://" not in location:
        stem = f"{stem}-{table}"
    plain = _plain(stem) or _plain(PurePath(location).parent.name) or _plain(urlsplit(location).scheme) or "source"
    name, number = plain[:LONGEST], 2
    while name in taken:
        name, number = f"{plain[: LONGEST - 4]}-{number}", number + 1
    return name


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", letters).strip("-").lower()
