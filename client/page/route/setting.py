"""GET /settings: shop.toml as a form; it is written whole, and the old one is kept beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router
from client.page.view.setting import show_settings
from client.page.visit import Visit, visit
from client.shop.settings import FILE_NAME, Shop, read_shop
from client.shop.setup.writing import write_shop
from common.disk.file import write_whole
from common.plan.reading import parse_toml

router = make_router()
OLD_NAME = f"{FILE_NAME}.old"


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
    from client.page.view.setting import read_settings

    here = visit(request)
    fields = await here.read_form()
    with speaking(here.spoken):
        shop = read_settings(here.shop, fields)
    await asyncio.to_thread(_write, here.folder, shop)
    return here.go("/settings", done="settings")


def _write(folder: Path, shop: Shop) -> None:
    path = folder / FILE_NAME
    if shop == read_shop(folder):
        return
    text = write_shop(shop)
    parse_toml(text, Shop, origin=str(path))  # what could not be read back is never written
    write_whole(folder / OLD_NAME, path.read_bytes())
    write_whole(path, text.encode())
