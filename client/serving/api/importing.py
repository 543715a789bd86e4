"""/api/v1/imports: new exports of the shop's sources, handed in as files."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS
from client.serving.encoding import encode
from client.serving.process.importing import Imports
from client.serving.process.refusal import Refusal
from client.shop.settings import Shop, read_shop

router = APIRouter(tags=["imports"])
SAFE_NAME = re.compile(r"[^\w.-]+")
LONGEST_NAME = 100  # bytes
JSON = "application/json"


class ImportAnswer(BaseModel):
    """A file that was handed in."""

    number: int
    source: str
    name: str
    is_new: bool = Field(description="whether it is a source of another kind, which shop.toml did not know")
    began: datetime
    state: Literal["waiting", "running", "done", "failed"]
    said: dict[str, Any] | None = Field(description="what came of it: `imports`, `troubles`, `plans`")
    trouble: str = Field(description="what went wrong, in a sentence; empty where nothing did")


class ImportList(BaseModel):
    """The last files that were handed in, the newest first, and the sources that they can be of."""

    sources: list[str]
    imports: list[ImportAnswer]


@router.get("/imports", response_model=ImportList, responses=FAULTS)
async def get_imports(request: Request) -> Response:
    """List the files that were handed in to this server."""
    imports: Imports = request.app.state.imports
    shop = await asyncio.to_thread(read_shop, request.app.state.home.shop)
    found = [asdict(job) for job in imports.list_jobs()]
    return Response(encode({"sources": [each.name for each in shop.sources], "imports": found}), media_type=JSON)


@router.get("/imports/{number:int}", response_model=ImportAnswer, responses=FAULTS)
async def get_import(request: Request, number: Annotated[int, Path(ge=1, le=10_000_000)]) -> Response:
    """Say how far an import is."""
    imports: Imports = request.app.state.imports
    job = imports.find(number)
    if job is None:
        raise Refusal(404, "not_found", f"There is no import {number}.", "see /api/v1/imports")
    return Response(encode(asdict(job)), media_type=JSON)


@router.post(
    "/imports",
    status_code=202,
    response_model=ImportAnswer,
    responses=FAULTS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "the file itself, as it was exported",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def post_import(
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=200, description="of the file, with its ending")],
    source: Annotated[
        str, Query(max_length=64, description="in shop.toml; may be left out where there is one alone")
    ] = "",
    add: Annotated[
        bool,
        Query(description="take it for a source of another kind, recognised by its columns, instead of a newer export"),
    ] = False,
) -> Response:
    """Import a new export of a source, or a first one of another kind; whatever was imported before stays as it is."""
    imports: Imports = request.app.state.imports
    shop = await asyncio.to_thread(read_shop, request.app.state.home.shop)
    chosen = "" if add else _choose(shop, source)
    with imports.receiving():
        folder = await asyncio.to_thread(imports.make_folder, imports.next_number())
        file = folder / _name_safely(name)
        size = await _receive(request, file)
        if not size:
            await asyncio.to_thread(_forget, file)
            raise Refusal(
                422, "invalid", "The body is empty.", "send the file itself, as curl --data-binary @FILE does"
            )
    job = imports.begin_new(file) if add else imports.begin(chosen, file)
    return Response(encode(asdict(job)), status_code=202, media_type=JSON)


def _choose(shop: Shop, source: str) -> str:
    names = [each.name for each in shop.sources]
    if source in names:
        return source
    if not source and len(names) == 1:
        return names[0]
    known = ", ".join(names) or "none; the first is made by hansa-client init"
    if not source:
        raise Refusal(422, "invalid", f"Of which source is this file? There are {known}.", "name it as `source`")
    raise Refusal(404, "not_found", f"shop.toml has no source {source!r}; there are {known}.", "choose one of them")


def _name_safely(name: str) -> str:
    """Keep of a file's name what no path can be made of."""
    plain = SAFE_NAME.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    short = plain.encode()[-LONGEST_NAME:].decode(errors="ignore")  # a file's name is measured in bytes
    return short.lstrip(".") or "file"


async def _receive(request: Request, file: File) -> int:
    """Write the body into a file, and give its size; what comes half is forgotten."""
    size = 0
    try:
        with file.open("xb") as stream:
            async for part in request.stream():
                size += len(part)
                await asyncio.to_thread(stream.write, part)
    except BaseException:
        _forget(file)
        raise
    return size


def _forget(file: File) -> None:
    file.unlink(missing_ok=True)
    file.parent.rmdir()
