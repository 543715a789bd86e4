"""GET /api/v1/customers: who will buy, who is leaving, and whom to write to. Customers are keyed hashes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pyarrow.compute as pc
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS, Current, Limit, Offset, page_of
from client.serving.process.refusal import Refusal

router = APIRouter(tags=["customers"])
Segment = Literal["regular", "big and rare", "new", "came once", "quiet", "slipping away", "lost"]
Sort = Literal["value", "value_at_risk", "chance", "risk", "spent", "last"]


class Customer(BaseModel):
    """One customer, by her keyed hash."""

    customer: str = Field(examples=["0f1e2d3c4b5a69788796a5b4c3d2e1f0"])
    segment: str
    first: date
    last: date
    purchases: int
    spent: float
    silent_days: float
    usual_gap_days: float | None
    chance: float = Field(description="to buy in the days ahead")
    orders: float
    orders_low: float
    orders_high: float
    value: float = Field(description="money expected in the days ahead")
    value_low: float
    value_high: float
    order_value: float
    chance_90: float
    usual_chance_90: float | None
    risk: float | None = Field(description="of having left, by her own rhythm")
    value_90: float
    usual_value_90: float | None
    value_at_risk: float | None


class CustomerAnswer(BaseModel):
    """Customers, and what is known of them together."""

    edition: str = Field(description="name of the edition that all of this is of")
    from_: date = Field(alias="from")
    days: int = Field(description="how far ahead")
    currency: str
    customers: int
    segments: list[dict[str, Any]] = Field(description="sums for each segment")
    methods: dict[str, float]
    letters: dict[str, Any] = Field(description="whom to write to")
    warnings: list[str]
    sentences: list[str]
    total: int
    offset: int
    next: int | None
    rows: list[Customer]


class OneCustomer(BaseModel):
    """One customer."""

    edition: str = Field(description="name of the edition that all of this is of")
    currency: str
    customer: Customer


@router.get("/customers", response_model=CustomerAnswer, responses=FAULTS)
async def get_customers(
    taken: Current,
    segment: Annotated[Segment | None, Query(description="only of this segment")] = None,
    sort: Annotated[Sort, Query(description="the highest first; empty ones last")] = "value",
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """List customers with what is expected of each."""
    part, rows = taken.edition.part("customers"), taken.edition.rows("customers")
    if segment is not None:
        rows = rows.filter(pc.equal(rows["segment"], segment))
    rows = rows.take(pc.sort_indices(rows, [(sort, "descending"), ("customer", "ascending")]))
    page = page_of(rows.num_rows, offset, limit)
    return taken.say({**part.document, **page, "rows": rows.slice(offset, limit).to_pylist()})


@router.get("/customers/{customer}", response_model=OneCustomer, responses=FAULTS)
async def get_customer(taken: Current, customer: Annotated[str, Path(max_length=100)]) -> Response:
    """Give one customer."""
    part, rows = taken.edition.part("customers"), taken.edition.rows("customers")
    found = rows.filter(pc.equal(rows["customer"], customer)).to_pylist()
    if not found:
        raise Refusal(404, "not_found", f"There is no customer {customer[:64]!r}.", "see /api/v1/customers")
    return taken.say({"currency": part.document["currency"], "customer": found[0]})
