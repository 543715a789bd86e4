"""GET /api/v1/orders: what to order, when and from whom, and why; and a purchase order for each supplier."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS, Current, Limit, Offset, page_of
from client.serving.process.refusal import Refusal

router = APIRouter(tags=["orders"])
CSV = "text/csv; charset=utf-8"
COLUMNS = ("product", "name", "quantity", "unit_cost", "cash", "order_day", "arrives")
FORMULA = "=+-@\t\r"


class OrderLine(BaseModel):
    """What to order of one product, and why."""

    product: str
    name: str
    class_: str = Field(alias="class", description="AX to CZ: share of the money, and how steadily it sells")
    supplier: str | None = Field(description="null or empty where none is known")
    quantity: float | None = Field(description="pieces; null where nothing tells how many there are")
    order_day: date
    arrives: date = Field(description="expected")
    next_arrives: date = Field(description="expected, of the next chance to order")
    on_hand: float | None
    on_order: float
    reorder_point: float
    order_up_to: float
    safety_stock: float
    demand: float = Field(description="mean until next_arrives")
    demand_high: float = Field(description="exceeded in one case of ten")
    risk_out: float | None = Field(description="chance to be out until next_arrives, with this order")
    risk_out_without: float | None
    missing_pieces: float | None
    unit_cost: float | None
    cash: float | None = Field(description="money of this line")
    cash_on_hand: float | None
    dead_pieces: float | None = Field(description="on hand, and not sold within dead_days")
    dead_cash: float | None
    cut: float = Field(description="pieces that the budget cut")
    why: str = Field(description="the reason, in a sentence")


class OrderAnswer(BaseModel):
    """What to order."""

    edition: str = Field(description="name of the edition that all of this is of")
    day: date = Field(description="of the orders")
    currency: str
    budget: float | None
    dead_days: int
    lines: int = Field(description="products that are to be ordered")
    cash: float | None = Field(description="money of all lines")
    cash_on_hand: float | None
    dead_cash: float | None
    assumed: list[str] = Field(description="what is not known, and was assumed, in sentences")
    said: list[str] = Field(description="sums, risks and what suppliers will not take, in sentences")
    total: int
    offset: int
    next: int | None
    rows: list[OrderLine]


Supplier = Annotated[str | None, Query(max_length=500, description="only of this supplier")]


@router.get("/orders", response_model=OrderAnswer, responses=FAULTS)
async def get_orders(
    taken: Current,
    supplier: Supplier = None,
    everything: Annotated[bool, Query(description="also products of which nothing is to be ordered")] = False,
    product: Annotated[list[str] | None, Query(max_length=500, description="only these; implies everything")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """Say what to order, those with the most money first."""
    part = taken.edition.part("orders")
    rows = _choose(taken.edition.rows("orders"), supplier, everything=everything or product is not None)
    if product is not None:
        rows = rows.filter(pc.is_in(rows["product"], value_set=pa.array(product, pa.string())))
    page = page_of(rows.num_rows, offset, limit)
    return taken.say({**part.document, **page, "rows": rows.slice(offset, limit).to_pylist()})


@router.get("/orders/purchase", responses={**FAULTS, 200: {"content": {"text/csv": {}}}}, response_class=Response)
async def get_purchase_order(taken: Current, supplier: Supplier = None) -> Response:
    """Give a purchase order as CSV: of one supplier, or of all; numbers are plain, text is never a formula."""
    part = taken.edition.part("orders")
    rows = _choose(taken.edition.rows("orders"), supplier, everything=False)
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(("supplier", *COLUMNS, "currency"))
    for row in rows.to_pylist():
        values = [row["supplier"], *(row[name] for name in COLUMNS), part.document["currency"]]
        writer.writerow([_plain(value) for value in values])
    named = {"content-disposition": f'attachment; filename="purchase-order-{part.document["day"]}.csv"'}
    return taken.send(stream.getvalue().encode(), kind=CSV, headers=named)


def _choose(table: pa.Table, supplier: str | None, *, everything: bool) -> pa.Table:
    if not everything:
        table = table.filter(pc.greater(pc.fill_null(table["quantity"], 0.0), 0.0))
    if supplier is None:
        return table
    own = pc.equal(pc.fill_null(table["supplier"], ""), supplier)
    if not pc.any(own).as_py() and supplier:
        raise Refusal(404, "not_found", f"Nothing is to be ordered from {supplier[:80]!r}.", "see /api/v1/orders")
    return table.filter(own)


def _plain(value: Any) -> Any:
    """Write text so that a spreadsheet takes it as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA and value else value
