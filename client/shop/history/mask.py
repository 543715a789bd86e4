"""Free text loses what would name or reach a person: e-mail addresses, telephone numbers, numbers of identity cards.

What is meant as a number of something else, as a date, a price or a short order number, stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "[…]"
_EMAIL = r"[^\s@<>()\[\],;:\"'，。；：、（）《》]+\s?[@＠]\s?[^\s@<>()\[\],;:\"'，。；：、（）《》]+\.[^\W\d_]{2,}"
_IDENTITY = r"(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{15}(?!\d)"  # Chinese cards, new and old
# Eight or more digits with at most two of what stands between them; dates as 2024-05-31 are let through below.
_TELEPHONE = r"(?<![\w.,])(?:\+|00)?\(?\d(?:[\s().\-/–·]{0,2}\d){6,14}(?![\w])"
_LONG_DIGITS = r"\d{9,}"  # glued to letters, as 电话13812345678
_DAY = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[\sT]+\d{1,2})?")
_PERSONAL = re.compile("|".join((_EMAIL, _IDENTITY, _TELEPHONE, _LONG_DIGITS)))
_WIDE = {ord("０") + digit: ord("0") + digit for digit in range(10)}


def mask(text: str, names: Iterable[str] = ()) -> str:
    """Put `MASK` in the place of what would name or reach a person.

    Parameters
    ----------
    names
        What else is personal in this text, as the customer's own name or address in its source.
    """
    for name in names:
        if len(name) > 2:
            text = re.sub(re.escape(name), MASK, text, flags=re.IGNORECASE)
    return _PERSONAL.sub(_hide, text.translate(_WIDE))


def _hide(found: re.Match[str]) -> str:
    return found[0] if _DAY.fullmatch(found[0]) else MASK
