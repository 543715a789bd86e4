"""Read a backup: everything is looked at before anything is written, and nothing is written beside the folder.

A backup may come from anywhere. So only plain files are taken, under plain names, as many and as large as the manifest
says, and a caller names the files that its program keeps: no link, no device, no way out of the folder, nothing that
grows.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from common.backup.manifest import MANIFEST, MOST_FILES, Kind, Listed, Manifest, is_plain_name
from common.disk.file import sync_folder
from common.disk.reading import require_file
from common.errors import ConfigError, DataError
from common.plan.reading import refuse_newer

OWNER_ALONE, OWN_FOLDER = 0o600, 0o700
PIECE = 1 << 20  # bytes
MOST_MANIFEST_BYTES = 64 << 20
MOST_HEADERS = 2 * MOST_FILES


@dataclass(frozen=True)
class Backup:
    """A backup whose every byte was read, and is what its manifest says."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Backup:
        """Look at a whole backup.

        Raises
        ------
        DataError
            It is not there, damaged, not whole, holds what no backup holds, or a later version made it.
        """
        found: list[Listed] = []
        written = b""
        for member, pieces in _members(path):
            if written:
                raise _damaged(path, "something follows its manifest")
            if member.name == MANIFEST:
                if member.size > MOST_MANIFEST_BYTES:
                    raise _damaged(path, "its manifest is too large")
                written = b"".join(pieces)
            else:
                found.append(Listed(name=member.name, num_bytes=member.size, sha256=_hash(pieces)))
        if not written:
            raise _damaged(path, "it ends before its manifest")
        manifest = _parse(path, written)
        for one, other in zip(found, manifest.files, strict=False):
            if one != other:
                raise _damaged(path, f"{one.name[:80]!r} in it is not what was backed up")
        if len(found) != len(manifest.files) or len({file.name for file in found}) != len(found):
            raise _damaged(path, "it does not hold the files that its manifest names, each once")
        return cls(path, manifest)

    def require(self, kind: Kind, kept: re.Pattern[str]) -> None:
        """Refuse a backup of another kind of folder, or one with files that such a folder never keeps.

        Raises
        ------
        DataError
            It is one.
        """
        if self.manifest.kind != kind:
            program = {"merchant": "hansa-client", "coordinator": "hansa-server"}[self.manifest.kind]
            raise DataError(f"{self.path} is the backup of a {self.manifest.kind}; use: {program} restore")
        for file in self.manifest.files:
            if not kept.fullmatch(file.name):
                raise _damaged(self.path, f"{file.name[:80]!r} in it is no file of such a folder")

    def unpack(self, folder: Path) -> None:
        """Write everything into an empty folder, in the order in which it was backed up, for its owner's eyes.

        Guarantee: when this returns, all is on the disk; where it raises, what it wrote is gone again.

        Raises
        ------
        ConfigError
            The folder is not empty, or cannot be written.
        DataError
            The backup was changed since it was looked at.
        """
        made: list[Path] = []
        try:
            require_empty(folder)
            folder.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
            expected = {file.name: file for file in self.manifest.files}
            for member, pieces in _members(self.path):
                if member.name != MANIFEST:
                    _write(folder, member.name, pieces, made)
                    if _hash_file(made[-1]) != expected[member.name].sha256:
                        raise _damaged(self.path, "it was changed while it was read")
            for place in {path.parent for path in made} | {folder}:
                sync_folder(place)
        except BaseException as error:
            _take_away(folder, made)
            if isinstance(error, OSError):
                raise ConfigError(
                    f"Cannot write in {folder}: {error.strerror}; make room, or choose another folder."
                ) from error
            if isinstance(error, KeyError):
                raise _damaged(self.path, "it was changed while it was read") from error
            raise

    def take_out(self, folder: Path) -> None:
        """Remove from a folder what `unpack` wrote there, where it turns out to be of no use."""
        _take_away(folder, [folder / file.name for file in self.manifest.files])


def require_empty(folder: Path) -> None:
    """Refuse a folder in which something is.

    Raises
    ------
    ConfigError
        It is one, or no folder.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"{folder} is no folder; name a new one.")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty, and nothing in it is overwritten; name a new folder.")


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
    """Give every file in a tar, in order."""
    try:
        require_file(path)
        with tarfile.open(path, mode="r:") as tar:
            for number, member in enumerate(tar):
                if number > MOST_HEADERS:
                    raise _damaged(path, "it holds too many files")
                _require_plain(path, member)
                yield member, _pieces(tar, member)
    except FileNotFoundError as error:
        raise DataError(f"There is no backup {path}; see where it is.") from error
    except (OSError, tarfile.TarError, UnicodeError, ValueError, OverflowError, RecursionError) as error:
        raise _damaged(path, "it is no tar file that can be read to its end") from error


def _require_plain(path: Path, member: tarfile.TarInfo) -> None:
    if not member.isreg() or member.issparse() or not is_plain_name(member.name):
        raise _damaged(path, f"{member.name[:80]!r} in it is no plain file below a folder")
    if member.offset_data + member.size > path.stat().st_size:
        raise _damaged(path, "it was cut short")


def _pieces(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    stream = tar.extractfile(member)
    while stream is not None and (piece := stream.read(PIECE)):
        yield piece


def _parse(path: Path, written: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(written)
    except ValidationError as error:
        refuse_newer(error, path)
        raise _damaged(path, "its manifest cannot be read") from error


def _hash(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return _hash(iter(lambda: stream.read(PIECE), b""))


def _write(folder: Path, name: str, pieces: Iterator[bytes], made: list[Path]) -> None:
    file = folder / name
    file.parent.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
    with open(file, "xb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, OWNER_ALONE)) as out:
        made.append(file)
        out.writelines(pieces)
        out.flush()
        os.fsync(out.fileno())


def _take_away(folder: Path, made: list[Path]) -> None:
    """Remove what was written, and the folders that are empty then, but not the folder itself."""
    for file in reversed(made):
        file.unlink(missing_ok=True)
    for place in sorted({path.parent for path in made} - {folder}, reverse=True):
        while place != folder and not any(place.iterdir()):
            place.rmdir()
            place = place.parent


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is no whole backup: {why}; nothing was restored, take another one.")
