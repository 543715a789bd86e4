"""Which language a reader is spoken to in: the one she chose, or the one her browser asks for."""

from __future__ import annotations

from client.language.speech import ENGLISH, LANGUAGES


def choose_language(chosen: str, accepted: str) -> str:
    """Give the language.

    Parameters
    ----------
    chosen
        By the reader before; "" where she chose none.
    accepted
        The header Accept-Language, as RFC 9110 writes it; of equal weights the first wins.
    """
    if chosen in LANGUAGES:
        return chosen
    wishes = [_read_wish(part) for part in accepted[:1000].split(",") if part.strip()]
    for _, tag in sorted(wishes, key=lambda wish: -wish[0]):
        if tag.split("-")[0] in LANGUAGES:
            return tag.split("-")[0]
    return ENGLISH


def _read_wish(text: str) -> tuple[float, str]:
    tag, _, weight = text.partition(";")
    try:
        share = float(weight.strip().removeprefix("q=")) if weight else 1.0
    except ValueError:
        share = 0.0
    return (share, tag.strip().lower()) if share > 0 else (-1.0, "")
