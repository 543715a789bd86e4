"""Numbers written with the digits of other scripts, odd blanks and odd signs, as plain ones."""

from __future__ import annotations

import unicodedata

ODD = {
    **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "),
    **dict.fromkeys("−–－", "-"),
    **dict.fromkeys("’＇", "'"),
    **{"，": ",", "．": ".", "＋": "+", "％": "%", "（": "(", "）": ")"},
    **{"٫": ".", "٬": "'"},  # Arabic: between decimals, and between thousands
    **dict.fromkeys("\u200b\u200e\u200f\u2060\ufeff", ""),
}
TABLE = str.maketrans(ODD)


def write_plainly(text: str) -> str:
    """Write a number with plain digits, blanks and signs; what is no digit or mark stays as it is."""
    if text.isascii():
        return text.strip()
    text = text.translate(TABLE)
    return "".join(_digit(letter) for letter in text).strip()


def _digit(letter: str) -> str:
    return str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
