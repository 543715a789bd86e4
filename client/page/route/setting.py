"""GET /settings: shop.toml as a form; it is written whole, and the old one is kept beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Lock

from fastapi import Request, Response

from client.language.speech import speaking, t
from client.page.route.page import make_router
from client.page.view.setting import read_settings, show_settings, version_of
from client.page.visit import Fields, Visit, field, visit
from client.shop.settings import FILE_NAME, Shop, read_shop
from client.shop.setup.writing import write_shop
from common.disk.file import replace_file
from common.errors import ConfigError, DataError
from common.plan.reading import parse_toml

router = make_router()
OLD_NAME = f"{FILE_NAME}.old"
WRITING = Lock()  # the one process that serves a folder writes one form at a time


@router.get("/settings")
async def get_settings(request: Request) -> Response:
    """Show the settings."""
    here = visit(request)
    with speaking(here.spoken):
        values = show_settings(here.shop, _list_suppliers(here))
    return here.show("setting", values, here="setting")


def _list_suppliers(here: Visit) -> list[str]:
    if here.edition is None or not here.has("orders"):
        return []
    return sorted({name for name in here.taken.rows("orders")["supplier"].to_pylist() if name})


@router.post("/settings")
async def post_settings(request: Request) -> Response:
    """Write settings that are legal as a whole, and keep the old ones."""
    here = visit(request)
    fields = await here.read_form()
    await asyncio.to_thread(_save, here, fields)
    return here.go("/settings", done="settings")


def _save(here: Visit, fields: Fields) -> None:
    """Write what a form says, unless it was made of other settings than there are by now.

    Raises
    ------
    DataError
        It was: another window, a command or an editor has changed them, and the form would take that back.
    """
    with WRITING, speaking(here.spoken):
        there = read_shop(here.folder)
        if field(fields, "version") != version_of(there):
            raise DataError(t("The settings have changed since this form was loaded; load it again, and change them."))
        _write(here.folder, read_settings(there, fields))


def _write(folder: Path, shop: Shop) -> None:
    path = folder / FILE_NAME
    if shop == read_shop(folder):
        return
    text = write_shop(shop)
    parse_toml(text, Shop, origin=str(path))  # what could not be read back is never written
    mode = path.stat().st_mode & 0o777  # whoever made it unreadable for others keeps it so
    try:
        replace_file(folder / OLD_NAME, path.read_bytes(), mode=mode)
        replace_file(path, text.encode(), mode=mode)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}; make room, or make the folder writable.") from error
