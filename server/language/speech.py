"""Say a sentence of the coordinator's page: English stands in the source, and is the key of the catalogues here."""

from __future__ import annotations

from dataclasses import dataclass

from common.language.catalogue import read_catalogue

ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "zh": "中文"}  # as its speakers call it
PACKAGE = "server.language"  # where the catalogues are


@dataclass(frozen=True)
class Speech:
    """One language."""

    language: str

    def t(self, template: str, /, **values: object) -> str:
        """Say a sentence, with values in the place of the names that it has in braces."""
        told = template
        if self.language != ENGLISH:
            told = read_catalogue(self.language, PACKAGE).get(template, template)
        return told.format(**values) if values else told


def mark(template: str) -> str:
    """Give a template back as it is, so that it is found for the catalogues where it is said elsewhere."""
    return template
