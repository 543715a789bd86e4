"""What stands in the history in a customer's place: a keyed hash, which tells customers apart and names nobody.

The key is drawn by the operating system, once for each shop, and stays in the shop's folder. Who has it can try out
whether a known address is among the customers; who has not, cannot. Under another key every customer would be a new
one, so a history remembers which key it was written with, by a hash of a fixed word.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from common.disk.file import sync_folder
from common.disk.reading import read_file
from common.errors import ConfigError, DataError

KEY_NAME = "customer.key"
_KEY_BYTES, _HASH_BYTES = 32, 16
_CUSTOMER, _SESSION, _CHECK = b"customer", b"session", b"check"  # BLAKE2b's own word for what a hash is for


class Pseudonyms:
    """Hash what tells customers or sessions apart.

    Guarantee: 128 bits of BLAKE2b under a key of 32 bytes. Equal values have equal hashes in one shop, and in two shops
    hashes that have nothing to do with each other.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def check(self) -> str:
        """What a history remembers of the key."""
        return self._hash("hansa", _CHECK)

    def of_customers(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Hash customers; text, 32 hexadecimal digits each, null for "" and null."""
        return self._of(values, _CUSTOMER)

    def of_sessions(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Hash sessions in the same way; a customer and a session of one name have different hashes."""
        return self._of(values, _SESSION)

    def _of(self, values: pa.ChunkedArray, purpose: bytes) -> pa.ChunkedArray:
        encoded = pc.dictionary_encode(values.combine_chunks())
        known = [self._hash(text, purpose) if text else None for text in encoded.dictionary.to_pylist()]
        return pa.chunked_array([pa.array(known, pa.string()).take(encoded.indices)])

    def _hash(self, text: str, purpose: bytes) -> str:
        said = text.encode("utf-8", "surrogatepass")
        return blake2b(said, digest_size=_HASH_BYTES, key=self._key, person=purpose).hexdigest()


def read_pseudonyms(folder: Path, check: str) -> Pseudonyms:
    """Read a shop's key, and make one where nothing was hashed yet.

    Parameters
    ----------
    check
        What the history remembers of its key; "" where it remembers none.

    Raises
    ------
    DataError
        The key is lost, is another one, is none, or others may read it.
    ConfigError
        It cannot be written.
    """
    path = folder / KEY_NAME
    if not check:
        _make_key(path)
    try:
        is_open = bool(path.stat().st_mode & 0o077)
        key = read_file(path)
    except FileNotFoundError as error:
        raise DataError(
            f"The key {path} is lost, by which customers are known again; bring it back from a copy, or move "
            "history.duckdb away and import everything anew."
        ) from error
    except OSError as error:
        raise DataError(f"Cannot read the key {path}: {error.strerror}; see who may read it.") from error
    if is_open:
        raise DataError(f"Others may read the key {path}; close it with: chmod 600 {path}")
    if len(key) != _KEY_BYTES:
        raise DataError(f"{path} is no key of {_KEY_BYTES} bytes; bring it back from a copy.")
    pseudonyms = Pseudonyms(key)
    if check and pseudonyms.check != check:
        raise DataError(
            f"{path} is not the key that this history was written with; bring that one back from a copy, or move "
            "history.duckdb away and import everything anew."
        )
    return pseudonyms


def _make_key(path: Path) -> None:
    """Make a key where there is none: whole or not at all, and one for all who begin at once."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with suppress(FileNotFoundError):
            fresh.unlink()
        if path.exists():
            return
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(fresh, path)
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"Cannot write the key {path}: {error.strerror}; make room, or see who may write.") from error
    finally:
        with suppress(OSError):
            fresh.unlink()
