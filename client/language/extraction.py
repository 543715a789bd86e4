"""Find every sentence of the merchant's side, and bring a catalogue up to date with them: `make words`.

Babel reads the sources: what is said by `t`, `tn` and `mark`, in Python and in templates. A translation that is there
stays; what is new stands in the catalogue with an empty one, which a test refuses; what is gone is taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from client.language.speech import OTHERS

ROOT = Path(__file__).parents[1]  # client/
KEYWORDS = {"t": None, "tn": (1, 2), "mark": None}
METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
HEADER = "# {language} of hansa's merchant's side; `make words` brings it up to date with the sources."

NAMES = {"zh": "Chinese"}

Message = str | tuple[str, str]


def find_messages(root: Path = ROOT) -> Iterator[tuple[str, int, Message]]:
    """Find file, line and sentence; of a plural both forms."""
    for file, line, message, _, _ in extract_from_dir(root, METHODS, keywords=KEYWORDS):
        yield file, line, (message[0], message[1]) if isinstance(message, tuple) else message


def list_messages(root: Path = ROOT) -> set[Message]:
    """Give every sentence once; one that is said as a plural elsewhere stands with that."""
    found = {message for _, _, message in find_messages(root)}
    plurals = {message[0] for message in found if isinstance(message, tuple)}
    return {message for message in found if message not in plurals}


def path_of(language: str) -> Path:
    """Say where a language's catalogue is."""
    return Path(__file__).parent / f"{language}.po"


def read_words(language: str) -> dict[Message, str]:
    """Read a catalogue with both forms of its plurals; empty where there is none."""
    path = path_of(language)
    if not path.exists():
        return {}
    with path.open("rb") as stream:
        catalogue = read_po(stream, locale=language, abort_invalid=True)
    return {_as_message(each.id): _as_text(each.string) for each in catalogue if each.id}


def write_words(language: str, words: dict[Message, str]) -> None:
    """Write a catalogue, in the order of its sentences, so that a change is a change of few lines."""
    catalogue = Catalog(locale=language, header_comment=HEADER.format(language=NAMES[language]))
    catalogue.mime_headers = [("Content-Type", "text/plain; charset=utf-8")]
    for message, text in words.items():
        catalogue.add(message, (text,) if isinstance(message, tuple) else text)
    stream = BytesIO()
    write_po(stream, catalogue, width=0, sort_output=True, no_location=True, omit_header=False)
    path_of(language).write_bytes(stream.getvalue())


def _as_message(identity: str | list[str] | tuple[str, ...]) -> Message:
    return identity if isinstance(identity, str) else (identity[0], identity[1])


def _as_text(text: str | list[str] | tuple[str, ...] | None) -> str:
    return text if isinstance(text, str) else (text or [""])[0]


def main() -> None:
    """Bring every catalogue up to date."""
    found = list_messages()
    for language in OTHERS:
        before = read_words(language)
        write_words(language, {message: before.get(message, "") for message in found})


if __name__ == "__main__":
    main()
