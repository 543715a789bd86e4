"""Orders of a whole shop: gather what is known, draw paths, propose, cut to the budget, and lay out a row a product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa

from client.decision.order.batch import Part, fit_all, order_batch, order_no_more
from client.decision.order.dead import look_beyond
from client.decision.order.gathering import Gathered, gather
from client.decision.order.table import SCHEMA, lay_out, put_names_in
from client.language.speech import OTHERS, t
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
LEAST_DAYS, MOST_DAYS = 28, 365  # that are learned; of 28 `hansa-client forecast` and this recall the same
LONG_AGO = 14  # days after which a history has ended, and the order is made for the day after its end


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
    first, day, ended = _find_day(history, today)
    names = tuple(sorted(products)) or tuple(
        row["product"] for row in history.products().to_pylist() if row["last_day"] is not None
    )
    known = gather(history, shop, names, first=first, today=day)
    days = min(known.terms.days(), MOST_DAYS)
    if learnt is None or not learnt.serves(first, max(days, LEAST_DAYS)):
        question = Question(by="day", horizon=f"{max(days, LEAST_DAYS)}d", origin=first, products=tuple(products))
        learnt = learn_shop(history, shop, question, today=today, on_step=on_step)
    gone, dead_days = find_ended(history, shop), shop.order.dead_days
    found = list(
        _order_all(learnt, known, days=days, products=products, gone=gone, dead_days=dead_days, on_step=on_step)
    )
    most = shop.order.budget if budget is None else budget
    parts = zip(found, fit_all(found, known, most), strict=True)
    table = _sort(pa.concat_tables([lay_out(known, part, quantity, shop, first) for part, quantity in parts]), history)
    whys = {language: tuple(table[f"why {language}"].to_pylist()) for language in OTHERS}
    return Orders(table.select(SCHEMA.names), day, most, dead_days, (*ended, *known.assumed), whys)


def _find_day(history: History, today: date) -> tuple[date, date, list[str]]:
    """Give the first day that is not known, the day of the order, and what to say where the history has ended."""
    span = history.span()
    if span is None:
        raise DataError("No product was ever sold in this shop; import its sales: hansa-client import")
    first = day_after(span[1])
    day = max(today, first)
    if (day - first).days <= LONG_AGO:
        return first, day, []
    said = t(
        "The history ends on {last}: this is what to order on {first}. Import what has been sold since.",
        last=span[1],
        first=first,
    )
    return first, first, [said]


def _order_all(
    learnt: Learnt,
    known: Gathered,
    *,
    days: int,
    products: Sequence[str],
    gone: frozenset[str],
    dead_days: int,
    on_step: OnStep,
) -> Iterator[Part]:
    """Order batch by batch."""
    places = {name: place for place, name in enumerate(known.products)}
    outlasting, generator = look_beyond(learnt.setting, dead_days), np.random.default_rng(SEED)
    for paths in draw_learnt_paths(learnt, days=days, num_draws=NUM_DRAWS, products=products, on_step=on_step):
        at = np.array([places[name] for name in paths.products], int)
        sells = outlasting.expect(paths.products, paths.mean)
        part = order_batch(known, at, paths.draws, sells, generator)
        yield order_no_more(part, np.array([name in gone for name in paths.products], bool))


def _sort(table: pa.Table, history: History) -> pa.Table:
    """Put names in, and those with the most money first."""
    table = put_names_in(table, history)
    spent = pa.array(np.nan_to_num(table["cash"].to_numpy()))
    return table.append_column("spent", spent).sort_by([("spent", "descending"), ("product", "ascending")])
