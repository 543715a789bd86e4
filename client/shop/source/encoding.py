"""How letters are written down, guessed by a mark or by the lines that are not plain."""

from __future__ import annotations

import re

from client.data.lines import MARK, UTF_16

ENOUGH = 0.9  # of the lines that tell encodings apart
COMMON = re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]")
PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")


def guess_encoding(content: bytes) -> tuple[str, str]:
    """Guess by a mark, else by the lines that are not plain ASCII."""
    if content.startswith(MARK):
        return "utf-8", "The file begins with the mark of UTF-8."
    for mark, encoding in UTF_16:
        if content.startswith(mark):
            return encoding, f"The file begins with the mark of {encoding.upper()}."
    if content.count(0) * 5 > len(content) > 1:
        encoding = "utf-16-le" if content[1::2].count(0) >= content[::2].count(0) else "utf-16-be"
        return encoding, f"Every other byte is zero, as in {encoding.upper()}."
    telling = [line for line in content.splitlines() if not line.isascii()]
    if not telling:
        return "utf-8", ""
    whole = sum(_is_utf_8(line) for line in telling)
    said = f"of {len(telling)} lines with other letters than plain ones"
    if whole >= ENOUGH * len(telling):
        return "utf-8", f"{whole} {said} are UTF-8."
    chinese = sum(_is_chinese(line) for line in telling)
    if chinese >= ENOUGH * len(telling):
        return "gb18030", f"{chinese} {said} are Chinese in GB18030 (GBK), and {whole} are UTF-8."
    return "cp1252", f"Only {whole} {said} are UTF-8, and {chinese} Chinese in GBK, so it is taken for Windows-1252."


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(line: bytes) -> bool:
    """Whether bytes that are not ASCII come in pairs, most of them common Chinese letters or marks.

    Two German or French letters beside each other (`öß`) are a pair too, but of a letter that is hardly ever written.
    """
    try:
        line.decode("gb18030")
    except UnicodeDecodeError:
        return False
    pairs = PAIR.findall(line)
    common = sum(COMMON.fullmatch(pair) is not None for pair in pairs)
    alone = sum(byte >= 0x80 for byte in PAIR.sub(b"", line))
    return bool(pairs) and common * 2 > len(pairs) and alone <= len(pairs) // 10
