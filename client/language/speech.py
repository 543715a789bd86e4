"""Say a sentence in the language of whoever is listening.

English is written in the source, `t("{pieces} there", pieces=3)`, and is the key of the other languages, which are
catalogues in GNU gettext's form beside this file (`zh.po`). `speaking` sets the language for the code below it, and for
nobody else: a server speaks two at once.

`PSEUDO` puts each sentence in brackets ⟦…⟧, so that a test sees what never went through here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from client.language.catalogue import read_catalogue

ENGLISH, CHINESE, PSEUDO = "en", "zh", "pseudo"
LANGUAGES = {ENGLISH: "English", CHINESE: "中文"}  # as its speakers call it

_LANGUAGE: ContextVar[str] = ContextVar("language", default=ENGLISH)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language inside; what is no language of ours is English."""
    token = _LANGUAGE.set(language if language in LANGUAGES or language == PSEUDO else ENGLISH)
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
        By these names.
    """
    return _fill(_translate(template), values)


def tn(one: str, many: str, number: float, /, **values: object) -> str:
    """Say a sentence of a number of things; it fills `{number}`."""
    chosen = one if number == 1 else many
    if language() not in (ENGLISH, PSEUDO):  # Chinese has one form, kept under the first
        chosen = read_catalogue(language()).get(one, chosen)
        return _fill(chosen, {"number": number, **values})
    return _fill(_translate(chosen), {"number": number, **values})


def _translate(template: str) -> str:
    spoken = language()
    if spoken == ENGLISH:
        return template
    if spoken == PSEUDO:
        return f"⟦{template}⟧"
    return read_catalogue(spoken).get(template, template)


def _fill(template: str, values: dict[str, object]) -> str:
    return template.format(**values) if values else template
