"""Which bytes a run was made of, so that nobody goes on with it over other ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

from client.data.root import DataRoot
from common.errors import DataError
from common.plan.reads import calendar_files
from common.plan.schema import Plan

INVENTED = "synthetic"


def fingerprint_data(plan: Plan, data_root: Path) -> str:
    """Hash the bytes of the plan's table and of the files beside it; data that hansa invents has a fixed name.

    A file that is missing counts as empty: it is refused where it is read.

    Raises
    ------
    DataError
        A file cannot be read, or lies outside the data root.
    """
    if plan.data.source == "synthetic":
        return INVENTED
    root = DataRoot(data_root)
    names = (plan.data.path, *(lookup.path for lookup in plan.data.lookups), *calendar_files(plan.data))
    digests = [_digest(root.find(name)) for name in names]
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(path: Path) -> bytes:
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
