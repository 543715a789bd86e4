"""Which column is which field: from what it is called and from what stands in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from client.shop.export.description import header_key
from client.shop.export.field import DAYS, NUMBERS
from client.shop.export.personal import Personal, show_samples, tell_personal
from client.shop.export.text import fold_words
from client.shop.export.word import IN_WORDS, NO, OUT_WORDS, YES
from client.shop.settings import Dialect
from client.shop.source.cells import read_days, read_numbers

MOSTLY = 0.8  # of the values that are filled
EXACT, WORDS, PART = 3.0, 2.0, 1.0  # how well a header fits a word
FITS = 1.9  # a header that holds all of a field's word, and little else
SURE = EXACT - 0.3
CLOSE = 0.5  # scores that lie this close leave a doubt
CHINESE = re.compile(r"[\u4e00-\u9fff]")
_GREENWICH = ZoneInfo("UTC")


@dataclass(frozen=True)
class Guess:
    """Which column was taken for a field, and why.

    Attributes
    ----------
    samples
        A few values; of personal columns only what they are, as "‹e-mail›".
    reason
        A sentence.
    certain
        Whether nothing else came near.
    """

    field: str
    column: str
    samples: tuple[str, ...]
    reason: str
    certain: bool


@dataclass(frozen=True)
class Column:
    """A column of a table at first sight, and what its values look like."""

    name: str
    values: tuple[str, ...]
    dialect: Dialect

    @cached_property
    def filled(self) -> tuple[str, ...]:
        """Values that are not empty."""
        return tuple(value.strip() for value in self.values if value.strip())

    @cached_property
    def personal(self) -> Personal:
        """What kind of personal column it is."""
        return tell_personal(self.name, self.values)

    @cached_property
    def share_days(self) -> float:
        """Share of the values that are days."""
        days, _, _ = read_days(pa.array(self.filled, pa.string()), self.dialect, _GREENWICH)
        return _share(~np.isnat(days))

    @cached_property
    def numbers(self) -> np.ndarray:
        """Values as numbers."""
        return read_numbers(pa.array(self.filled, pa.string()), self.dialect)

    @cached_property
    def share_numbers(self) -> float:
        """Share of the values that are numbers."""
        return _share(~np.isnan(self.numbers))

    @cached_property
    def share_whole(self) -> float:
        """Share of the numbers that are whole."""
        numbers = self.numbers[~np.isnan(self.numbers)]
        return _share(numbers == np.round(numbers))

    @cached_property
    def share_distinct(self) -> float:
        """Distinct values for each value."""
        return len(set(self.filled)) / len(self.filled) if self.filled else 0.0

    @cached_property
    def says_out(self) -> bool:
        """Whether its values are words for in and out of stock, or yes and no."""
        words = set(fold_words((*OUT_WORDS, *IN_WORDS, *YES, *NO)))
        return bool(self.filled) and all(word in words for word in fold_words(set(self.filled)))

    def samples(self, hide: str = "") -> tuple[str, ...]:
        """Show a few values."""
        return show_samples(self.name, self.values, hide=hide)


def _share(found: np.ndarray) -> float:
    return float(found.mean()) if len(found) else 0.0


@lru_cache(maxsize=1 << 16)
def header_score(header: str, words: tuple[str, ...]) -> float:
    """Tell how well a header fits a field's words: the same word, all of a word's parts, or a part; 0 for none.

    Of headers that fit alike, the one whose word comes first is a little better.
    """
    key = header_key(header)
    bare = re.sub(r"\s*[(（\[].*?[)）\]]\s*", " ", key).strip()
    tokens, key_alone, bare_alone = re.findall(r"[^\W_]+", bare), key.replace(" ", ""), bare.replace(" ", "")
    best = 0.0
    for rank, (word, alone, parts, is_chinese) in enumerate(_folded(words)):
        if word in (key, bare) or alone == key_alone:
            fit = EXACT
        elif is_chinese:
            fit = WORDS if len(word) > 1 and word in key else 0.0
        elif all(part in tokens for part in parts):
            fit = WORDS - 0.1 * (len(tokens) - len(parts))
        else:
            fit = PART if len(word) > 4 and alone in bare_alone else 0.0
        best = max(best, fit - rank / (4 * len(words)) if fit else 0.0)
    return best


@lru_cache(maxsize=1 << 10)
def _folded(words: tuple[str, ...]) -> tuple[tuple[str, str, tuple[str, ...], bool], ...]:
    """Fold words once: as they are compared, without blanks, in parts, and whether they are Chinese."""
    keys = [header_key(word) for word in words]
    return tuple((key, key.replace(" ", ""), tuple(key.split()), bool(CHINESE.search(key))) for key in keys)


def value_fits(field: str, column: Column) -> bool:
    """Tell whether a column's values can be those of a field."""
    if not column.filled:
        return field not in ("day", "first_day", "product", "quantity")
    if field in DAYS:
        return column.share_days >= MOSTLY
    if field == "second":
        return all(re.fullmatch(r"\d{1,2}:\d\d(?::\d\d)?", value) for value in column.filled)
    if field in NUMBERS:
        return column.share_numbers >= MOSTLY and not (
            column.share_days >= MOSTLY and column.share_whole == 1 and _are_dates(column)
        )
    if field == "out":
        return column.says_out
    if field == "currency":
        return all(re.fullmatch(r"[A-Za-z]{3}", value) for value in column.filled)
    if field in ("state",):
        return len(set(column.filled)) <= 40
    if field in ("words", "text", "name"):
        return column.share_numbers < MOSTLY and column.share_days < MOSTLY
    return column.share_days < MOSTLY or column.share_numbers >= MOSTLY


def _are_dates(column: Column) -> bool:
    """Whether the numbers are days as 20260131."""
    return all(re.fullmatch(r"(?:19|20)\d{6}", value) for value in column.filled)


def rank_columns(field: str, words: tuple[str, ...], columns: Sequence[Column]) -> list[tuple[float, Column]]:
    """Rank the columns that may be a field, the likeliest first."""
    found = []
    for column in columns:
        if column.personal not in ("", "e-mail", "telephone", "user name") or (column.personal and field != "customer"):
            continue
        score = header_score(column.name, words)
        if score and value_fits(field, column):
            found.append((score, column))
    return sorted(found, key=lambda each: -each[0])


def explain(field: str, column: Column, score: float) -> str:
    """Say why a column was taken for a field."""
    called = "it is called so" if score > WORDS else "its name says so"
    if field in DAYS:
        return f"{called}, and {column.share_days:.0%} of its values are days"
    if field in NUMBERS:
        whole = ", whole ones" if column.share_whole == 1 else ""
        return f"{called}, and {column.share_numbers:.0%} of its values are numbers{whole}"
    if field in ("product", "order", "customer"):
        distinct = len(set(column.filled))
        return f"{called}, and its {len(column.filled)} sampled values are {distinct} different ones"
    return called
