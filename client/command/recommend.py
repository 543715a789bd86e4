"""`hansa-client recommend`: what to offer next, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.command.history import FolderOption
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.decision.recommendation.offer import Answer
    from client.decision.recommendation.recommender import Recommender
    from client.shop.history.history import History
    from client.shop.settings import Shop

ALL = "all"
SHOWN_CUSTOMERS = 10
MOST_NUMBER = 1000


def recommend(
    folder: FolderOption = Path(),
    customer: Annotated[
        str,
        typer.Option("--customer", help="A customer, by the digits shown; or all, with --out: a row for each offer."),
    ] = "",
    basket: Annotated[
        list[str] | None, typer.Option("--basket", help="A product that is in the basket; can be repeated.")
    ] = None,
    product: Annotated[str, typer.Option("--product", help="A product: what is often bought together with it.")] = "",
    number: Annotated[int, typer.Option("--number", min=1, max=MOST_NUMBER, help="Offers in each list.")] = 10,
    least: Annotated[
        int, typer.Option("--least", min=1, help="With --product: the fewest baskets that held both.")
    ] = 5,
    delivery: Annotated[
        int,
        typer.Option("--delivery", min=0, max=400, help="Days until the next delivery: what lasts shorter is short."),
    ] = 14,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every offer to: .csv, .parquet or .xlsx.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what to offer next, and why.

    To a customer, with a basket or on a product's page; without a question, to everyone and to the customers that spent
    most. What is out of stock or gone is not offered. Nothing leaves.
    """
    from client.decision.recommendation.opening import open_recommender  # heavy, as is what follows
    from client.decision.recommendation.wording import describe, list_rows
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop

    if sum((bool(customer), bool(basket), bool(product))) > 1:
        raise ConfigError("--customer, --basket and --product are three questions; ask one of them.")
    if customer == ALL and out is None and not as_json:
        raise ConfigError("--customer all answers for every customer; name a file for it with --out.")
    if out is not None:
        require_table_file(out)
    shop = read_shop(folder)
    with History.open(folder) as history:
        ready = open_recommender(history, shop, delivery_days=delivery, on_step=Progress())
        answers = _answer(history, shop, ready, customer, tuple(basket or ()), product, number, least)
    if out is not None:
        write_rows(list_rows(answers), out, sheet="offers")
    if as_json:
        print_json({**describe(answers, ready), "file": None if out is None else str(out)})
    else:
        _say(answers, ready, out, everyone=not (customer or basket or product), silent=customer == ALL)


def _answer(
    history: History,
    shop: Shop,
    ready: Recommender,
    customer: str,
    basket: tuple[str, ...],
    product: str,
    number: int,
    least: int,
) -> list[Answer]:
    import numpy as np

    from client.decision.recommendation.opening import most_valuable

    if customer == ALL:
        return list(ready.for_customers(np.arange(len(ready.purchases.customers)), number))
    if customer:
        return [ready.for_customer(customer, number)]
    if basket:
        return [ready.for_basket(basket, number)]
    if product:
        return [ready.beside(product, number, least)]
    best = most_valuable(history, ready.purchases, SHOWN_CUSTOMERS, currency=shop.currency, rates=shop.rates)
    return [ready.for_everyone(number), *ready.for_customers(best, number)]


def _say(answers: list[Answer], ready: Recommender, out: Path | None, *, everyone: bool, silent: bool) -> None:
    from client.decision.recommendation.wording import make_overview, make_tables, say_shop
    from client.language.count import count_rows

    console = make_console()
    for table in [] if silent or not answers else make_tables(answers[0]):
        print_table(console, table)
    if everyone and len(answers) > 1:
        print_table(console, make_overview(answers[1:]))
    for sentence in (*(note for answer in answers[:1] for note in answer.notes), *say_shop(ready)):
        typer.echo(sentence)
    if out is not None:
        rows = sum(len(answer.offers) for answer in answers)
        typer.echo(f"Wrote {count_rows(rows)} to {out}; they are yours alone.")
