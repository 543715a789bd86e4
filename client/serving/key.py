"""The key of an edition: a hash over everything that what is served depends on.

history (its imports, and which were undone) · shop.toml · overrides.json · released models and what they are forecast
from · the shop's day · version
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from client.folder import MerchantFolder
from client.shop.forecast.federation import list_read
from client.shop.history.history import History
from client.shop.history.store import FILE_NAME as HISTORY_NAME
from client.shop.override.override import FILE_NAME as OVERRIDES_NAME
from client.shop.settings import FILE_NAME as SHOP_NAME
from client.shop.settings import Shop
from common import __version__

LOOKED_AT = (HISTORY_NAME, f"{HISTORY_NAME}.wal", SHOP_NAME, OVERRIDES_NAME, "federation.json")
Glance = tuple[object, ...]


def glance(folder: Path, shop: Shop, day: date) -> Glance:
    """Look cheaply whether anything may have changed: two glances that are equal saw the same."""
    joined = (_stat(path) for path in list_read(folder, shop))
    return (day, *(_stat(folder / name) for name in LOOKED_AT), *_list_models(folder), *joined)


def read_key(folder: Path, shop: Shop, day: date) -> str:
    """Hash everything that what is served depends on; 64 hexadecimal digits.

    Parameters
    ----------
    day
        The shop's own.
    """
    hashed = hashlib.sha256()
    for part in (__version__, day.isoformat(), shop.model_dump_json(), _read(folder / OVERRIDES_NAME)):
        hashed.update(f"{len(part)}:{part}".encode())
    for entry in History.open(folder).journal():
        hashed.update(f"{entry.number} {entry.state} {entry.at.isoformat()} {entry.fingerprint}\n".encode())
    for path in list_read(folder, shop):  # a newer model of a run has the name and may have the size of the older one
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        hashed.update(f"{path.name} {digest}\n".encode())
    return hashed.hexdigest()


def today_of(shop: Shop) -> date:
    """Give the day that it is in the shop."""
    return datetime.now(ZoneInfo(shop.time_zone)).date()


def _read(path: Path) -> str:
    try:
        return path.read_bytes().hex()
    except FileNotFoundError:
        return ""


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _list_models(folder: Path) -> Iterator[tuple[str, int, int]]:
    models = MerchantFolder(folder).models
    try:
        paths = sorted(path for path in models.iterdir() if path.is_file())
    except OSError:
        return
    for path in paths:
        stat = _stat(path)
        if stat is not None:
            yield path.name, stat[1], stat[2]
