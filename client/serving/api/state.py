"""GET /api/v1/status: what is served, how old it is, and how far the next edition is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS
from client.serving.edition.edition import Edition
from client.serving.encoding import encode
from client.serving.process.served import Served
from common import __version__

router = APIRouter(tags=["status"])


class EditionStatus(BaseModel):
    """The edition that is served."""

    name: str
    made: datetime
    day: date
    parts: list[str] = Field(description="what it has")
    troubles: dict[str, str] = Field(description="part → why it is missing, in a sentence")


class MakingStatus(BaseModel):
    """How far the next edition is."""

    began: datetime
    what: str = Field(examples=["forecasting days"])
    share: float = Field(description="that is done, from 0 to 1", examples=[0.4])


class Status(BaseModel):
    """What is served."""

    version: str
    shop: str | None
    currency: str | None
    time_zone: str | None
    edition: EditionStatus | None
    is_stale: bool = Field(description="whether the shop has changed since this edition")
    making: MakingStatus | None
    trouble: str = Field(description="why the last attempt made no edition; empty where it did")
    since: datetime = Field(description="when the server started")
    swaps: int = Field(description="how often an edition took the place of another")


def describe_status(served: Served) -> dict[str, Any]:
    """Say what is served."""
    current, making = served.current, served.making
    told = None if making is None else {"began": making.began, "what": making.what, "share": making.share}
    imprint = None if current is None else current.imprint
    return {
        "version": __version__,
        "shop": None if imprint is None else imprint.shop,
        "currency": None if imprint is None else imprint.currency,
        "time_zone": None if imprint is None else imprint.time_zone,
        "edition": None if current is None else _describe(current),
        "is_stale": served.is_stale,
        "making": told,
        "trouble": served.trouble,
        "since": served.since,
        "swaps": served.swaps,
    }


def _describe(edition: Edition) -> dict[str, Any]:
    said = edition.imprint
    return {"name": said.name, "made": said.made, "day": said.day, "parts": said.parts, "troubles": said.troubles}


@router.get("/status", response_model=Status, responses=FAULTS)
async def get_status(request: Request) -> Response:
    """Say what is served, whether it is stale, and how far the next edition is."""
    return Response(encode(describe_status(request.app.state.served)), media_type="application/json")


@router.post("/editions", status_code=202, response_model=Status, responses=FAULTS)
async def post_edition(request: Request) -> Response:
    """Have a new edition made, whether the shop has changed or not."""
    request.app.state.keeper.ask()
    body = encode(describe_status(request.app.state.served))
    return Response(body, status_code=202, media_type="application/json")
