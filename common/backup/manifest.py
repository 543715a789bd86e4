"""What a backup says of itself, in `manifest.json`, the last file in it (docs/protocol.md §11)."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field

from common.plan.schema import Document, Section

MANIFEST = "manifest.json"
MOST_FILES = 100_000
Kind = Literal["merchant", "coordinator"]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Listed(Section):
    """One file in a backup."""

    name: str
    num_bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class LedgerState(Section):
    """How far the ledger was when it was copied."""

    num_lines: Annotated[int, Field(ge=0)]
    head: Digest


class Manifest(Document):
    """All that is in a backup.

    Attributes
    ----------
    kind
        Whose folder it is a copy of.
    hansa
        The version that made it.
    made_at
        When, in UTC, as ISO 8601.
    ledger
        None where there was no ledger, as a coordinator has none.
    """

    kind: Kind
    hansa: str
    made_at: str
    files: tuple[Listed, ...] = Field(max_length=MOST_FILES)
    ledger: LedgerState | None = None

    @property
    def num_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.num_bytes for file in self.files)

    def describe(self) -> dict[str, Any]:
        """Say it as JSON does, with its schema in any case."""
        return {"schema": self.schema_number, **self.model_dump(mode="json")}

    def to_json(self) -> bytes:
        """Write it."""
        return (json.dumps(self.describe(), indent=2) + "\n").encode()


def is_plain_name(name: str) -> bool:
    """Whether a name leads to a file below the folder that it is put in, whatever the folder holds."""
    parts = name.split("/")
    is_printable = name.isprintable() and "\\" not in name
    return is_printable and all(parts) and not {".", ".."} & set(parts) and not PurePosixPath(name).is_absolute()
