"""The schema of everything that outlives a process (docs/protocol.md §1.1): one number, and silence is schema 1."""

from __future__ import annotations

from common.errors import DataError

SCHEMA = 1


def require_schema(found: object, *, origin: object) -> None:
    """Refuse a file of another schema than this version reads.

    Parameters
    ----------
    found
        What the file says, as a number or as text; give `SCHEMA` where it says nothing.
    origin
        Names the file in the error.

    Raises
    ------
    DataError
        It is another.
    """
    if str(found) != str(SCHEMA):
        raise newer_file(origin)


def newer_file(origin: object) -> DataError:
    """Say that a later version wrote a file."""
    return DataError(f"{origin} was written by a newer version of hansa; install that version to read it.")
