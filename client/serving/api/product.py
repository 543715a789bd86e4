"""GET /api/v1/products: what the shop sells."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import pyarrow.compute as pc
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS, Current, Limit, Offset, page_of

router = APIRouter(tags=["products"])


class Product(BaseModel):
    """A product that was sold or is described."""

    product: str = Field(description="its number", examples=["TEA-01"])
    name: str | None
    category: str | None
    first_day: date | None = Field(description="with a sale; null where none")
    last_day: date | None
    units: float | None
    lines: int | None


class ProductAnswer(BaseModel):
    """Products, sorted by number."""

    edition: str = Field(description="name of the edition that all of this is of")
    total: int
    offset: int
    next: int | None
    products: list[Product]


@router.get("/products", response_model=ProductAnswer, responses=FAULTS)
async def get_products(
    taken: Current,
    search: Annotated[str, Query(max_length=200, description="only what has this in its number or name")] = "",
    category: Annotated[str | None, Query(max_length=200, description="only of this category")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """List products."""
    rows = taken.edition.rows("products")
    if search:
        here = [
            pc.match_substring(pc.fill_null(rows[name], ""), search, ignore_case=True) for name in ("product", "name")
        ]
        rows = rows.filter(pc.or_(*here))
    if category is not None:
        rows = rows.filter(pc.equal(pc.fill_null(rows["category"], ""), category))
    return taken.say({**page_of(rows.num_rows, offset, limit), "products": rows.slice(offset, limit).to_pylist()})
