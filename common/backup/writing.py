"""Write a backup: a tar file that is there whole or not at all, for its owner's eyes, and read back before it counts.

Not compressed: what is large in it, Parquet-like columns and models, hardly shrinks, and so no small file can grow
into a full disk when it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from common.backup.manifest import MANIFEST, Kind, LedgerState, Listed, Manifest
from common.backup.reading import Backup
from common.disk.file import sync_folder
from common.disk.reading import require_file
from common.errors import ConfigError, DataError

OWNER_ALONE, OTHERS = 0o600, stat.S_IRWXG | stat.S_IRWXO
PIECE = 1 << 20  # bytes


class Writer:
    """A backup that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._files: list[Listed] = []

    def add(self, name: str, file: Path) -> None:
        """Add a file as it is now; one that grows meanwhile is taken as long as it was.

        Raises
        ------
        DataError
            It cannot be read, or became shorter meanwhile.
        """
        try:
            require_file(file)
            with file.open("rb") as stream:
                self.add_stream(name, stream)
        except OSError as error:
            raise DataError(
                f"Cannot read {file}: {error.strerror}; nothing was backed up; see who may read it, or bring a copy "
                "back."
            ) from error

    def add_stream(self, name: str, stream: BinaryIO) -> None:
        """Add an open file, from its beginning."""
        about = tarfile.TarInfo(name)
        about.size, about.mode = os.fstat(stream.fileno()).st_size, OWNER_ALONE
        hashing = _Hashing(stream)
        try:
            self._tar.addfile(about, hashing)  # type: ignore[arg-type]  # all that it asks for is read
        except OSError as error:
            if error.errno is not None:
                raise
            raise DataError(f"{name} became shorter while it was copied; nothing was backed up: try again.") from error
        self._files.append(Listed(name=name, num_bytes=about.size, sha256=hashing.digest.hexdigest()))

    def finish(self, kind: Kind, *, hansa: str, made_at: str, ledger: LedgerState | None) -> None:
        """Add the manifest, last."""
        manifest = Manifest(kind=kind, hansa=hansa, made_at=made_at, files=tuple(self._files), ledger=ledger)
        content = manifest.to_json()
        about = tarfile.TarInfo(MANIFEST)
        about.size, about.mode = len(content), OWNER_ALONE
        self._tar.addfile(about, io.BytesIO(content))


class _Hashing:
    """Read a file and hash what is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int) -> bytes:
        found = self._stream.read(size)
        self.digest.update(found)
        return found


@contextmanager
def writing_backup(target: Path) -> Iterator[Writer]:
    """Write a backup; when this ends without an error it is on the disk, and every byte was read back.

    Raises
    ------
    ConfigError
        The target is there, or cannot be written, or is one that other users of the machine could read.
    DataError
        What was written is not what is read back.
    """
    fresh = target.with_name(f".{target.name}.new")
    _require_free(target)
    try:
        fresh.unlink(missing_ok=True)  # of a process that was killed
        with open(fresh, "xb", opener=lambda name, flags: os.open(name, flags, OWNER_ALONE)) as stream:
            if os.fstat(stream.fileno()).st_mode & OTHERS:
                raise ConfigError(
                    f"Other users of this machine could read {target}, which holds keys: its file system has no modes; "
                    "choose another place."
                )
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield Writer(tar)
            stream.flush()
            os.fsync(stream.fileno())
        Backup.open(fresh)
        _require_free(target)
        fresh.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise ConfigError(f"Cannot write {target}: {error.strerror}; make room, or choose another place.") from error
    finally:
        fresh.unlink(missing_ok=True)


def _require_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target} exists already; choose another name, so that no backup is lost.")
    if not target.parent.is_dir():
        raise ConfigError(f"There is no folder {target.parent}; make it, or choose another place.")
