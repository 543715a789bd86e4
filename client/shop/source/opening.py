"""From a location to what is there: a file, a folder, a pattern, or a database.

What a file is, its first bytes say, not its name: exports called .xls are often text, and some called .csv are Excel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from client.shop.settings import SourceSettings
from client.shop.source.columnar import ParquetSource, look_parquet
from client.shop.source.delimited import DelimitedSource
from client.shop.source.sample import look_delimited
from client.shop.source.sheet import SheetSource, look_workbook
from client.shop.source.source import Batch, Look, Source
from common.disk.reading import require_file
from common.errors import DataError

WORKBOOK, PARQUET, SQLITE, TEXT = "workbook", "parquet", "sqlite", "text"
OLD_EXCEL, ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"Rar!": "RAR", b"7z\xbc\xaf": "7-Zip"}
SKIPPED = ("shop.toml", "history.duckdb")


def look(location: str, folder: Path) -> tuple[Look, ...]:
    """Look at a file, a folder, a pattern of files, or a database: a look for each file, sheet or table.

    Files that a pattern names, or all of one ending in a folder, are one source if they have the same columns.

    Raises
    ------
    DataError
        There is nothing that can be read.
    """
    if "://" in location:
        return _look_database(location, folder)
    place = _resolve(location, folder)
    if place.is_dir():
        return _look_folder(place, location)
    if place.exists():
        return _look_file(place, location, folder)
    paths = find_files(location, folder)
    looks = [each for path in paths for each in _look_file(path, str(Path(location).parent / path.name), folder)]
    if len(paths) == 1:  # a pattern stays one: another file may come
        return tuple(replace(each, location=location) if each.kind != "database" else each for each in looks)
    return _join(looks, location)


def open_source(settings: SourceSettings, folder: Path) -> Source:
    """Open what the settings of a source name.

    Raises
    ------
    DataError
        There is no such file.
    """
    location = settings.location
    if "://" in location:
        from client.shop.source.database import DatabaseSource  # type: ignore[import-not-found, unused-ignore]

        return DatabaseSource(settings, folder)
    place = _resolve(location, folder)
    if place.is_dir():
        raise DataError(f"{place} is a folder; name a file in it, or a pattern as {location.rstrip('/')}/*.csv.")
    if place.exists():
        return _open_file(place, settings, folder)
    return ManyFiles([_open_file(path, settings, folder) for path in find_files(location, folder)])


def list_locations(location: str, folder: Path) -> list[str]:
    """List the locations of the files that a pattern names; what is no pattern is itself.

    Raises
    ------
    DataError
        There is no such file.
    """
    if "://" in location or _resolve(location, folder).exists() or not any(mark in location for mark in "*?["):
        return [location]
    return [str(Path(location).parent / path.name) for path in find_files(location, folder)]


class ManyFiles:
    """Files of the same columns, one after the other by name."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the files' own ones are."""
        return sha256("".join(source.fingerprint for source in self._sources).encode()).hexdigest()

    def batches(self, after: str = "") -> Iterator[Batch]:
        """Read file by file."""
        for source in self._sources:
            yield from source.batches()


def find_files(location: str, folder: Path) -> list[Path]:
    """Find the files that a pattern names.

    Raises
    ------
    DataError
        There is none.
    """
    place = _resolve(location, folder)
    if not any(mark in location for mark in "*?["):
        raise DataError(f"There is no file {place}; see that it is there.")
    if any(mark in str(place.parent) for mark in "*?["):
        raise DataError(f"{location} has a pattern in the name of a folder; only the name of a file may have one.")
    paths = sorted(path for path in place.parent.glob(place.name) if path.is_file() and not _is_hidden(path))
    if not paths:
        raise DataError(f"No file is called as {place}; see that there is one.")
    return paths


def _is_hidden(path: Path) -> bool:
    """Whether a file is nobody's export: hidden, or the lock of an open spreadsheet."""
    return path.name.startswith((".", "~$"))


def _resolve(location: str, folder: Path) -> Path:
    return folder / Path(location).expanduser()


def _look_folder(place: Path, location: str) -> tuple[Look, ...]:
    looks, faults = list[Look](), list[str]()
    for path in sorted(place.iterdir()):
        if not path.is_file() or _is_hidden(path) or path.name in SKIPPED:
            continue
        try:
            looks += _look_file(path, str(Path(location) / path.name), place)
        except DataError as error:
            faults.append(str(error))
    if not looks:
        why = f": {faults[0]}" if faults else "; put an export there, as CSV, Excel or Parquet."
        raise DataError(f"There is no file in {place} that can be read{why}")
    joined = [each for ending in dict.fromkeys(map(_ending, looks)) for each in _join_ending(looks, ending, location)]
    joined[0] = replace(joined[0], evidence=(*joined[0].evidence, *(f"Left out: {fault}" for fault in faults)))
    return tuple(joined)


def _join_ending(looks: Sequence[Look], ending: str, location: str) -> tuple[Look, ...]:
    alike = [each for each in looks if _ending(each) == ending]
    return _join(alike, f"{location.rstrip('/')}/*{ending}") if ending and len(alike) > 1 else tuple(alike)


def _ending(each: Look) -> str:
    return "" if each.kind == "database" else Path(each.location).suffix


def _join(looks: Sequence[Look], pattern: str) -> tuple[Look, ...]:
    """Make one look of files with the same columns and the same dialect."""
    first = looks[0]
    same = all(
        (each.kind, each.table, each.dialect, list(each.sample))
        == (first.kind, first.table, first.dialect, list(first.sample))
        for each in looks
    )
    if len(looks) == 1 or not same or first.kind == "database":
        return tuple(looks)
    step = len(looks)
    sample = {name: tuple(cell for each in looks for cell in each.sample[name][::step]) for name in first.sample}
    num_rows = sum(each.num_rows or 0 for each in looks)
    evidence = (f"{len(looks)} files have the same columns.", *first.evidence)
    return (replace(first, location=pattern, sample=sample, num_rows=num_rows, evidence=evidence),)


def _look_file(path: Path, location: str, folder: Path) -> tuple[Look, ...]:
    kind = find_kind(path)
    if kind == SQLITE:
        return _look_database(f"sqlite:///{path}", folder)
    if kind == WORKBOOK:
        return look_workbook(path, location)
    return (look_parquet(path, location) if kind == PARQUET else look_delimited(path, location),)


def _open_file(path: Path, settings: SourceSettings, folder: Path) -> Source:
    kind = find_kind(path)
    if kind == SQLITE:
        from client.shop.source.database import DatabaseSource  # type: ignore[import-not-found, unused-ignore]

        return DatabaseSource(settings.model_copy(update={"location": f"sqlite:///{path}"}), folder)
    if kind == WORKBOOK:
        return SheetSource(path, settings)
    return ParquetSource(path, settings) if kind == PARQUET else DelimitedSource(path, settings)


def _look_database(url: str, folder: Path) -> tuple[Look, ...]:
    from client.shop.source.database import look_database  # type: ignore[import-not-found, unused-ignore]  # loads SQLAlchemy

    return look_database(url, folder)


def find_kind(path: Path) -> str:
    """Tell by its first bytes what a file is.

    Raises
    ------
    DataError
        It cannot be read, or is packed.
    """
    try:
        require_file(path)
        with path.open("rb") as stream:
            begin = stream.read(16)
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror or error}); see that it is there.") from error
    packed = next((name for mark, name in PACKED.items() if begin.startswith(mark)), "")
    if packed or (begin.startswith(ZIP) and not _is_workbook(path)):
        raise DataError(f"{path} is packed ({packed or 'ZIP'}); unpack it first.")
    if begin.startswith((OLD_EXCEL, ZIP)):
        return WORKBOOK
    return PARQUET if begin.startswith(b"PAR1") else SQLITE if begin.startswith(b"SQLite format 3") else TEXT


def _is_workbook(path: Path) -> bool:
    """Whether a ZIP is a workbook, or is said to be one and is broken."""
    try:
        with ZipFile(path) as packed:
            names = set(packed.namelist())
    except (BadZipFile, OSError, ValueError):
        return path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods")
    return bool(names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"})
