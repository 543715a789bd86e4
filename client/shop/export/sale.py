"""Order lines, whole and filled, become sales and returns.

- **State**: a test order is a test, else a cancelled one cancelled, else one that was not paid unpaid; the rest is
  sold. A word that is not known counts as sold, and is said.
- **Refunds**: money or goods that went back are a return; the sale stays a sale of what was ordered. What the export
  says of a line is a return of that line; what it says of the order alone is one return of the order without a product.
- **Quantities**: below 0 is a return; 0 is nothing.
- **Bundles**: where parts name their bundle, the parts count and the bundle's own line does not; money that stood on
  the bundle is not known of its parts.
- Lines that are no product (shipping, tips, discounts, gift cards) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from client.shop.export.cells import CANCELLED, SOLD, STATES, UNKNOWN, UNPAID, Cells
from client.shop.export.line import LineNames, find_parents
from client.shop.export.money import convert_amounts, to_arrow
from client.shop.export.order import IS_HEAD, ROW, RUN
from client.shop.export.order_line import Lines, read_lines, read_returns
from client.shop.export.sieve import Sieve
from client.shop.export.text import fold_words, look_up, nothing
from client.shop.record import Kind, schema_of

CENT = 0.005


class OrderLines:
    """Converts lines of orders; it remembers what tells lines apart from batch to batch."""

    def __init__(self) -> None:
        self._sold, self._returned = LineNames(), LineNames()

    def convert(self, cells: Cells) -> tuple[pa.Table, pa.Table, Sieve]:
        """Convert whole orders, or whole stretches of them, into sales, returns and what is left out."""
        if cells.meaning.are_returns:
            return self._convert_returns(cells)
        lines = read_lines(cells)
        parents = _find_bundles(cells, lines)
        sold = lines.sieve.kept & (lines.quantity > 0)
        sales, names = self._sell(lines, cells, parents, sold)
        single = _returned_lines(lines, cells, sold)
        tables = [
            self._take_back(lines, cells),
            _return_lines(lines, single, names.filter(pa.array(single.back[sold]))),
            _return_orders(lines, cells, single.back),
        ]
        return sales, pa.concat_tables(tables).combine_chunks(), lines.sieve

    def _sell(
        self, lines: Lines, cells: Cells, parents: np.ndarray, sold: Bool[np.ndarray, " row"]
    ) -> tuple[pa.Table, pa.Array]:
        amount = np.where(parents & (lines.amount == 0), np.nan, lines.amount)
        places = pa.array(np.flatnonzero(sold))
        names = self._name(self._sold, lines, cells, places, amount)
        columns = {
            **_shared(lines, places),
            **_money(amount, lines, places, lines.sieve),
            "line": names,
            "second": lines.times.second_column().take(places),
            "quantity": pa.array(lines.quantity[sold]),
            "state": pa.array(STATES).take(pa.array(np.minimum(lines.state, UNPAID)[sold])),
        }
        return _table("sales", columns), names

    def _take_back(self, lines: Lines, cells: Cells) -> pa.Table:
        """Give lines of less than nothing, which are what came back."""
        back = lines.sieve.kept & (lines.quantity < 0) & (lines.state == SOLD)
        places = pa.array(np.flatnonzero(back))
        names = self._name(self._returned, lines, cells, places, lines.amount)
        columns = {
            **_shared(lines, places),
            **_money(np.abs(lines.amount), lines, places),
            "line": names,
            "quantity": pa.array(-lines.quantity[back]),
        }
        return _table("returns", columns)

    def _convert_returns(self, cells: Cells) -> tuple[pa.Table, pa.Table, Sieve]:
        """Convert rows that are returns themselves; what went back, and when, may not be known."""
        lines = read_returns(cells)
        back = lines.sieve.kept
        places = pa.array(np.flatnonzero(back))
        amount, quantity = np.abs(lines.amount), np.abs(lines.quantity)
        columns = {
            **_shared(lines, places),
            **_money(amount, lines, places, lines.sieve),
            "line": self._name(self._returned, lines, cells, places, amount),
            "quantity": to_arrow(quantity[back]),
        }
        return schema_of("sales").empty_table(), _table("returns", columns), lines.sieve

    def _name(
        self, namer: LineNames, lines: Lines, cells: Cells, places: pa.Array, amount: Float[np.ndarray, " row"]
    ) -> pa.Array:
        rows = places.to_numpy()
        contents = (lines.quantity[rows], amount[rows], lines.state[rows].astype(float))
        runs = lines.rows[RUN].to_numpy()[rows]
        order, line, product = (each.take(places) for each in (lines.order, cells.text("line"), lines.product))
        return namer.name(order, line, product, runs, contents)


def _find_bundles(cells: Cells, lines: Lines) -> Bool[np.ndarray, " row"]:
    """Leave out bundles whose parts are there; tell which lines are parts of such a bundle."""
    if not cells.has("parent"):
        return np.zeros(cells.size, bool)
    parent = cells.text("parent")
    names = [cells.text("line"), lines.product]
    is_bundle = find_parents(lines.order, names[0], names[1], parent)
    lines.sieve.leave_out(is_bundle, "the line is a bundle, and its parts are counted")
    return pc.not_equal(parent, "").to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Back:
    """Which lines went back, how many pieces, and for how much."""

    back: Bool[np.ndarray, " row"]
    pieces: Float[np.ndarray, " row"]
    money: Float[np.ndarray, " row"]


def _returned_lines(lines: Lines, cells: Cells, sold: Bool[np.ndarray, " row"]) -> Back:
    """Find out what the export says of single lines that went back."""
    pieces, money = _returned_pieces(cells, lines), np.abs(cells.numbers("line_refund"))
    said = cells.text("state" if cells.meaning.is_table else "refund_state")
    whole = look_up(said, dict.fromkeys(fold_words(cells.meaning.refunded), 1), 0) == 1
    whole |= _closed_after_payment(cells, lines)
    back = sold & (lines.state == SOLD) & ((pieces > 0) | (money > 0) | whole)
    all_of_it = (whole | (money > 0)) & ~(money < lines.amount - CENT)
    pieces = np.where(pieces > 0, pieces, np.where(all_of_it, lines.quantity, np.nan))
    return Back(back, pieces, np.where(money > 0, money, np.where(whole, lines.amount, np.nan)))


def _return_lines(lines: Lines, single: Back, names: pa.Array) -> pa.Table:
    """Give a return for each line that went back, of a day that no export says."""
    places = pa.array(np.flatnonzero(single.back))
    columns = {
        **_shared(lines, places),
        **_money(single.money, lines, places),
        "day": pa.nulls(len(places), pa.date32()),
        "line": names,
        "quantity": to_arrow(single.pieces[single.back]),
    }
    return _table("returns", columns)


def _returned_pieces(cells: Cells, lines: Lines) -> Float[np.ndarray, " row"]:
    if cells.has("returned"):
        return np.abs(cells.numbers("returned"))
    if cells.has("net_quantity") and cells.has("quantity"):
        return lines.quantity - cells.numbers("net_quantity")
    return np.full(cells.size, np.nan)


def _closed_after_payment(cells: Cells, lines: Lines) -> Bool[np.ndarray, " row"]:
    if not (cells.meaning.currency == "CNY" and cells.has("state") and cells.has("paid")):
        return np.zeros(cells.size, bool)
    closed = look_up(cells.text("state"), cells.meaning.state_numbers, UNKNOWN) == CANCELLED
    return closed & cells.filled("paid") & (lines.state == SOLD)


def _return_orders(lines: Lines, cells: Cells, single: Bool[np.ndarray, " row"]) -> pa.Table:
    """Give money of a whole order that went back, where nothing says of which lines."""
    money = np.abs(cells.numbers("refund"))
    words = look_up(cells.text("state"), dict.fromkeys(fold_words(cells.meaning.refunded), 1), 0) == 1
    if cells.has("refund_state") or (cells.has("line_refund") and cells.meaning.currency == "CNY"):
        words = np.zeros(cells.size, bool)
    is_head = cells.rows[IS_HEAD].to_numpy()
    back = is_head & (lines.state == SOLD) & ((np.nan_to_num(money) > 0) | words) & lines.times.known
    back &= ~np.isin(lines.rows[RUN].to_numpy(), lines.rows[RUN].to_numpy()[single])
    places = pa.array(np.flatnonzero(back))
    money = np.where(money > 0, money, np.nan)
    columns = {
        **_shared(lines, places),
        **_money(money, lines, places),
        "day": pa.nulls(len(places), pa.date32()),
        "line": nothing(len(places)),
        "product": nothing(len(places)),
        "quantity": pa.nulls(len(places), pa.float64()),
    }
    return _table("returns", columns)


def _money(
    amount: Float[np.ndarray, " row"], lines: Lines, places: pa.Array, sieve: Sieve | None = None
) -> dict[str, pa.Array]:
    """Give amounts of some lines in the shop's money; what is not known is said once, of sales."""
    rows = places.to_numpy()
    of_rows = Sieve(lines.rows[ROW].to_numpy()[rows])
    currencies = lines.currency.take(places)
    converted, currency = convert_amounts(amount[rows], currencies, lines.shop, of_rows)
    if sieve is not None:
        sieve.notes.extend(of_rows.notes)
    return {"amount": converted, "currency": currency}


def _shared(lines: Lines, places: pa.Array) -> dict[str, pa.Array]:
    return {
        "row": lines.rows[ROW].combine_chunks().take(places),
        "updated": lines.updated.take(places),
        "order": lines.order.take(places),
        "day": lines.times.day_column().take(places),
        "product": lines.product.take(places),
        "customer": lines.customer.take(places),
    }


def _table(kind: Kind, columns: dict[str, pa.Array]) -> pa.Table:
    schema = schema_of(kind)
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
