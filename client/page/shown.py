"""What was made of an edition for the page once, and is shown many times."""

from __future__ import annotations

from typing import Any

from client.serving.edition.edition import Edition

KEPT_EDITIONS = 2  # one that was just replaced is still being looked at


class Shown:
    """Rows, categories and answers by the edition that they are of; of older editions they are forgotten."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any]] = {}

    def of(self, edition: Edition) -> dict[str, Any]:
        """Give what was made of an edition so far; what is put into it is kept with it."""
        if edition.name not in self._found:
            self._found[edition.name] = {}
            while len(self._found) > KEPT_EDITIONS:
                del self._found[next(iter(self._found))]
        return self._found[edition.name]
