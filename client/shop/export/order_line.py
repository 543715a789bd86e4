"""What the cells of order lines say: product, customer, day, quantity, amount, state; and which lines can be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from client.shop.export.cells import CANCELLED, SOLD, TEST, UNKNOWN, UNPAID, Cells
from client.shop.export.description import IDENTIFYING, NAMING
from client.shop.export.moment import Times, read_times
from client.shop.export.money import read_currencies
from client.shop.export.order import ROW, RUN
from client.shop.export.sieve import Sieve
from client.shop.export.text import first_filled, fold_words, look_up, matches
from client.shop.export.word import NO_PRODUCT, TEST_PAYMENTS, TEST_TAG, TOTALS, YES
from client.shop.settings import Shop
from common.data.usable import LARGEST_VALUE


@dataclass(frozen=True)
class Lines:
    """Order lines with everything read, a row each; `sieve` says which can be used."""

    shop: Shop
    rows: pa.Table
    order: pa.Array
    product: pa.Array
    customer: pa.Array
    times: Times
    quantity: Float[np.ndarray, " row"]
    amount: Float[np.ndarray, " row"]
    currency: pa.Array
    state: np.ndarray
    updated: pa.Array
    sieve: Sieve


def read_lines(cells: Cells) -> Lines:
    """Read lines of orders, and judge which can be used."""
    sieve = Sieve(cells.rows[ROW].to_numpy())
    product = name_products(cells)
    quantity = _read_quantity(cells)
    _leave_out_no_products(cells, product, quantity, sieve)
    times = _read_day(cells)
    sieve.leave_out(~times.known & ~cells.filled("day"), "no line of the order says its day", _say_no_day(cells))
    sieve.leave_out(~times.known, "the day cannot be read", _DAYS)
    sieve.leave_out(np.isin(times.days, NO_DAYS), "the day is one that programs write where there is none", _DAYS)
    has_quantity = cells.filled("quantity") | cells.filled("net_quantity")
    sieve.leave_out(np.isnan(quantity) & ~has_quantity, "the quantity is empty", _EMPTY)
    sieve.leave_out(np.isnan(quantity), "the quantity is no number", _NUMBERS)
    sieve.leave_out(np.abs(quantity) > LARGEST_VALUE, "the quantity is too large", "mend these lines")
    sieve.leave_out(quantity == 0, "the quantity is 0: nothing was ordered")
    if not cells.meaning.is_table:
        sieve.leave_out(~cells.filled("order"), "no order number", "export the order's number into each of its rows")
    state = _read_states(cells, sieve)
    return Lines(
        shop=cells.shop,
        rows=cells.rows,
        order=cells.text("order"),
        product=product,
        customer=read_customers(cells),
        times=times,
        quantity=quantity,
        amount=_read_amount(cells, quantity),
        currency=_read_currency(cells),
        state=state,
        updated=cells.times("updated").moment_column(),
        sieve=sieve,
    )


def read_returns(cells: Cells) -> Lines:
    """Read rows that are returns: a day and a product may be missing, one of quantity and amount must be there."""
    sieve = Sieve(cells.rows[ROW].to_numpy())
    product, quantity = name_products(cells), cells.numbers("quantity")
    amount, times = _read_amount(cells, quantity), _read_day(cells)
    unnamed = pc.and_(pc.equal(product, ""), pc.equal(cells.text("order"), "")).to_numpy(zero_copy_only=False)
    sieve.leave_out(unnamed, "the row names neither an order nor a product")
    sieve.leave_out(~times.known & cells.filled("day"), "the day cannot be read", _DAYS)
    sieve.leave_out(np.isnan(quantity) & cells.filled("quantity"), "the quantity is no number", _NUMBERS)
    empty = (np.isnan(quantity) | (quantity == 0)) & (np.isnan(amount) | (amount == 0))
    sieve.leave_out(empty, "nothing says how many or how much went back", "fill the quantity or the amount")
    return Lines(
        shop=cells.shop, rows=cells.rows, order=cells.text("order"), product=product,
        customer=read_customers(cells), times=times,
        quantity=quantity, amount=amount, currency=_read_currency(cells), state=np.full(cells.size, SOLD),
        updated=cells.times("updated").moment_column(), sieve=sieve,
    )  # fmt: skip


def name_products(cells: Cells) -> pa.Array:
    """Name what was sold: by the shop's own number, else by the platform's, else by its title, with its variant."""
    names = []
    for name in NAMING:
        if cells.has(name):
            text = cells.text(name)
            text = pc.if_else(pc.equal(text, "0"), "", text) if name == "variation" else text
            names.append(_add_variant(text, cells) if name in ("product", "title") else text)
    return first_filled(names, cells.size)


def _add_variant(names: pa.Array, cells: Cells) -> pa.Array:
    if not cells.has("variant"):
        return names
    variant = cells.text("variant")
    has_both = pc.and_(pc.not_equal(variant, ""), pc.not_equal(names, ""))
    return pc.if_else(has_both, pc.binary_join_element_wise(names, variant, " / "), names)


NO_DAYS = np.array(["1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01"], "datetime64[D]")
_STATE = "say under states in shop.toml what its word means"
_DAYS, _NUMBERS = "write days as 2026-01-31, or set dialect.dates", "mend these rows, or set dialect.decimal"
_EMPTY = "fill in how many, 0 where nothing was sold; rows of days to come may stay empty"
_SEVERAL = 'read 宝贝报表 together with 订单报表: location = "Export*.csv" in shop.toml'


def _say_no_day(cells: Cells) -> str:
    together = cells.meaning.currency == "CNY" and not cells.has("day")
    return _SEVERAL if together else "export the day into at least one line of each order"


def _leave_out_no_products(cells: Cells, product: pa.Array, quantity: np.ndarray, sieve: Sieve) -> None:
    unnamed = pc.equal(product, "").to_numpy(zero_copy_only=False)
    runs = cells.rows[RUN].to_numpy()
    is_head = unnamed & np.isin(runs, runs[~unnamed])  # of an order that has lines
    if not cells.meaning.is_table:
        sieve.leave_out(
            is_head | unnamed & np.isnan(quantity), "the row is no line of an order (its head, a footer, an empty row)"
        )
    several = np.nan_to_num(cells.numbers("kinds")) > 1
    sieve.leave_out(several, "the order has several products, and does not say how many of each", _SEVERAL)
    sieve.leave_out(unnamed, "no product stands in the line", "name the product in each line")
    for name in ("title", "product", "sku"):
        if cells.has(name):
            wrong = matches(cells.text(name), NO_PRODUCT)
            sieve.leave_out(wrong, "the line is no product (shipping, a tip, a discount, a gift card)")
            total = matches(cells.text(name), TOTALS)
            sieve.leave_out(total, "the line is a total of others, by its name", "rename the product if it is one")
    channel = cells.text("channel")
    is_elsewhere = matches(channel, "^non-amazon") if cells.has("channel") else np.zeros(cells.size, bool)
    sieve.leave_out(is_elsewhere, "the order is of another channel, and counts there")


def _read_quantity(cells: Cells) -> Float[np.ndarray, " row"]:
    if cells.has("quantity"):
        return cells.numbers("quantity")
    if cells.has("net_quantity"):
        return cells.numbers("net_quantity")
    return np.ones(cells.size) if cells.meaning.counts_rows else np.full(cells.size, np.nan)


def _read_day(cells: Cells) -> Times:
    times = cells.times("day")
    if not cells.has("second"):
        return times
    clock = pc.binary_join_element_wise("2000-01-01", cells.text("second"), " ")
    _, seconds, _ = read_times_of_day(clock, cells)
    return Times(times.days, np.where(np.isnan(seconds), times.seconds, seconds), times.moments)


def read_times_of_day(clock: pa.Array, cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read texts of a fixed day and a time."""
    zone = cells.meaning.shop.time_zone
    times = read_times(pa.chunked_array([clock]), cells.meaning.dialect, written_in="", shop_zone=zone)
    return times.days, times.seconds, times.moments


def _read_amount(cells: Cells, quantity: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    amount, price = cells.numbers("amount"), cells.numbers("price")
    amount = np.where(np.isnan(amount), price * quantity, amount)
    discount = np.abs(np.nan_to_num(cells.numbers("discount")))
    return np.where(np.abs(amount) > LARGEST_VALUE, np.nan, amount - discount)


def _read_currency(cells: Cells) -> pa.Array:
    written = cells.text("currency") if cells.has("currency") else None
    signs = next((cells.rows[name] for name in ("amount", "price") if cells.has(name)), None)
    if written is None and signs is None:
        return pa.array(np.full(cells.size, cells.meaning.currency or cells.shop.currency), pa.string())
    return read_currencies(written, signs, cells.meaning.currency, cells.shop)


def read_customers(cells: Cells) -> pa.Array:
    """Give what tells customers apart: a number, else e-mail, else telephone, else user name, normalised."""
    found = []
    for name in IDENTIFYING:
        if cells.has(name):
            text = pc.utf8_lower(cells.text(name))
            if name == "phone":
                text = pc.replace_substring_regex(text, r"^00|[^0-9]", "")
            unsaid = pc.or_(pc.is_in(text, pa.array(["0", "--", "-", "guest"])), pc.match_substring(text, "*"))
            found.append(pc.if_else(unsaid, "", text))
    return first_filled(found, cells.size)


def _read_states(cells: Cells, sieve: Sieve) -> np.ndarray:
    meaning = cells.meaning
    state = np.full(cells.size, SOLD)
    if cells.has("state"):
        numbers = {**meaning.state_numbers, "": SOLD}
        state = look_up(cells.text("state"), numbers, UNKNOWN)
        sieve.note(state == UNKNOWN, "the order's state is not known, and it counts as sold", _STATE)
        state = np.where(state == UNKNOWN, SOLD, state)
    elif cells.has("paid"):
        state = np.where(cells.filled("paid"), SOLD, UNPAID)
    if cells.has("line_state"):
        line = look_up(cells.text("line_state"), meaning.state_numbers, UNKNOWN)
        state = np.where(line == CANCELLED, CANCELLED, state)
    if cells.has("state") and cells.has("paid") and meaning.refunded:
        closed = (state == CANCELLED) & cells.filled("paid") & ~cells.filled("cancelled")
        state = np.where(closed & (meaning.currency == "CNY"), SOLD, state)
    state = np.where(cells.filled("cancelled"), CANCELLED, state)
    return np.where(_is_test(cells), TEST, state)


def _is_test(cells: Cells) -> Bool[np.ndarray, " row"]:
    found = np.zeros(cells.size, bool)
    if cells.has("test"):
        found |= look_up(cells.text("test"), dict.fromkeys(fold_words(YES), 1), 0) == 1
    if cells.has("payment"):
        found |= look_up(cells.text("payment"), dict.fromkeys(fold_words(TEST_PAYMENTS), 1), 0) == 1
    if cells.has("tags"):
        found |= matches(cells.text("tags"), TEST_TAG)
    return found
