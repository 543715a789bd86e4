"""Say an error in another language: its English text is told apart by its pattern, and its values are put in again.

An error is a text by the time that a page shows it: it was raised in another process, or read from a file. The
catalogue has a translation for each pattern that the sources raise, `Cannot write {0}: {1}; make room.`; a value that
is an error itself is said as well. What has no pattern here stays as it is.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from common.language.catalogue import read_catalogue

LONGEST, DEEPEST = 4000, 4
BETWEEN = (("; ", "；"), (": ", "："))  # of errors that are put together of several
CATALOGUE = "trouble"


@dataclass(frozen=True)
class Pattern:
    """A sentence with places for values.

    Attributes
    ----------
    fixed
        What stands before, between and after the values.
    places
        Number of the value after each of `fixed` but the last.
    """

    fixed: tuple[str, ...]
    places: tuple[str, ...]
    said: str

    def match(self, text: str) -> dict[str, str] | None:
        """Find the values in a text; None where it is no such sentence. The time it takes grows with the text alone."""
        first, last = self.fixed[0], self.fixed[-1]
        if not self.places:
            return {} if text == first else None
        if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
            return None
        values, at, end = dict[str, str](), len(first), len(text) - len(last)
        for place, after in zip(self.places[:-1], self.fixed[1:-1], strict=True):
            found = text.find(after, at, end)
            if found < 0:
                return None
            values[place] = text[at:found]
            at = found + len(after)
        values[self.places[-1]] = text[at:end]
        return values


def read_pattern(template: str, said: str) -> Pattern:
    """Take a pattern of the catalogue apart."""
    fixed, places = [""], list[str]()
    for text, name, _, _ in string.Formatter().parse(template):
        fixed[-1] += text
        if name is not None:
            places.append(name)
            fixed.append("")
    return Pattern(tuple(fixed), tuple(places), said)


@cache
def read_patterns(language: str, package: str) -> tuple[Pattern, ...]:
    """Read all of a package's, those that say the most of themselves first."""
    catalogue: Mapping[str, str] = read_catalogue(language, package, name=CATALOGUE)
    found = [read_pattern(template, said) for template, said in catalogue.items()]
    return tuple(sorted(found, key=lambda each: -sum(map(len, each.fixed))))


def say_error(text: str, language: str, package: str) -> str:
    """Say an error in a language, as far as its catalogue knows it."""
    if len(text) > LONGEST:
        return text
    patterns = read_patterns(language, package)
    said = _say(text, patterns, DEEPEST)
    if not said and not text.endswith("."):  # one whose end was taken off, to stand within another sentence
        said = _say(f"{text}.", patterns, 0).removesuffix("。")
    return said or text


def _say(text: str, patterns: tuple[Pattern, ...], deepest: int) -> str:
    """Say a text; "" where it is none that is known."""
    for pattern in patterns:
        values = pattern.match(text)
        if values is not None:
            ready = {place: _value(value, patterns, deepest) for place, value in values.items()}
            return pattern.said.format(*(ready[str(number)] for number in range(len(ready))))
    return _say_parts(text, patterns, deepest) if deepest else ""


def _value(value: str, patterns: tuple[Pattern, ...], deepest: int) -> str:
    return (_say(value, patterns, deepest - 1) if deepest else "") or value


def _say_parts(text: str, patterns: tuple[Pattern, ...], deepest: int) -> str:
    """Say what was put together of several, where any of them is known."""
    for between, said in BETWEEN:
        first, found, rest = text.partition(between)
        if not found:
            continue
        ready, other = _say(first, patterns, deepest - 1), _say(rest, patterns, deepest - 1)
        if ready or other:
            return (ready or first) + said + (other or rest)
    return ""
