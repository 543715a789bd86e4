"""Free text loses what would name or reach a person: e-mail addresses, telephone numbers, numbers of identity cards.

What is meant as a number of something else, as a date, a price or a short order number, stays.
"""

from __future__ import annotations

import re

MASK = "[…]"
_EMAIL = r"[^\s@<>()\[\],;:\"'，。；：、（）《》]+\s?[@＠]\s?[^\s@<>()\[\],;:\"'，。；：、（）《》]+\.[^\W\d_]{2,}"
_IDENTITY = r"(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{15}(?!\d)"  # Chinese cards, new and old
# Seven or more digits with at most two of what stands between them; what else digits may mean is let through below.
_TELEPHONE = r"(?<![\w.,])(?:\+|00)?\(?\d(?:[\s().\-/–·]{0,2}\d){6,14}(?!\w)"
_LONG_DIGITS = r"\d{9,}"  # glued to letters, as 电话13812345678
_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[\sT]+\d{1,2})?"
_THOUSANDS = r"[1-9]\d{0,2}(?:\.\d{3})+"
_HARMLESS = re.compile(f"{_DAY}|{_THOUSANDS}")
_PERSONAL = re.compile("|".join((_EMAIL, _IDENTITY, _TELEPHONE, _LONG_DIGITS)))
_SEVERAL = re.compile(r"\[…\](?:\s?\[…\])+")
_SIGN = re.compile(r"[\d@＠]")
_WIDE = {ord("０") + digit: ord("0") + digit for digit in range(10)}


def mask(text: str, customer: str = "") -> str:
    """Put `MASK` in the place of what would name or reach a person.

    Parameters
    ----------
    customer
        Who wrote this, as the source has it: all of it is hidden, and every word of it that is long enough for a name.
    """
    if customer:
        text = _hide_customer(text, customer)
    return _PERSONAL.sub(_hide, text.translate(_WIDE)) if _SIGN.search(text) else text


def _hide_customer(text: str, customer: str) -> str:
    for part in (customer, *re.split(r"[\s,;<>()，；、·]+", customer)):
        is_name = len(part) > 2 or (len(part) == 2 and not part.isascii())  # 王明
        if is_name and part.casefold() in text.casefold():
            text = re.sub(re.escape(part), MASK, text, flags=re.IGNORECASE)
    return _SEVERAL.sub(MASK, text)


def _hide(found: re.Match[str]) -> str:
    return found[0] if _HARMLESS.fullmatch(found[0]) else MASK
