"""Read a language's catalogue, once in a process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@cache
def read_catalogue(language: str, package: str, *, name: str = "") -> Mapping[str, str]:
    """Give for each English template its translation, out of a package; a plural's under the form for one.

    Parameters
    ----------
    name
        Of the catalogue, where a language has several.
    """
    from babel.messages.pofile import read_po  # only where another language than English is spoken

    with (files(package) / f"{name}{'.' if name else ''}{language}.po").open("rb") as stream:
        catalogue = read_po(stream, locale=language, abort_invalid=True)
    return MappingProxyType({_first(each.id): _first(each.string) for each in catalogue if each.id and each.string})


def _first(text: str | list[str] | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[0]
