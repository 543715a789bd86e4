"""GET /api/v1/forecasts: what every product will sell, by day and by week."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS, Current, Day, Limit, Offset, page_of, read_days
from client.serving.edition.forecasts import Forecasts
from client.serving.encoding import encode
from client.serving.process.refusal import Refusal

router = APIRouter(tags=["forecasts"])
MOST_NAMED = 500


class PeriodForecast(BaseModel):
    """What one product will sell in one day or week, in pieces."""

    name: str = Field(description="2026-12-01, or 2026-W49 (ISO 8601)", examples=["2026-12-01"])
    first: date
    last: date
    open_days: int = Field(description="days of it on which the shop is open")
    partial: bool = Field(description="whether the calendar's week has days that are not forecast")
    mean: float = Field(description="expected, with overrides in it", examples=[4.2])
    q10: float = Field(description="in one case of ten it comes to less", examples=[1.0])
    q20: float
    q30: float
    q40: float
    q50: float
    q60: float
    q70: float
    q80: float
    q90: float = Field(description="in one case of ten it comes to more", examples=[8.0])
    probability: float = Field(description="of any sale", examples=[0.93])
    without: float = Field(description="expected without anybody's override")


class ProductForecast(BaseModel):
    """What one product will sell."""

    product: str = Field(examples=["TEA-01"])
    name: str
    state: str = Field(description="sold, new, rare, gone or never sold")
    periods: list[PeriodForecast]


class ForecastAnswer(BaseModel):
    """Forecasts, product by product."""

    edition: str = Field(description="name of the edition that all of this is of")
    by: Literal["day", "week"]
    from_: date = Field(alias="from", description="first day that is forecast")
    until: date
    methods: dict[str, float] = Field(description="method → its share in the average")
    intervals_measured: bool = Field(description="whether past misses were measured; else the quantiles are a guess")
    warnings: list[str]
    sentences: list[str] = Field(description="what the forecasts are made of, in words")
    total: int = Field(description="products that were asked for")
    offset: int
    next: int | None = Field(description="`offset` of the next part; null where this is the last")
    products: list[ProductForecast]


@router.get("/forecasts", response_model=ForecastAnswer, responses=FAULTS)
async def get_forecasts(
    taken: Current,
    product: Annotated[
        list[str] | None, Query(max_length=MOST_NAMED, description="only these; all if left out")
    ] = None,
    by: Annotated[Literal["day", "week"], Query(description="28 days, or 8 weeks")] = "day",
    first: Annotated[Day | None, Query(alias="from", description="only periods that end on this day or later")] = None,
    last: Annotated[Day | None, Query(alias="to", description="only periods that begin on this day or before")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """Give forecasts of all products, or of some, by day or by week."""
    read_days(first, last)
    found = taken.edition.by_day if by == "day" else taken.edition.by_week
    if taken.is_had:
        return taken.send(b"")
    rows = range(len(found.products)) if product is None else [_place(found, name) for name in dict.fromkeys(product)]
    shown = rows[offset : offset + limit]
    if first is None and last is None:
        blocks = [found.write(row) for row in shown]
    else:
        places = found.between(first, last)
        blocks = [found.write_some(row, places) for row in shown]
    head = encode({"edition": taken.edition.name, **_head(found), **page_of(len(rows), offset, limit)})
    return taken.send(head[:-1] + b',"products":[' + b",".join(blocks) + b"]}")


def _head(found: Forecasts) -> dict[str, Any]:
    names = ("by", "from", "until", "methods", "intervals_measured", "warnings", "sentences")
    return {name: found.about[name] for name in names}


def _place(found: Forecasts, product: str) -> int:
    place = found.place.get(product)
    if place is None:
        raise Refusal(404, "not_found", f"Nothing is forecast of {product[:80]!r}.", "see /api/v1/products")
    return place
