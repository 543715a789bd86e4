"""What to order, in words and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from client.decision.order.ordering import Orders
from client.language.count import count_lines, count_products
from client.language.number import say_count, say_day
from client.language.speech import t, tn
from client.shop.settings import Shop

if TYPE_CHECKING:
    from rich.table import Table


def lines_to_order(orders: Orders) -> pa.Table:
    """Keep what is to be ordered."""
    return orders.table.filter(pc.greater(pc.fill_null(orders.table["quantity"], 0.0), 0.0))


def make_table(orders: Orders, shop: Shop, shown: int) -> Table:
    """Lay out the first lines for the terminal; where no stock is known, up to how many to fill up."""
    from rich.table import Table

    lines = lines_to_order(orders)
    knows = pc.any(pc.is_valid(orders.table["quantity"])).as_py()
    rows = (lines if knows else orders.table.sort_by([("demand", "descending")])).slice(0, shown).to_pylist()
    table = Table(box=None, pad_edge=False)
    for head in ("product", "order" if knows else "have", "from", "on", "here by", shop.currency, "why"):
        table.add_column(head, justify="right" if head in ("order", "have", shop.currency) else "left")
    for row in rows:
        pieces = row["quantity"] if knows else row["reorder_point"]
        called = f"{row['product']} {row['name']}" if row["name"] and row["name"] != row["product"] else row["product"]
        cash = "" if row["cash"] is None else f"{row['cash']:,.2f}"
        days = (say_day(row["order_day"]), say_day(row["arrives"]))
        table.add_row(called, say_count(pieces), row["supplier"] or "–", *days, cash, row["why"])
    return table


def say_shown(orders: Orders, shown: int) -> list[str]:
    """Say that there are more lines than the terminal shows."""
    lines = lines_to_order(orders).num_rows
    if pc.any(pc.is_valid(orders.table["quantity"])).as_py():
        return [f"These are the {shown} lines with the most money; --out FILE has all {lines:,}."] * (lines > shown)
    number = orders.table.num_rows
    return [f"These are the {shown} products that sell most; --out FILE has all {number:,}."] * (number > shown)


def say_orders(orders: Orders, shop: Shop) -> list[str]:
    """Say the sums, what is at risk, what lies dead, and what suppliers will not take."""
    lines, table = lines_to_order(orders), orders.table
    cash, money = pc.sum(lines["cash"]).as_py() or 0.0, shop.currency
    said = []
    if lines.num_rows:
        said.append(
            tn(
                "{products} to order, for {cash:,.2f} {money}; 1 was looked at.",
                "{products} to order, for {cash:,.2f} {money}; {number:,} were looked at.",
                table.num_rows,
                products=count_products(lines.num_rows),
                cash=cash,
                money=money,
            )
        )
    elif pc.any(pc.is_valid(table["quantity"])).as_py():
        said.append(
            tn(
                "Nothing need be ordered on {day}; 1 product was looked at.",
                "Nothing need be ordered on {day}; {number:,} products were looked at.",
                table.num_rows,
                day=say_day(orders.day),
            )
        )
    cut = pc.greater(table["cut"], 0.0)
    if pc.any(cut).as_py():
        lost = pc.sum(pc.multiply(table["cut"], table["unit_cost"])).as_py() or 0.0
        fewer = count_lines(pc.sum(pc.cast(cut, pa.int64())).as_py())
        said.append(
            t(
                "The budget of {budget:,.2f} {money} cut {fewer} by {lost:,.2f} {money}, where the fewest "
                "sales are lost for the money.",
                budget=orders.budget,
                money=money,
                fewer=fewer,
                lost=lost,
            )
        )
    risk = pc.greater_equal(pc.fill_null(table["risk_out"], 0.0), 0.5)
    if pc.any(risk).as_py():
        number = count_products(pc.sum(pc.cast(risk, pa.int64())).as_py())
        said.append(
            t(
                "{products} will more likely than not run out before a later order's goods come, most of them "
                "before this order's do.",
                products=number,
            )
        )
    tied, dead = pc.sum(table["cash_on_hand"]).as_py(), pc.sum(table["dead_cash"]).as_py()
    if tied:
        said.append(
            t(
                "{tied:,.2f} {money} lie on the shelf; {dead:,.2f} {money} of it will not sell within "
                "{dead_days} days.",
                tied=tied,
                money=money,
                dead=dead or 0.0,
                dead_days=orders.dead_days,
            )
        )
    said += _say_minimums(lines, shop)
    return said


def _say_minimums(lines: pa.Table, shop: Shop) -> list[str]:
    said = []
    for supplier in shop.suppliers:
        own = lines.filter(pc.equal(lines["supplier"], supplier.name))
        cash = pc.sum(own["cash"]).as_py() or 0.0
        if 0 < cash < supplier.minimum_amount:
            said.append(
                t(
                    "{name} takes orders from {minimum_amount:,.2f} {currency} on, and this one is {cash:,.2f}: "
                    "add what will be needed next, or wait.",
                    name=supplier.name,
                    minimum_amount=supplier.minimum_amount,
                    currency=shop.currency,
                    cash=cash,
                )
            )
    return said


def describe_orders(orders: Orders, shop: Shop) -> dict[str, Any]:
    """Give everything as a document."""
    table = orders.table
    return {
        "day": str(orders.day),
        "currency": shop.currency,
        "budget": orders.budget,
        "dead_days": orders.dead_days,
        "lines": lines_to_order(orders).num_rows,
        "cash": pc.sum(table["cash"]).as_py(),
        "cash_on_hand": pc.sum(table["cash_on_hand"]).as_py(),
        "dead_cash": pc.sum(table["dead_cash"]).as_py(),
        "assumed": list(orders.assumed),
        "said": say_orders(orders, shop),
        "rows": [
            {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
            for row in table.to_pylist()
        ],
    }
