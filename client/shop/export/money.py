"""Amounts in the shop's own money."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from client.shop.export.sieve import Sieve
from client.shop.export.text import nothing
from client.shop.settings import Shop

SYMBOLS = {"€": "EUR", "£": "GBP", "zł": "PLN", "kč": "CZK", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY"}
DOLLARS = {"us": "USD", "au": "AUD", "c": "CAD", "ca": "CAD", "nz": "NZD", "hk": "HKD", "s": "SGD", "nt": "TWD"}
IN_DOLLARS = {*DOLLARS.values(), "MXN", "ARS", "CLP", "COP", "BRL"}
NO_CURRENCY = "XXX"  # as ISO 4217 has it
ROUND = 6  # digits behind the point; products of binary numbers have more that mean nothing


def read_currencies(written: pa.Array | None, amounts: pa.ChunkedArray | None, default: str, shop: Shop) -> pa.Array:
    """Tell the currency of each amount: as the export says, else as a sign beside the amount, else the default."""
    size = len(written) if written is not None else len(amounts) if amounts is not None else 0
    found = pc.utf8_upper(written) if written is not None else _read_signs(amounts, shop)
    found = nothing(size) if found is None else found
    is_code = pc.match_substring_regex(found, "^(?:[A-Z]{3})?$")
    found = pc.if_else(is_code, found, NO_CURRENCY)  # what is no code may be anything, and is not kept
    return pc.if_else(pc.equal(found, ""), default or shop.currency, found)


def _read_signs(amounts: pa.ChunkedArray | None, shop: Shop) -> pa.Array | None:
    if amounts is None or not (pa.types.is_string(amounts.type) or pa.types.is_large_string(amounts.type)):
        return None
    coded = amounts.combine_chunks().dictionary_encode()
    has_sign = pc.match_substring_regex(coded.dictionary, r"[^\s0-9.,'+\-()%]")
    if not pc.any(has_sign).as_py():
        return None
    each = [_name_currency(text, shop) for text in coded.dictionary.to_pylist()]
    return pc.fill_null(pa.array(each, pa.string()).take(coded.indices), "")


def _name_currency(text: str, shop: Shop) -> str:
    sign = "".join(letter for letter in text.lower() if letter.isalpha() or letter in "$€£¥￥₹₩₽₺")
    if sign.endswith("$"):
        own = shop.currency if shop.currency in IN_DOLLARS else "USD"
        return DOLLARS.get(sign[:-1], own)
    if sign in ("¥", "￥", "元"):
        return "JPY" if shop.currency == "JPY" else "CNY"
    return SYMBOLS.get(sign, sign.upper() if len(sign) == 3 and sign.isascii() else "")


def convert_amounts(
    amounts: Float[np.ndarray, " row"], currencies: pa.Array, shop: Shop, sieve: Sieve
) -> tuple[pa.Array, pa.Array]:
    """Give amounts in the shop's money, null where nothing says what another is worth, and their currency."""
    coded = currencies.dictionary_encode()
    names = coded.dictionary.to_pylist()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    worth = np.array([1.0 if name == shop.currency else shop.rates.get(name, np.nan) for name in names] + [np.nan])
    converted = amounts * worth[codes]
    for number, name in enumerate(names):
        if np.isnan(worth[number]):
            rows = (codes == number) & ~np.isnan(amounts)
            reason = f"amounts in {_say(name)} are not known in {shop.currency}"
            sieve.note(rows, reason, f"say under rates in shop.toml what one {_say(name)} is worth")
    known = [name if np.isnan(each) else shop.currency for name, each in zip([*names, ""], worth, strict=True)]
    currency = pa.array(known, pa.string()).take(coded.indices)
    return to_arrow(np.round(converted, ROUND)), currency


def _say(currency: str) -> str:
    return "money that has no code" if currency == NO_CURRENCY else currency


def to_arrow(numbers: Float[np.ndarray, " row"]) -> pa.Array:
    """Give numbers, null where there is none."""
    return pa.array(numbers, pa.float64(), mask=np.isnan(numbers))
