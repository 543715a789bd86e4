"""An edition on disk: one folder, there whole or not at all (docs/protocol.md §7.8)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from pydantic import ValidationError

from client.language.speech import OTHERS
from client.serving.edition.edition import Edition, Imprint
from client.serving.edition.part import Name, Part
from client.serving.encoding import encode
from common.disk.file import replace_file, sync_folder
from common.errors import DataError
from common.schema import SCHEMA, require_schema

FILE_NAME = "edition.json"
OWN_EYES = 0o600


def write_part(folder: Path, name: Name, part: Part) -> None:
    """Write one part of an edition that is being made."""
    replace_file(folder / f"{name}.json", encode(part.document), mode=OWN_EYES)
    for language, document in part.spoken.items():
        replace_file(folder / f"{name}.{language}.json", encode(document), mode=OWN_EYES)
    if part.table is not None:
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(part.table, sink, compression="zstd")
        replace_file(folder / f"{name}.parquet", sink.getvalue().to_pybytes(), mode=OWN_EYES)


def write_imprint(folder: Path, imprint: Imprint, into: Path) -> None:
    """Say what the edition is, and put it in its place, whole."""
    document = {"schema": SCHEMA, **imprint.model_dump(mode="json")}
    replace_file(folder / FILE_NAME, encode(document), mode=OWN_EYES)
    os.rename(folder, into)
    sync_folder(into.parent)


def read_edition(folder: Path) -> Edition:
    """Read an edition.

    Raises
    ------
    DataError
        It is damaged, or was written by a later version.
    """
    try:
        document = json.loads((folder / FILE_NAME).read_bytes())
        require_schema(document.pop("schema", SCHEMA), origin=folder / FILE_NAME)
        imprint = Imprint.model_validate_json(json.dumps(document))
        parts = {name: _read_part(folder, name) for name in imprint.parts}
    except (OSError, ValueError, AttributeError, pa.ArrowException, ValidationError) as error:
        raise DataError(f"{folder} is damaged ({type(error).__name__}); remove it, another one is made.") from error
    edition = Edition(imprint, parts)
    for name in ("day", "week"):
        if name in parts:
            _ = edition.by_day if name == "day" else edition.by_week  # arranged here, where nobody waits
    return edition


def _read_part(folder: Path, name: Name) -> Part:
    document = json.loads((folder / f"{name}.json").read_bytes())
    path = folder / f"{name}.parquet"
    spoken = {
        language: json.loads(file.read_bytes())
        for language in OTHERS
        if (file := folder / f"{name}.{language}.json").exists()
    }
    return Part(document, pyarrow.parquet.read_table(path) if path.exists() else None, spoken)
