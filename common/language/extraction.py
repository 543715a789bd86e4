"""Find every sentence of one side, and bring its catalogues up to date with them: `make words`.

Babel reads the sources: what is said by `t`, `tn` and `mark`, in Python and in templates. A translation that is there
stays; what is new stands in the catalogue with an empty one, which a test refuses; what is gone is taken out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from common.language.trouble import CATALOGUE
from common.language.trouble_extraction import find_patterns

KEYWORDS = {"t": None, "tn": (1, 2), "mark": None}
METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
HEADER = "# {language} of hansa's {side}; `make words` brings it up to date with the sources."

ERRORS_IN = Path("client")  # only its page shows them
NAMES = {"zh": "Chinese"}  # of the languages that there are beside English
SIDES = {"client": "merchant's side", "server": "coordinator's page"}

Message = str | tuple[str, str]


def find_messages(root: Path) -> Iterator[tuple[str, int, Message]]:
    """Find file, line and sentence; of a plural both forms."""
    for file, line, message, _, _ in extract_from_dir(root, METHODS, keywords=KEYWORDS):
        yield file, line, (message[0], message[1]) if isinstance(message, tuple) else message


def list_messages(root: Path) -> set[Message]:
    """Give every sentence once; one that is said as a plural elsewhere stands with that."""
    found = {message for _, _, message in find_messages(root)}
    plurals = {message[0] for message in found if isinstance(message, tuple)}
    return {message for message in found if message not in plurals}


def path_of(root: Path, language: str, *, name: str = "") -> Path:
    """Say where a language's catalogue is, or another one of it that has a name."""
    return root / "language" / f"{name}{'.' if name else ''}{language}.po"


def read_words(root: Path, language: str, *, name: str = "") -> dict[Message, str]:
    """Read a catalogue with both forms of its plurals; empty where there is none."""
    path = path_of(root, language, name=name)
    if not path.exists():
        return {}
    with path.open("rb") as stream:
        catalogue = read_po(stream, locale=language, abort_invalid=True)
    return {_as_message(each.id): _as_text(each.string) for each in catalogue if each.id}


def write_words(root: Path, language: str, words: dict[Message, str], *, name: str = "") -> None:
    """Write a catalogue, in the order of its sentences, so that a change is a change of few lines."""
    catalogue = Catalog(locale=language, header_comment=HEADER.format(language=NAMES[language], side=SIDES[root.name]))
    catalogue.mime_headers = [("Content-Type", "text/plain; charset=utf-8")]
    for message, text in words.items():
        catalogue.add(message, (text,) if isinstance(message, tuple) else text)
    stream = BytesIO()
    write_po(stream, catalogue, width=0, sort_output=True, no_location=True, omit_header=False)
    path_of(root, language, name=name).write_bytes(stream.getvalue())


def _as_message(identity: str | list[str] | tuple[str, ...]) -> Message:
    return identity if isinstance(identity, str) else (identity[0], identity[1])


def _as_text(text: str | list[str] | tuple[str, ...] | None) -> str:
    return text if isinstance(text, str) else (text or [""])[0]


def main() -> None:
    """Bring every catalogue of the folders that are named up to date, and that of errors, which the client's has."""
    patterns = find_patterns(Path())
    for language in NAMES:
        before = read_words(ERRORS_IN, language, name=CATALOGUE)
        words: dict[Message, str] = {pattern: before.get(pattern, "") for pattern in patterns}
        write_words(ERRORS_IN, language, words, name=CATALOGUE)
    for root in map(Path, sys.argv[1:]):
        found = list_messages(root)
        for language in NAMES:
            before = read_words(root, language)
            write_words(root, language, {message: before.get(message, "") for message in found})


if __name__ == "__main__":
    main()
