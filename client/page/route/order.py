"""GET /orders: what to order, as the owner changes it; as CSV, as Excel, a purchase order for each supplier."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Request, Response

from client.language.speech import speaking, t
from client.page.chosen import MOST_PIECES, Chosen, forget_chosen, read_chosen, write_chosen
from client.page.route.page import make_router, show_waiting
from client.page.view.order import show_orders
from client.page.visit import Fields, Visit, field, visit
from client.serving.process.refusal import Refusal
from common.errors import ConfigError, DataError

router = make_router()
WRITING = Lock()  # pages of a form that are sent at once each keep their lines
KINDS = {
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PIECES = "pieces "  # what the name of a field with a quantity begins with, the product behind it
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/orders")
async def get_orders(request: Request, page: str = "1") -> Response:
    """Show a page of the orders."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    chosen = _read(here)
    with speaking(here.spoken):
        order = {**here.says("orders"), "rows": here.rows("orders")}
        number = int(page) if page.isdecimal() and len(page) < 6 else 1
        values = show_orders(order, chosen.pieces, kept_at=chosen.at, page=number)
    return here.show("order", values, here="order")


def _read(here: Visit) -> Chosen:
    return read_chosen(here.home, date.fromisoformat(str(here.says("orders")["day"])[:10]))


@router.post("/orders")
async def post_orders(request: Request) -> Response:
    """Keep the quantities of the form, or go back to those proposed."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    fields = await here.read_form()
    _require_day(here, field(fields, "day"))
    if field(fields, "do") == "propose":
        await asyncio.to_thread(forget_chosen, here.home)
        return here.go("/orders", done="proposed")
    with speaking(here.spoken):
        pieces = _read_pieces(fields, {row["product"]: row["quantity"] or 0.0 for row in here.rows("orders")})
    await asyncio.to_thread(_choose, here, pieces)
    await asyncio.to_thread(_keep, here)
    page = field(fields, "page", "1")
    return here.go(f"/orders?page={page}" if page.isdecimal() and page != "1" else "/orders", done="kept")


def _require_day(here: Visit, day: str) -> None:
    """Refuse a form of another day's orders, as one that was left open over night: its pieces are not for these.

    Raises
    ------
    DataError
        It is one.
    """
    if day != _read(here).day.isoformat():
        with speaking(here.spoken):
            raise DataError(t("The orders are those of another day by now; look at them again, and change them."))


def _choose(here: Visit, pieces: Mapping[str, float]) -> None:
    with WRITING:
        chosen = _read(here)
        write_chosen(here.home, chosen.day, {**chosen.pieces, **pieces})


def _read_pieces(fields: Fields, proposed: Mapping[str, float]) -> dict[str, float]:
    """Read the quantities of products that there are.

    Raises
    ------
    ConfigError
        One of them is no number of pieces.
    """
    found = {}
    for name in fields:
        product = name.removeprefix(PIECES)
        if not name.startswith(PIECES) or product not in proposed:
            continue
        text = field(fields, name) or "0"
        try:
            pieces = float(text.replace(",", "."))
        except ValueError:
            pieces = math.nan
        if not 0.0 <= pieces <= MOST_PIECES:
            raise ConfigError(t("{text} is no number of pieces of {product}.", text=text[:40], product=product))
        found[product] = pieces
    return found


def _keep(here: Visit) -> None:
    """Keep what is ordered, to be held against what is asked for; where that fails it is ordered all the same."""
    from client.decision.order.keeping import keep_orders

    table = ordered(here)
    with suppress(DataError):  # of what nobody knows how many there are, nothing can be judged
        keep_orders(here.folder, table.filter(pc.is_valid(table["on_hand"])), _read(here).day)


def ordered(here: Visit) -> pa.Table:
    """Give the rows of all products with the quantities that were chosen, their reasons in the visit's language."""
    table, pieces = here.taken.rows("orders"), _read(here).pieces
    proposed = table["quantity"].to_pylist()
    quantity = [pieces.get(product, was) for product, was in zip(table["product"].to_pylist(), proposed, strict=True)]
    cost = table["unit_cost"].to_numpy()
    cash = np.array([np.nan if each is None else each for each in quantity]) * cost
    changed = {"quantity": pa.array(quantity, pa.float64()), "cash": pa.array(cash, pa.float64(), from_pandas=True)}
    changed["why"] = pa.array([row["why"] for row in here.rows("orders")], pa.string())
    for name, column in changed.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


@router.get("/orders.csv")
async def get_csv(request: Request) -> Response:
    """Give every product as CSV."""
    return await _send_table(visit(request), ".csv")


@router.get("/orders.xlsx")
async def get_sheet(request: Request) -> Response:
    """Give every product as a sheet of Excel."""
    return await _send_table(visit(request), ".xlsx")


async def _send_table(here: Visit, suffix: str) -> Response:
    if here.edition is None:
        return show_waiting(here)
    content = await asyncio.to_thread(_write_table, ordered(here), suffix)
    return send_file(content, f"orders-{_read(here).day}{suffix}")


def send_file(content: bytes, name: str) -> Response:
    """Send a file to be kept."""
    kind = KINDS[Path(name).suffix]
    said = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, headers={"content-disposition": said, "cache-control": "no-store"}, media_type=kind)


def _write_table(table: pa.Table, suffix: str) -> bytes:
    from client.shop.forecast.table import write_rows

    with tempfile.TemporaryDirectory(prefix="hansa-") as folder:
        path = Path(folder) / f"orders{suffix}"
        write_rows(harmless(table) if suffix == ".csv" else table, path, sheet="orders")
        return path.read_bytes()


def harmless(table: pa.Table) -> pa.Table:
    """Write text so that a spreadsheet that opens the CSV takes it as text, whatever it begins with."""
    for place, name in enumerate(table.column_names):
        if pa.types.is_string(table.schema.field(name).type):
            texts = [f"'{each}" if each and each.startswith(FORMULA) else each for each in table[name].to_pylist()]
            table = table.set_column(place, name, pa.array(texts, pa.string()))
    return table


@router.get("/orders/supplier")
async def get_purchase_order(request: Request, day: date, name: str = "") -> Response:
    """Give the purchase order for one supplier and day, as a workbook that can be sent."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    found = await asyncio.to_thread(_write_order, ordered(here), (name, day), here)
    if found is None:
        raise Refusal(404, "not_found", f"Nothing is to be ordered from {name[:80]!r} on {day}.", "see /orders")
    return send_file(found[1], found[0])


def _write_order(table: pa.Table, wanted: tuple[str, date], here: Visit) -> tuple[str, bytes] | None:
    from client.decision.order.purchase import write_purchase_orders

    with tempfile.TemporaryDirectory(prefix="hansa-") as folder:
        files = write_purchase_orders(table, here.terms, Path(folder), only=wanted)
        return (files[0].name, files[0].read_bytes()) if files else None
