"""Orders of a whole shop: gather what is known, draw paths, propose, cut to the budget, and lay out a row a product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from zlib import crc32

import numpy as np
import pyarrow as pa

from client.decision.order.budget import fit_budget
from client.decision.order.gathering import Gathered, gather
from client.decision.order.need import Need
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Ordered, Terms, propose
from client.decision.order.reason import give_reason
from client.decision.order.shelf_class import classify
from client.language.speech import OTHERS, say_in
from client.shop.calendar.day_after import day_after
from client.shop.calendar.day_kind import find_ended
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.path import draw_learnt_paths
from client.shop.forecast.question import Question
from client.shop.forecast.setting import OnStep
from client.shop.history.history import History
from client.shop.settings import Shop
from common.errors import DataError

NUM_DRAWS, SEED = 200, 16
GOLDEN = (5**0.5 - 1) / 2  # whose multiples are spread over [0, 1) the most evenly, every how many days ever
LONG_AGO = 14  # days after which a history has ended, and the order is made for the day after its end
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


@dataclass(frozen=True)
class Orders:
    """What a shop should order.

    Attributes
    ----------
    table
        A row per product (`SCHEMA`), those to order first, the most money first.
    whys
        Language → the reasons of all rows in it, beside those in English in the table.
    """

    table: pa.Table
    day: date
    budget: float | None
    dead_days: int
    assumed: tuple[str, ...]
    whys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def order_shop(
    history: History,
    shop: Shop,
    *,
    today: date,
    products: Sequence[str] = (),
    budget: float | None = None,
    learnt: Learnt | None = None,
    on_step: OnStep = lambda what, share: None,
) -> Orders:
    """Propose what to order.

    Parameters
    ----------
    learnt
        What was learned of the shop already; it is used where it looks as far ahead as orders do.

    Raises
    ------
    ConfigError
        A product is unknown.
    DataError
        There is nothing to forecast from.
    """
    span = history.span()
    if span is None:
        raise DataError("No product was ever sold in this shop; import its sales: hansa-client import")
    first, ended = day_after(span[1]), list[str]()
    day = max(today, first)
    if (day - first).days > LONG_AGO:
        ended = [f"The history ends on {span[1]}: this is what to order on {first}. Import what has been sold since."]
        day = first
    names = tuple(sorted(products)) or tuple(
        row["product"] for row in history.products().to_pylist() if row["last_day"] is not None
    )
    known = gather(history, shop, names, first=first, today=day)
    days = min(max(known.terms.days(), shop.order.dead_days), 365)
    places = {name: place for place, name in enumerate(known.products)}
    generator, found = np.random.default_rng(SEED), list[_Part]()
    gone = find_ended(history, shop)
    is_gone = np.array([name in gone for name in known.products], bool)
    if learnt is None or not learnt.serves(first, days):
        question = Question(by="day", horizon=f"{days}d", origin=first, products=tuple(products))
        learnt = learn_shop(history, shop, question, today=today, on_step=on_step)
    for paths in draw_learnt_paths(learnt, days=days, num_draws=NUM_DRAWS, products=products, on_step=on_step):
        at = np.array([places[name] for name in paths.products], int)
        part = _order_batch(known, at, paths.draws, shop.order.dead_days, generator)
        found.append(_order_no_more(part, is_gone[at]))
    quantities = _fit(found, known, shop.order.budget if budget is None else budget)
    table = pa.concat_tables(
        [_lay_out(known, part, quantity, shop, first) for part, quantity in zip(found, quantities, strict=True)]
    )
    table = _describe(table, history)
    spent = pa.array(np.nan_to_num(table["cash"].to_numpy()))
    table = table.append_column("spent", spent).sort_by([("spent", "descending"), ("product", "ascending")])
    return Orders(
        table.select(SCHEMA.names),
        day,
        shop.order.budget if budget is None else budget,
        shop.order.dead_days,
        (*ended, *known.assumed),
        {language: tuple(table[f"why {language}"].to_pylist()) for language in OTHERS},
    )


@dataclass(frozen=True)
class _Part:
    places: np.ndarray
    ordered: Ordered
    terms: Terms
    dead: np.ndarray
    ended: np.ndarray


def _order_batch(
    known: Gathered, places: np.ndarray, draws: np.ndarray, dead_days: int, generator: np.random.Generator
) -> _Part:
    """Propose for a batch; of what nothing tells how many there are, up to how many to fill up."""
    terms, hand = known.terms.of(places), np.nan_to_num(known.on_hand[places])
    needed = terms.days()
    if draws.shape[2] < needed:
        draws = np.concatenate([draws, draws[:, :, -(needed - draws.shape[2]) :]], axis=2)
    turn = np.array([_turn(known.products[place], known.order_day[place]) for place in places])
    ordered = propose(draws[:, :, :needed], hand, known.orders.of(places), terms, generator, turn=turn)
    uncounted = np.flatnonzero(np.isnan(known.on_hand[places]))
    if len(uncounted) and not terms.waits:
        ordered = _fill_up(
            ordered, uncounted, draws[:, :, :needed], known.orders.of(places[uncounted]), terms, generator
        )
    dead = np.maximum(hand - draws[:, :, :dead_days].sum(axis=2), 0.0).mean(axis=0)
    return _Part(places, ordered, terms, dead, np.zeros(len(places), bool))


def _fill_up(
    ordered: Ordered,
    places: np.ndarray,
    draws: np.ndarray,
    orders: OnOrder,
    terms: Terms,
    generator: np.random.Generator,
) -> Ordered:
    """Give levels that serve what is asked for before the goods come, too.

    From an empty shelf those sales are lost and need no pieces; a shelf that is filled up to its level serves them.
    """
    waiting = replace(terms.of(places), waits=True)
    filled = propose(draws[:, places], np.zeros(len(places)), orders, waiting, generator)
    level, up_to, safety = ordered.level.copy(), ordered.up_to.copy(), ordered.safety.copy()
    level[places], up_to[places], safety[places] = filled.level, filled.up_to, filled.safety
    return replace(ordered, level=level, up_to=up_to, safety=safety)


def _order_no_more(part: _Part, ended: np.ndarray) -> _Part:
    """Order none of what is sold no longer, however large its last customers were."""
    ordered = part.ordered
    fewer = replace(
        ordered,
        quantity=np.where(ended, 0.0, ordered.quantity),
        level=np.where(ended, 0.0, ordered.level),
        up_to=np.where(ended, 0.0, ordered.up_to),
        safety=np.where(ended, 0.0, ordered.safety),
    )
    return replace(part, ordered=fewer, ended=ended)


def _turn(product: str, day: date) -> float:
    """Give a number between 0 and 1 that is evenly spread over days, and the same whenever this order is asked for."""
    return (crc32(product.encode()) / 2**32 + day.toordinal() * GOLDEN) % 1.0


def _fit(found: Sequence[_Part], known: Gathered, budget: float | None) -> list[np.ndarray]:
    """Cut all batches together to one budget."""
    wanted = [np.where(np.isfinite(known.on_hand[part.places]), part.ordered.quantity, 0.0) for part in found]
    if budget is None:
        return wanted
    join = np.concatenate
    needs = [part.ordered.need for part in found]
    need = Need(
        join([each.need for each in needs], axis=1),
        join([each.asked for each in needs], axis=1),
        join([each.on_shelf for each in needs], axis=1),
        join([each.out_before for each in needs], axis=1),
        join([each.asked_before for each in needs], axis=1),
    )
    block = join([part.ordered.block for part in found])
    places = np.concatenate([part.places for part in found])
    fitted = fit_budget(join(wanted), need, block, known.terms.of(places), known.unit_cost[places], budget)
    return np.split(fitted, np.cumsum([len(part.places) for part in found])[:-1])


def _lay_out(known: Gathered, part: _Part, quantity: np.ndarray, shop: Shop, first: date) -> pa.Table:
    at, ordered, terms = part.places, part.ordered, part.terms
    has_stock = np.isfinite(known.on_hand[at])
    hand = known.on_hand[at]
    coming = np.bincount(known.orders.product, weights=known.orders.quantity, minlength=len(known.products))[at]
    cost = known.unit_cost[at]
    arrives = [first + timedelta(days=round(float(d))) for d in terms.wait + terms.lead]
    following = [first + timedelta(days=round(float(d))) for d in terms.wait + terms.review + terms.lead]
    need, number = ordered.need, len(at)
    risk = (need.out_before | (need.need > quantity)).mean(axis=0)
    missing = np.minimum(np.maximum(need.need - quantity, 0.0), need.asked).mean(axis=0)
    nowhere = np.full(number, np.nan)
    columns = {
        "product": [known.products[place] for place in at],
        "name": [""] * number,
        "class": [""] * number,
        "supplier": [known.supplier[place] for place in at],
        "quantity": np.where(has_stock, quantity, np.nan),
        "order_day": [known.order_day[place] for place in at],
        "arrives": arrives,
        "next_arrives": following,
        "on_hand": hand,
        "on_order": coming,
        "reorder_point": ordered.level,
        "order_up_to": ordered.up_to,
        "safety_stock": ordered.safety,
        "demand": ordered.asked,
        "demand_high": ordered.high,
        "risk_out": np.where(has_stock, risk, nowhere),
        "risk_out_without": np.where(has_stock, ordered.risk_without, nowhere),
        "missing_pieces": np.where(has_stock, missing, nowhere),
        "unit_cost": cost,
        "cash": np.where(has_stock, quantity, np.nan) * cost,
        "cash_on_hand": hand * cost,
        "dead_pieces": np.where(has_stock, part.dead, nowhere),
        "dead_cash": np.where(has_stock, part.dead, nowhere) * cost,
        "cut": np.where(has_stock, ordered.quantity - quantity, 0.0),
    }
    rows = {
        name: pa.array(values, SCHEMA.field(name).type, from_pandas=True) if isinstance(values, np.ndarray)
        else pa.array(values, SCHEMA.field(name).type)
        for name, values in columns.items()
    }  # fmt: skip
    table = pa.table(rows)
    whys = [
        give_reason(
            row, pack=pack, block=block, spoils=bool(spoils), life=life, level=level, ended=bool(ended), shop=shop
        )
        for row, pack, block, spoils, life, level, ended in zip(
            table.to_pylist(),
            terms.pack.tolist(),
            ordered.block.tolist(),
            ordered.spoils.tolist(),
            terms.shelf_life.tolist(),
            terms.service_level.tolist(),
            part.ended.tolist(),
            strict=True,
        )
    ]
    table = table.append_column("why", pa.array(whys, pa.string())).cast(SCHEMA)
    for language in OTHERS:
        table = table.append_column(f"why {language}", pa.array(say_in(language, whys), pa.string()))
    return table


def _describe(table: pa.Table, history: History) -> pa.Table:
    """Put names and classes in."""
    names = {row["product"]: row["name"] for row in history.products().to_pylist()}
    products = table["product"].to_pylist()
    named = pa.array([names.get(product) or "" for product in products], pa.string())
    table = table.set_column(table.schema.get_field_index("name"), "name", named)
    classes = pa.array(classify(history, products), pa.string())
    return table.set_column(table.schema.get_field_index("class"), "class", classes)
