"""Say a sentence in the language of whoever is listening.

English is written in the source, `t("{pieces} there", pieces=3)`, and is the key of the other languages, which are
catalogues in GNU gettext's form beside this file (`zh.po`). `speaking` sets the language for the code below it, and for
nobody else: a server speaks two at once.

A sentence remembers how it came about (`Said`), so what took minutes to work out is said again in another language
without being worked out again.

`PSEUDO` puts each sentence in brackets ⟦…⟧, so that a test sees what never went through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from client.language.catalogue import read_catalogue

ENGLISH, CHINESE, PSEUDO = "en", "zh", "pseudo"
LANGUAGES = {ENGLISH: "English", CHINESE: "中文"}  # as its speakers call it
OTHERS = tuple(name for name in LANGUAGES if name != ENGLISH)

_LANGUAGE: ContextVar[str] = ContextVar("language", default=ENGLISH)


class Said(str):
    """A text that can be said again in another language.

    Attributes
    ----------
    again
        Says it in the language that is spoken then.
    language
        In which it is said here.
    """

    __slots__ = ("again", "language")
    again: Callable[[], str]
    language: str

    @classmethod
    def of(cls, text: str, again: Callable[[], str]) -> Said:
        """Keep a text with how it came about."""
        said = cls(text)
        said.again, said.language = again, language()
        return said


@contextmanager
def speaking(spoken: str) -> Iterator[None]:
    """Speak a language inside; what is no language of ours is English."""
    token = _LANGUAGE.set(spoken if spoken in LANGUAGES or spoken == PSEUDO else ENGLISH)
    try:
        yield
    finally:
        _LANGUAGE.reset(token)


def language() -> str:
    """Tell which language is spoken here."""
    return _LANGUAGE.get()


def mark(template: str) -> str:
    """Give a template back as it is, so that it is found for the catalogues where it is said elsewhere by `t`."""
    return template


def t(template: str, /, **values: object) -> str:
    """Say a sentence.

    Parameters
    ----------
    template
        In English, with names in braces as `str.format` reads them.
    values
        By these names; what was said in another language is said again.
    """
    return Said.of(_fill(_translate(template), values), partial(t, template, **values))


def tn(one: str, many: str, number: float | int, /, **values: object) -> str:
    """Say a sentence of a number of things; it fills `{number}`."""
    named = {"number": number, **values}
    chosen = one if number == 1 else many
    if language() not in (ENGLISH, PSEUDO):  # Chinese has one form, kept under the first
        text = _fill(read_catalogue(language()).get(one, chosen), named)
    else:
        text = _fill(_translate(chosen), named)
    return Said.of(text, partial(tn, one, many, number, **values))


def join(parts: Iterable[str], between: str = "") -> str:
    """Put parts of a sentence together."""
    found = tuple(parts)
    return Said.of(str(between).join(map(_say_again, found)), partial(join, found, between))


def say_in(spoken: str, value: Any) -> Any:
    """Give a document with every sentence in it said again in a language; what was never said is left as it is."""
    with speaking(spoken):
        return _walk(value)


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return _say_again(value)
    if isinstance(value, Mapping):
        return {key: _walk(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(inner) for inner in value]
    return value


def _say_again(value: object) -> Any:
    if isinstance(value, Said) and value.language != language():
        return value.again()
    return value


def _translate(template: str) -> str:
    spoken = language()
    if spoken == ENGLISH:
        return template
    if spoken == PSEUDO:
        return f"⟦{template}⟧"
    return read_catalogue(spoken).get(template, template)


def _fill(template: str, values: Mapping[str, object]) -> str:
    if not values:
        return template
    return template.format(**{name: _say_again(value) for name, value in values.items()})
