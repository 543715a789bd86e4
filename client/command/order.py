"""`hansa-client order`: what a shop should order, when and from whom, and why."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from client.command.day import read_day_or_none
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 15  # lines in the terminal


def order(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    on: Annotated[str, typer.Option("--on", help="Day of the order, as 2026-11-30; today if left out.")] = "",
    product: Annotated[list[str] | None, typer.Option("--product", help="Only this product; can be repeated.")] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", min=0.0, help="Most money to spend; as shop.toml says if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every product to: .csv, .parquet or .xlsx.")
    ] = None,
    purchase_orders: Annotated[
        Path | None, typer.Option("--purchase-orders", help="Folder to write an order for each supplier into.")
    ] = None,
    keeps: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep it in the folder, for score to judge later.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Say what to order.

    From what is there, what is on its way, what will be asked for and the terms in shop.toml; each line says why.
    Nothing leaves, and nothing is ordered: that you do yourself.
    """
    import torch  # heavy, as is what follows

    from client.decision.order.ordering import order_shop
    from client.decision.order.purchase import write_purchase_orders
    from client.decision.order.wording import describe_orders, make_table, say_orders, say_shown
    from client.language.count import count_rows
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from common.disk.file import require_folder_place

    if out is not None:
        require_table_file(out)
    if purchase_orders is not None:
        require_folder_place(purchase_orders)
    day = read_day_or_none("--on", on)
    shop = read_shop(folder)
    torch.set_num_threads(1)  # paths are drawn on another core; torch's threads would spin for it
    with History.open(folder) as history:
        today = day or datetime.now(ZoneInfo(shop.time_zone)).date()
        orders = order_shop(
            history, shop, today=today, products=tuple(product or ()), budget=budget, on_step=Progress()
        )
    if out is not None:
        write_rows(orders.table, out, sheet="orders")
    if keeps and not product:
        _keep(folder, orders.table, today)
    files = [] if purchase_orders is None else write_purchase_orders(orders.table, shop, purchase_orders)
    for sentence in orders.assumed:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if as_json:
        names = {"file": None if out is None else str(out), "purchase_orders": [str(file) for file in files]}
        print_json({**describe_orders(orders, shop), **names})
        return
    print_table(make_console(), make_table(orders, shop, SHOWN))
    for sentence in (*say_shown(orders, SHOWN), *say_orders(orders, shop)):
        typer.echo(sentence)
    if out is not None:
        typer.echo(f"Wrote {count_rows(orders.table.num_rows)} to {out}; they are yours alone.")
    if purchase_orders is not None:
        wrote = "Wrote 1 purchase order" if len(files) == 1 else f"Wrote {len(files)} purchase orders"
        typer.echo(f"{wrote} into {purchase_orders}; look them over before you send them.")


def _keep(folder: Path, table: pa.Table, today: date) -> None:
    """Keep what is proposed, to be held against what was asked for; where that fails it is served all the same."""
    from client.decision.order.keeping import keep_orders

    try:
        keep_orders(folder, table, today)
    except DataError as error:
        typer.echo(f"hansa-client: The orders are not kept, so score will not know them. {error}", err=True)
