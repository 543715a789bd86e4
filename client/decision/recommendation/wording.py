"""Say recommendations in plain words, in a terminal, as JSON and as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from client.decision.customer_word import shorten
from client.decision.recommendation.offer import Answer, Offer
from client.decision.recommendation.recommender import Recommender
from client.decision.recommendation.shelf import SAY
from client.language.speech import t, tn

NAME_WIDTH = 36
TITLES = {
    "again": "to offer {about} again",
    "new": "new to {about}, to offer first",
    "top": "for everyone: what is wanted now",
    "together": "often bought together with {about}",
}
ROW_FIELDS = {
    "customer": pa.string(),
    "kind": pa.string(),
    "rank": pa.int64(),
    "product": pa.string(),
    "name": pa.string(),
    "score": pa.float64(),
    "reason": pa.string(),
    "both": pa.int64(),
    "of": pa.int64(),
    "lift": pa.float64(),
    "stock": pa.string(),
}


def make_tables(answer: Answer) -> list[Table]:
    """Lay out one answer: a table for each kind of offer."""
    kinds = dict.fromkeys(offer.kind for offer in answer.offers)
    return [_make_table(answer, kind, [offer for offer in answer.offers if offer.kind == kind]) for kind in kinds]


def _make_table(answer: Answer, kind: str, offers: Sequence[Offer]) -> Table:
    table = Table(title=Text(TITLES[kind].format(about=answer.about)), box=SIMPLE)
    table.add_column("", justify="right")
    for column in ("product", "why"):
        table.add_column(column)
    for offer in offers:
        said = "; ".join(part for part in (offer.reason, SAY[offer.stock]) if part)
        table.add_row(str(offer.rank), Text(say_product(offer)), Text(said))
    return table


def make_overview(answers: Iterable[Answer]) -> Table:
    """Lay out the best of both lists of some customers, one a row."""
    table = Table(title="for the customers that spent most in the last year", box=SIMPLE)
    for column in ("customer", "again", "new"):
        table.add_column(column)
    for answer in answers:
        best = {kind: [offer for offer in answer.offers if offer.kind == kind][:1] for kind in ("again", "new")}
        cells = (Text(say_product(found[0]) if found else "–") for found in best.values())
        table.add_row(shorten(answer.customer), *cells)
    return table


def say_product(offer: Offer) -> str:
    """Give a product's number and what it is called."""
    if not offer.name or offer.name == offer.product:
        return offer.product
    name = offer.name if len(offer.name) <= NAME_WIDTH else offer.name[: NAME_WIDTH - 1] + "…"
    return f"{offer.product} {name}"


def say_shop(ready: Recommender) -> list[str]:
    """Say what the recommendations rest on."""
    number = len(ready.purchases.customers)
    said = [
        t("Learned from what {number:,} customers bought before {day}.", number=number, day=ready.past.day)
        if number
        else t("No customer is known by the history, so what goes together in a basket is all there is to learn.")
    ]
    if number and not ready.learned.ranking.learned:
        said.append(t("Too few customers came back to weigh this shop by itself; usual weights are taken."))
    gone, out = (ready.shelf.state.count(state) for state in ("gone", "out"))
    if gone:
        said.append(t("Not offered, since they seem to be sold no longer: {gone}.", gone=_count(gone)))
    if out:
        said.append(t("Not offered, since they are out of stock: {out}.", out=_count(out)))
    if not ready.shelf.known:
        said.append(t("No stock levels are known, so nothing is held back for being out; import them as stock."))
    return said


def _count(number: int) -> str:
    return tn("1 product", "{number:,} products", number)


def describe(answers: Iterable[Answer], ready: Recommender) -> dict[str, Any]:
    """Say everything for programs."""
    return {
        "day": str(ready.past.day),
        "customers": len(ready.purchases.customers),
        "products": len(ready.purchases.products),
        "weights_learned": ready.learned.ranking.learned,
        "stock_known": ready.shelf.known,
        "notes": say_shop(ready),
        "answers": [asdict(answer) for answer in answers],
    }


def list_rows(answers: Iterable[Answer]) -> pa.Table:
    """Give every offer as a row."""
    rows = [{"customer": answer.customer, **asdict(offer)} for answer in answers for offer in answer.offers]
    schema = pa.schema(list(ROW_FIELDS.items()))
    return pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, kind in ROW_FIELDS.items()}, schema=schema
    )
