"""/api/v1/overrides: what a person expects in place of what is forecast, and what that changes."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from client.serving.api.reply import FAULTS, Current, Day, Taken
from client.serving.bench.job import Preview
from client.serving.encoding import encode
from client.serving.key import today_of
from client.serving.process.bench import Bench
from client.serving.process.refusal import Refusal
from client.shop.history.history import History
from client.shop.override.override import LARGEST_FACTOR, LARGEST_NUMBER, Override, Overrides
from client.shop.settings import read_shop
from common.errors import ConfigError

router = APIRouter(tags=["overrides"])
PREVIEW_SECONDS = 120.0
JSON = "application/json"


class WantedOverride(BaseModel):
    """What a person expects of some days: either `factor` or `total`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "of": "product",
                    "name": "TEA-01",
                    "first": "2026-12-01",
                    "last": "2026-12-07",
                    "factor": 1.2,
                    "author": "Ana",
                    "reason": "window display",
                }
            ]
        },
    )

    of: Literal["product", "category", "shop"]
    name: str = Field("", max_length=200, description="of the product or category; empty for the shop")
    first: Day
    last: Day
    factor: float | None = Field(None, ge=0, le=LARGEST_FACTOR, description="on what would be forecast: 1.2 is +20 %")
    total: float | None = Field(None, ge=0, le=LARGEST_NUMBER, description="or pieces of all days together")
    author: str = Field(min_length=1, max_length=200, description="who says so")
    reason: str = Field(min_length=1, max_length=1000, description="why, in a few words")

    def require_one_meaning(self) -> None:
        """Refuse fields that do not go together.

        Raises
        ------
        ConfigError
            With which.
        """
        if (self.factor is None) == (self.total is None):
            raise ConfigError("An override has either factor or total; give one of them.")
        if self.last < self.first:
            raise ConfigError(f"last {self.last} lies before first {self.first}; give the later day second.")
        if (self.of == "shop") != (self.name == ""):
            raise ConfigError("An override of the shop has no name; one of a product or category has.")


class OverrideAnswer(BaseModel):
    """An override, as it is kept."""

    number: int
    of: str
    name: str
    first: date
    last: date
    factor: float | None
    total: float | None
    author: str
    reason: str
    made: date
    removed: date | None = Field(description="the day it was taken back; null where it holds")
    without: float | None = Field(description="what was forecast of these days without it")
    with_it: float | None
    sold: float | None = Field(None, description="what came, once its days are known")
    helped: bool | None = Field(None, description="whether the forecast was nearer with it")


class OverrideList(BaseModel):
    """All overrides, those that were taken back too."""

    overrides: list[OverrideAnswer]


@router.get("/overrides", response_model=OverrideList, responses=FAULTS)
async def get_overrides(request: Request) -> Response:
    """List every override, and whether it helped."""
    found = await asyncio.to_thread(_list, request)
    return Response(encode({"overrides": found}), media_type=JSON)


@router.post("/overrides/preview", response_model=OverrideAnswer, responses=FAULTS)
async def post_preview(request: Request, taken: Current, wanted: WantedOverride) -> Response:
    """Say what an override would change; nothing is kept."""
    made = await _measure(request, taken, wanted)
    return Response(encode(_describe(made)), media_type=JSON, headers=taken.headers)


@router.post("/overrides", status_code=201, response_model=OverrideAnswer, responses=FAULTS)
async def post_override(request: Request, taken: Current, wanted: WantedOverride) -> Response:
    """Keep an override; forecasts and orders heed it from the next edition on."""
    made = await _measure(request, taken, wanted)
    overrides = Overrides(request.app.state.home.shop)
    kept = await asyncio.to_thread(overrides.add, made)
    return Response(encode(_describe(kept)), status_code=201, media_type=JSON, headers=taken.headers)


@router.delete("/overrides/{number:int}", response_model=OverrideAnswer, responses=FAULTS)
async def delete_override(request: Request, number: Annotated[int, Path(ge=1, le=10_000_000)]) -> Response:
    """Take an override back; it stays in the list, so that it can be held against what came."""
    taken = await asyncio.to_thread(_remove, request, number)
    return Response(encode(_describe(taken)), media_type=JSON)


def _describe(made: Override) -> dict[str, Any]:
    """Give every field, those that are empty too."""
    return {name: getattr(made, name) for name in Override.model_fields}


def _list(request: Request) -> list[dict[str, Any]]:
    from client.shop.override.effect import score  # heavy, and needed here alone

    folder = request.app.state.home.shop
    history, found = History.open(folder), list[dict[str, Any]]()
    for each in Overrides(folder).read():
        result = score(history, each)
        told = {"sold": None, "helped": None} if result is None else {"sold": result.sold, "helped": result.helped}
        found.append({**_describe(each), **told})
    return found


def _remove(request: Request, number: int) -> Override:
    folder = request.app.state.home.shop
    overrides = Overrides(folder)
    if all(each.number != number for each in overrides.read()):
        raise Refusal(404, "not_found", f"There is no override {number}.", "see /api/v1/overrides")
    return overrides.remove(number, today_of(read_shop(folder)))


async def _measure(request: Request, taken: Taken, wanted: WantedOverride) -> Override:
    wanted.require_one_meaning()
    bench: Bench = request.app.state.bench
    found = await bench.ask(taken.edition, Preview(**wanted.model_dump()), seconds=PREVIEW_SECONDS)
    return Override.model_validate_json(encode(found))
