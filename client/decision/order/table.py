"""Lay out what to order: a row a product, each with its reason in every language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from client.decision.order.batch import Part
from client.decision.order.gathering import Gathered
from client.decision.order.reason import give_reason
from client.decision.order.shelf_class import classify
from client.language.speech import OTHERS, say_in
from client.shop.history.history import History
from client.shop.settings import Shop

SCHEMA = pa.schema(
    {
        "product": pa.string(),
        "name": pa.string(),
        "class": pa.string(),  # AX to CZ
        "supplier": pa.string(),
        "quantity": pa.float64(),  # null where nothing tells how many there are
        "order_day": pa.date32(),
        "arrives": pa.date32(),  # expected
        "next_arrives": pa.date32(),  # goods of the next chance to order, expected
        "on_hand": pa.float64(),
        "on_order": pa.float64(),
        "reorder_point": pa.float64(),
        "order_up_to": pa.float64(),
        "safety_stock": pa.float64(),
        "demand": pa.float64(),  # mean until next_arrives
        "demand_high": pa.float64(),  # exceeded in one case of ten
        "risk_out": pa.float64(),  # until next_arrives, with this order
        "risk_out_without": pa.float64(),
        "missing_pieces": pa.float64(),  # on average, with this order
        "unit_cost": pa.float64(),
        "cash": pa.float64(),
        "cash_on_hand": pa.float64(),
        "dead_pieces": pa.float64(),  # on hand, and not sold within dead_days
        "dead_cash": pa.float64(),
        "cut": pa.float64(),  # pieces that the budget cut
        "why": pa.string(),
    }
)


def lay_out(known: Gathered, part: Part, quantity: Float[np.ndarray, " product"], shop: Shop, first: date) -> pa.Table:
    """Lay a batch out; names and classes are left empty."""
    columns = _describe_goods(known, part, first) | _count(known, part, quantity)
    table = pa.table({name: _column(name, values) for name, values in columns.items()}).select(
        [name for name in SCHEMA.names if name != "why"]
    )
    whys = _give_reasons(table, part, shop)
    table = table.append_column("why", pa.array(whys, pa.string())).cast(SCHEMA)
    for language in OTHERS:
        table = table.append_column(f"why {language}", pa.array(say_in(language, whys), pa.string()))
    return table


def _column(name: str, values: Sequence[object] | np.ndarray) -> pa.Array:
    """Make a column; what is no number is null."""
    return pa.array(values, SCHEMA.field(name).type, from_pandas=isinstance(values, np.ndarray))


def _describe_goods(known: Gathered, part: Part, first: date) -> dict[str, Sequence[object] | np.ndarray]:
    """Give what is the same however many are ordered: which product, from whom, when."""
    terms, blank = part.terms, [""] * len(part.places)
    arrives, following = (
        [first + timedelta(days=round(float(day))) for day in days]
        for days in (terms.wait + terms.lead, terms.wait + terms.review + terms.lead)
    )
    return {
        "product": [known.products[place] for place in part.places],
        "name": blank,
        "class": blank,
        "supplier": [known.supplier[place] for place in part.places],
        "order_day": [known.order_day[place] for place in part.places],
        "arrives": arrives,
        "next_arrives": following,
    }


def _count(
    known: Gathered, part: Part, quantity: Float[np.ndarray, " product"]
) -> dict[str, Sequence[object] | np.ndarray]:
    """Give pieces, risks and money; unknown where nothing tells how many there are."""
    ordered, need, hand = part.ordered, part.ordered.need, known.on_hand[part.places]
    cost, coming = known.unit_cost[part.places], known.orders
    has_stock = np.isfinite(hand)
    risk = (need.out_before | (need.need > quantity)).mean(axis=0)
    missing = np.minimum(np.maximum(need.need - quantity, 0.0), need.asked).mean(axis=0)
    told = {
        "quantity": quantity,
        "risk_out": risk,
        "risk_out_without": ordered.risk_without,
        "missing_pieces": missing,
        "cash": quantity * cost,
        "dead_pieces": part.dead,
        "dead_cash": part.dead * cost,
    }
    return {
        **{name: np.where(has_stock, values, np.nan) for name, values in told.items()},
        "on_hand": hand,
        "on_order": np.bincount(coming.product, coming.quantity, minlength=len(known.products))[part.places],
        "reorder_point": ordered.level,
        "order_up_to": ordered.up_to,
        "safety_stock": ordered.safety,
        "demand": ordered.asked,
        "demand_high": ordered.high,
        "unit_cost": cost,
        "cash_on_hand": hand * cost,
        "cut": np.where(has_stock, ordered.quantity - quantity, 0.0),
    }


def _give_reasons(table: pa.Table, part: Part, shop: Shop) -> list[str]:
    terms, ordered = part.terms, part.ordered
    each = zip(
        table.to_pylist(),
        terms.pack.tolist(),
        ordered.block.tolist(),
        ordered.spoils.tolist(),
        terms.shelf_life.tolist(),
        terms.service_level.tolist(),
        part.ended.tolist(),
        strict=True,
    )
    return [
        give_reason(row, pack=pack, block=block, spoils=spoils, life=life, level=level, ended=ended, shop=shop)
        for row, pack, block, spoils, life, level, ended in each
    ]


def put_names_in(table: pa.Table, history: History) -> pa.Table:
    """Put names and classes in."""
    names = {row["product"]: row["name"] for row in history.products().to_pylist()}
    products = table["product"].to_pylist()
    named = pa.array([names.get(product) or "" for product in products], pa.string())
    table = table.set_column(table.schema.get_field_index("name"), "name", named)
    classes = pa.array(classify(history, products), pa.string())
    return table.set_column(table.schema.get_field_index("class"), "class", classes)
