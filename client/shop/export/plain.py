"""Tables whose every row is a record: views, carts, searches, reviews, stock, prices, promotions, terms and others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from client.shop.export.cells import Cells, Meaning
from client.shop.export.money import convert_amounts, read_currencies, to_arrow
from client.shop.export.order import ROW
from client.shop.export.order_line import read_customers
from client.shop.export.sieve import Sieve
from client.shop.export.text import fold_words, look_up, mask, mask_written, read_names
from client.shop.export.word import IN_WORDS, NO, OUT_WORDS, YES
from client.shop.record import COLUMNS, Kind, schema_of
from client.shop.settings import Dialect, Shop, SourceSettings

NEEDED: dict[Kind, tuple[str, ...]] = {
    "sales": ("day", "product"),
    "returns": (),
    "views": ("day", "product"),
    "carts": ("day", "product"),
    "searches": ("day", "words"),
    "reviews": ("day", "product"),
    "stock": ("day", "product"),
    "prices": ("first_day", "product", "price"),
    "promotions": ("first_day",),
    "closures": ("first_day",),
    "events": ("first_day", "name"),
    "products": ("product",),
    "terms": ("product",),
    "on_order": ("product", "quantity"),
}
POSITIVE = ("lead_days", "review_days", "minimum_quantity", "pack_size", "shelf_life_days", "unit_cost", "out_cost")
FREE_TEXT = ("text", "words", "name")


def convert_plain(rows: pa.Table, settings: SourceSettings, shop: Shop) -> tuple[pa.Table, Sieve]:
    """Convert rows of a kind that is no order."""
    kind = settings.kind
    cells = Cells(_name_texts(rows, kind), Meaning(shop, settings.dialect or Dialect(), {}, is_table=True))
    sieve = Sieve(rows[ROW].to_numpy())
    columns = {name: _read(name, cells, sieve) for name in COLUMNS[kind]}
    _fill(kind, columns, cells, sieve)
    if kind == "products":  # pictures of a product, a total below the rows
        says = pc.or_(pc.not_equal(columns["product"], ""), pc.not_equal(columns["name"], ""))
        sieve.leave_out(~says.to_numpy(zero_copy_only=False), "the row names no product")
    for name in NEEDED[kind]:
        _require(name, columns[name], sieve)
    if kind == "stock":
        unknown = pc.and_(columns["on_hand"].is_null(), columns["out"].is_null()).to_numpy(zero_copy_only=False)
        sieve.leave_out(unknown, "nothing says how many there are", "fill the stock, or whether it ran out")
    columns |= {"row": rows[ROW].combine_chunks(), "updated": cells.times("updated").moment_column()}
    schema = schema_of(kind)
    table = pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
    return table.filter(pa.array(sieve.kept)), sieve


def _name_texts(rows: pa.Table, kind: Kind) -> pa.Table:
    for name, type_ in COLUMNS[kind].items():
        if name in rows.column_names and (pa.types.is_string(type_) or pa.types.is_boolean(type_)):
            rows = rows.set_column(rows.column_names.index(name), name, read_names(rows[name]))
    return rows


def _read(name: str, cells: Cells, sieve: Sieve) -> pa.Array:
    type_ = next(columns[name] for columns in COLUMNS.values() if name in columns)
    if name == "customer":
        return read_customers(cells)
    if pa.types.is_string(type_):
        return mask(cells.text(name)) if name in FREE_TEXT else mask_written(cells.text(name))
    if pa.types.is_boolean(type_):
        return _read_out(cells)
    if pa.types.is_date(type_):
        times = cells.times(name)
        sieve.leave_out(~times.known & cells.filled(name), f"{_SAID[name]} cannot be read", _DAYS)
        return times.day_column()
    numbers = cells.numbers(name)
    sieve.leave_out(
        np.isnan(numbers) & cells.filled(name), f"{_SAID[name]} is no number", "mend these rows, or set dialect.decimal"
    )
    return to_arrow(numbers)


_DAYS = "write days as 2026-01-31, or set dialect.dates"
_SAID = {
    "day": "the day", "first_day": "the first day", "last_day": "the last day", "known_from": "the day it was known",
    "quantity": "the quantity", "rating": "the rating", "on_hand": "the stock", "price": "the price",
    "discount": "the discount", "product": "the product", "words": "what was searched for", "name": "the name",
    "unit_cost": "the cost", "out_cost": "the cost of being out", "lead_days": "the lead time",
    "lead_spread_days": "the spread of the lead time", "review_days": "the time between two orders",
    "minimum_quantity": "the least quantity", "pack_size": "the pack", "shelf_life_days": "the shelf life",
    "service_level": "the service level", "ordered_day": "the day it was ordered",
    "expected_day": "the day it is expected", "arrived_day": "the day it came",
}  # fmt: skip


def _read_out(cells: Cells) -> pa.Array:
    """Read whether a product ran out: in words, or as yes and no."""
    words = {**dict.fromkeys(fold_words((*YES, *OUT_WORDS)), 1), **dict.fromkeys(fold_words((*NO, *IN_WORDS)), 0)}
    found = look_up(cells.text("out"), words, -1)
    return pa.array(found == 1, mask=found < 0)


def _fill(kind: Kind, columns: dict[str, pa.Array], cells: Cells, sieve: Sieve) -> None:
    """Say what follows from what is there."""
    if kind in ("views", "carts", "searches"):
        empty = ~cells.filled("quantity")
        columns["quantity"] = pc.if_else(pa.array(empty), 1.0, columns["quantity"])
        numbers = columns["quantity"].to_numpy(zero_copy_only=False)
        sieve.leave_out(numbers < 0, "the quantity is below 0", "mend these rows")
    if kind in ("closures", "events", "promotions"):
        columns["last_day"] = pc.coalesce(columns["last_day"], columns["first_day"])
    if "last_day" in columns and kind != "prices":
        wrong = pc.fill_null(pc.less(columns["last_day"], columns["first_day"]), False)
        sieve.leave_out(wrong.to_numpy(zero_copy_only=False), "the last day is before the first", "mend these rows")
    if kind == "stock":
        out = pc.less_equal(columns["on_hand"], 0)
        columns["out"] = pc.coalesce(columns["out"], out)
    if kind == "terms":
        _fill_terms(columns, cells, sieve)
    if kind == "on_order":
        numbers = columns["quantity"].to_numpy(zero_copy_only=False)
        sieve.leave_out(numbers < 0, "the quantity is below 0", "mend these rows")
        sieve.leave_out(numbers == 0, "nothing of it is to come")
    if kind == "promotions":
        share = columns["discount"]
        columns["discount"] = pc.if_else(pc.greater(share, 1.0), pc.divide(share, 100.0), share)
    if kind == "prices":
        written = cells.text("currency") if cells.has("currency") else None
        signs = cells.rows["price"] if cells.has("price") else None
        currencies = read_currencies(written, signs, "", cells.shop)
        price = columns["price"].to_numpy(zero_copy_only=False)
        columns["price"], columns["currency"] = convert_amounts(price, currencies, cells.shop, sieve)


def _fill_terms(columns: dict[str, pa.Array], cells: Cells, sieve: Sieve) -> None:
    """Leave out what no supplier means: a term below 0, and 0 where it says nothing; 95 is a service level of 0.95."""
    for name in (*POSITIVE, "lead_spread_days", "service_level"):
        numbers = columns[name].to_numpy(zero_copy_only=False)
        sieve.leave_out(numbers < 0, f"{_SAID[name]} is below 0", "mend these rows")
    for name in ("review_days", "minimum_quantity", "pack_size", "shelf_life_days"):
        columns[name] = pc.if_else(pc.equal(columns[name], 0.0), None, columns[name])
    level = columns["service_level"]
    columns["service_level"] = pc.if_else(pc.greater(level, 1.0), pc.divide(level, 100.0), level)
    above = pc.fill_null(pc.greater_equal(columns["service_level"], 1.0), False)
    sieve.leave_out(above.to_numpy(zero_copy_only=False), "the service level is 100 % or more", "write 0.95 or 95")
    written = cells.text("currency") if cells.has("currency") else None
    signs = next((cells.rows[name] for name in ("unit_cost", "out_cost") if cells.has(name)), None)
    if written is None and signs is None:
        return
    currencies = read_currencies(written, signs, "", cells.shop)
    for name in ("unit_cost", "out_cost"):
        money = columns[name].to_numpy(zero_copy_only=False)
        columns[name], columns["currency"] = convert_amounts(money, currencies, cells.shop, sieve)


def _require(name: str, column: pa.Array, sieve: Sieve) -> None:
    empty = pc.equal(column, "") if pa.types.is_string(column.type) else column.is_null()
    sieve.leave_out(empty.to_numpy(zero_copy_only=False), f"{_SAID[name]} is empty", "fill it in each row")
