"""Which kind of record a table holds: told by the fields that its columns can be."""

from __future__ import annotations

import re
from collections.abc import Sequence

from client.shop.export.field import (
    CART_WORDS,
    CLOSURE_WORDS,
    EXPECTED_WORDS,
    PURCHASE_WORDS,
    RETURN_DAYS,
    RETURN_QUANTITIES,
    SUPPLIER_WORDS,
    VIEW_WORDS,
    WORDS,
)
from client.shop.export.guess import FITS, SURE, Column, header_score, rank_columns
from client.shop.record import Kind
from client.shop.source.source import Look

PROMOTION_WORDS = re.compile(r"promo|aktion|(?<![a-z])sale(?![a-z])|rabatt|促销|活动")


class _Signs:
    """What a table's columns can be."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.day = self.has("sales", "day") or any(column.share_days == 1 for column in columns if column.filled)
        self.product = self.has("sales", "product")
        self.order = self.has("sales", "order", SURE)
        self.sold = self.has("sales", "quantity")

    def has(self, kind: Kind, field: str, least: float = FITS) -> bool:
        """Whether a column can be this field, by name and by values."""
        ranked = rank_columns(field, WORDS[kind][field], self.columns)
        return bool(ranked) and ranked[0][0] >= least

    def is_called(self, words: tuple[str, ...], least: float = FITS) -> bool:
        """Whether a column is called so, whatever stands in it."""
        return any(header_score(column.name, words) >= least for column in self.columns)


def find_kind(look: Look, columns: Sequence[Column]) -> Kind | None:
    """Tell which kind of record a table holds; None where it is none that can be seen."""
    signs = _Signs(columns)
    if _are_purchases(signs):
        return "on_order"
    if _are_terms(signs):
        return "terms"
    if signs.is_called((*RETURN_DAYS, *RETURN_QUANTITIES), SURE) and (signs.order or signs.product):
        return "returns"
    if signs.order and signs.day and signs.product:
        return "sales"
    return _kind_of_happenings(signs) or _kind_of_spans(signs) or _kind_of_others(look, signs)


def _are_purchases(signs: _Signs) -> bool:
    """Whether it lists what was ordered from suppliers: for a day to come, and by nobody who is a customer."""
    ordered = signs.is_called(SUPPLIER_WORDS, SURE) or signs.is_called(PURCHASE_WORDS, SURE)
    due = signs.is_called(EXPECTED_WORDS, SURE)
    return bool(signs.product and ordered and due and signs.has("on_order", "quantity")) and not signs.has(
        "sales", "customer"
    )


def _are_terms(signs: _Signs) -> bool:
    """Whether it says on what terms products are ordered: two terms at least, and no day on which anything happened."""
    terms = ("supplier", "unit_cost", "lead_days", "minimum_quantity", "pack_size", "shelf_life_days")
    return signs.product and not signs.day and sum(signs.has("terms", term) for term in terms) >= 2


def _kind_of_happenings(signs: _Signs) -> Kind | None:
    """Tell what happened on days, where it is no sale."""
    if not signs.day or signs.sold:
        return None
    if signs.product and signs.has("reviews", "rating"):
        return "reviews"
    if signs.has("searches", "words") and not signs.is_called(("sku", "product id")):
        return "searches"
    if signs.product and signs.is_called(VIEW_WORDS):
        return "views"
    if signs.product and signs.is_called(CART_WORDS):
        return "carts"
    if signs.product and (signs.has("stock", "on_hand") or signs.has("stock", "out")):
        return "stock"
    return None


def _kind_of_spans(signs: _Signs) -> Kind | None:
    """Tell what holds from a day on."""
    starts = signs.is_called(WORDS["closures"]["last_day"]) or signs.is_called(
        ("start", "valid from", "von", "开始日期")
    )
    if signs.sold:
        return None
    if starts and signs.has("promotions", "first_day") and signs.has("promotions", "discount"):
        return "promotions"
    if signs.day and signs.product and signs.has("prices", "price") and not signs.has("sales", "amount"):
        return "prices"
    return None


def _kind_of_others(look: Look, signs: _Signs) -> Kind | None:
    if signs.day and signs.product:
        return "sales"
    if signs.has("closures", "first_day") and not signs.product:
        return _kind_of_days(look, signs)
    if signs.product and (signs.has("products", "name") or signs.has("products", "category")):
        return "products"
    return None


def _kind_of_days(look: Look, signs: _Signs) -> Kind | None:
    """Tell closures, promotions of everything and events apart, by the words for them."""
    said = " ".join((look.location, look.table, *(column.name for column in signs.columns))).lower()
    values = " ".join(value.lower() for column in signs.columns for value in column.filled[:50])
    if any(word in said for word in CLOSURE_WORDS):
        return "closures"
    if PROMOTION_WORDS.search(said) and len(signs.columns) > 1:
        return "promotions"
    if not signs.has("events", "name"):
        return None
    return "closures" if any(word in values for word in CLOSURE_WORDS) else "events"
