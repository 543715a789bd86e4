"""GET /data: what is odd in the history and what each import changed; accept a proposal, take an import back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router
from client.page.view.data import show_data
from client.page.visit import field, visit
from client.serving.process.importing import Imports
from client.shop.history.entry import Entry
from client.shop.history.history import History
from client.shop.readiness.acceptance import accept, choose
from client.shop.readiness.inspection import inspect_shop
from client.shop.settings import read_shop

router = make_router()


@router.get("/data")
async def get_data(request: Request) -> Response:
    """Show the data."""
    here = visit(request)
    imports: Imports = request.app.state.imports
    journal = await asyncio.to_thread(_read_journal, here.folder)
    health = here.says("health") if here.edition is not None and here.has("health") else {}
    with speaking(here.spoken):
        values = show_data(health, here.shop, journal, imports.list_jobs())
    return here.show("data", values, here="data")


def _read_journal(folder: Path) -> tuple[Entry, ...]:
    return History.open(folder).journal()


@router.post("/data/read")
async def post_read(request: Request) -> Response:
    """Read every source again, where shop.toml says that it lies."""
    imports: Imports = request.app.state.imports
    imports.require_room()
    imports.begin_all()
    return visit(request).go("/data", done="imported")


@router.post("/data/accept")
async def post_accept(request: Request) -> Response:
    """Take up what is proposed for a problem."""
    here = visit(request)
    key = field(await here.read_form(), "key")
    await asyncio.to_thread(_accept, here.folder, key)
    return here.go("/data", done="accepted")


def _accept(folder: Path, key: str) -> None:
    history = History.open(folder)
    accept(history, choose(inspect_shop(history, read_shop(folder)), [key]))


@router.post("/import/{number}/undo")
async def post_undo(request: Request, number: int) -> Response:
    """Take an import back."""
    here = visit(request)
    await asyncio.to_thread(_undo, here.folder, number)
    return here.go("/data", done="undone")


def _undo(folder: Path, number: int) -> None:
    History.open(folder).undo(number)
