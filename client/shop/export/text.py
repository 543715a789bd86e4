"""Columns of text: each cell as the name that it stands for, and what a name says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int, UInt64

EMAIL = r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}"
PHONE = r"\+?\(?[0-9][0-9 ()/.\-]{5,}[0-9]"
LONGEST_HASHED = 48  # bytes that are hashed one place of all names after the other; longer names one by one
ALIKE = str.maketrans(
    {
        **dict.fromkeys(map(chr, (0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF)), ""),
        **dict.fromkeys(map(chr, (0xA0, *range(0x2002, 0x200B), 0x202F, 0x3000)), " "),
        **{chr(wide): chr(wide - 0xFEE0) for wide in range(0xFF10, 0xFF5B) if chr(wide - 0xFEE0).isalnum()},
    }
)
UNSEEN = "[" + "".join(map(chr, ALIKE)) + "\u0300-\u036f]"  # and accents behind their letters
MASKED_EMAIL, MASKED_PHONE = "‹e-mail›", "‹telephone›"


def read_names(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Write each cell as the name that it stands for; "" where there is none.

    Blanks around it, and what a spreadsheet puts around a long number (`="12"`, `'12`), are no part of a name; a whole
    number is one name whether a column kept it as 12 or as 12.0. Letters of no width are left out, a blank that does
    not break is a blank, wide letters are letters, and an accent that stands behind its letter is part of it.
    """
    column = one_array(column)
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        column = _write_floats(column)
    elif not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = pc.cast(column, pa.string())
    text = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
    if not pc.all(pc.string_is_ascii(text)).as_py() and pc.any(pc.match_substring_regex(text, UNSEEN)).as_py():
        text = _write_visibly(text)
    if pc.any(pc.match_substring_regex(text, "^[=']")).as_py():
        text = pc.replace_substring_regex(text, r"^(?:=\"(.*)\"|'(.*?)'?)$", r"\1\2")
        text = pc.utf8_trim_whitespace(text)
    if pc.any(pc.match_substring(text, ".0")).as_py():
        text = pc.replace_substring_regex(text, r"^(-?(?:0|[1-9][0-9]*))\.0+$", r"\1")
    return text


def _write_visibly(text: pa.Array) -> pa.Array:
    """Write what looks alike alike: no letters without a width, plain blanks, narrow letters, accents as one letter."""
    coded = text.dictionary_encode()
    words = [unicodedata.normalize("NFC", word.translate(ALIKE)).strip() for word in coded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(coded.indices)


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Give one array, of values and not of places in a dictionary."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _write_floats(column: pa.Array) -> pa.Array:
    values = pc.cast(column, pa.float64(), safe=False)
    whole = pc.and_(pc.is_finite(values), pc.equal(pc.floor(values), values))
    whole = pc.and_(whole, pc.less(pc.abs(values), 2.0**53))
    numbers = pc.cast(pc.if_else(whole, values, 0.0), pa.int64())
    return pc.if_else(whole, pc.cast(numbers, pa.string()), pc.cast(column, pa.string()))


def nothing(size: int) -> pa.Array:
    """Give a column of names that are not known."""
    return pa.repeat(pa.scalar("", pa.string()), size)


def is_filled(column: pa.Array) -> Bool[np.ndarray, " row"]:
    """Tell which cells hold something, text or not."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        filled = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
    else:
        filled = column.is_valid()
    return pc.fill_null(filled, False).to_numpy(zero_copy_only=False)


def first_filled(columns: Iterable[pa.Array], size: int) -> pa.Array:
    """Give for each row the first of several names that is not ""."""
    found = None
    for column in columns:
        found = column if found is None else pc.if_else(pc.equal(found, ""), column, found)
    return nothing(size) if found is None else found


def look_up(names: pa.Array, numbers: dict[str, int], unknown: int) -> Int[np.ndarray, " row"]:
    """Give the number of each name, whatever its case; `unknown` for others."""
    coded = names.dictionary_encode()
    each = [numbers.get(_fold(name), unknown) for name in coded.dictionary.to_pylist()]
    return np.array([*each, unknown], np.int64)[coded.indices.to_numpy(zero_copy_only=False)]


def _fold(word: str) -> str:
    """Write a word so that pending_payment, Pending-Payment and pending  payment are one."""
    return re.sub(r"\s*[,，]\s*", ",", re.sub(r"[\s_-]+", " ", word.lower()).strip())


def fold_words(words: Iterable[str]) -> tuple[str, ...]:
    """Write words as `look_up` compares them."""
    return tuple(_fold(word) for word in words)


def matches(names: pa.Array, pattern: str) -> Bool[np.ndarray, " row"]:
    """Tell which names hold a pattern, whatever its case; each distinct name is looked at once."""
    coded = names.dictionary_encode()
    each = pc.match_substring_regex(coded.dictionary, pattern, ignore_case=True).to_numpy(zero_copy_only=False)
    return each[coded.indices.to_numpy(zero_copy_only=False)] if len(each) else np.zeros(len(names), bool)


def hash_names(names: pa.Array) -> UInt64[np.ndarray, " row"]:
    """Give each name a number of 64 bits, the same in every batch: FNV-1a, its bits mixed once more."""
    if not len(names):
        return np.zeros(0, np.uint64)
    ends = np.frombuffer(names.buffers()[1], np.int32)[names.offset : names.offset + len(names) + 1]
    letters = np.frombuffer(names.buffers()[2] or b"", np.uint8)
    starts, lengths = ends[:-1], np.diff(ends)
    hashed = np.full(len(names), 0xCBF29CE484222325, np.uint64)
    is_short = lengths <= LONGEST_HASHED
    for place in range(int(lengths[is_short].max(initial=0))):
        rows = slice(None) if lengths.min() > place and is_short.all() else np.flatnonzero(is_short & (lengths > place))
        hashed[rows] = (hashed[rows] ^ letters[starts[rows] + place]) * np.uint64(0x100000001B3)
    if not is_short.all():
        long = names.filter(pa.array(~is_short)).to_numpy(zero_copy_only=False)
        hashed[~is_short] = pd.util.hash_array(long, categorize=False)
    hashed = (hashed ^ (hashed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return hashed ^ (hashed >> np.uint64(27))


def mask(text: pa.Array) -> pa.Array:
    """Put a mark in the place of each e-mail address and telephone number."""
    text = pc.replace_substring_regex(text, EMAIL, MASKED_EMAIL)
    return pc.replace_substring_regex(text, PHONE, MASKED_PHONE)
