"""Say an error that was written in English, perhaps in another process, in the language that is spoken here."""

from __future__ import annotations

from functools import partial

from client.language.speech import OTHERS, PACKAGE, Said, language
from common.language.trouble import say_error


def say_trouble(text: str) -> str:
    """Say an error; what was said by `t` already, or has no translation, stays as it is. It can be said again."""
    if isinstance(text, Said) or not text:
        return text
    said = say_error(text, language(), PACKAGE) if language() in OTHERS else text
    return Said.of(said, partial(say_trouble, text))
