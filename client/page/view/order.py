"""Orders: what is proposed, by supplier and day, with what the owner changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.page.view.cell import read_day, read_days


def show_orders(order: Mapping[str, Any], chosen: Mapping[str, float], *, kept_at: str = "") -> dict[str, Any]:
    """Group the lines by supplier and day of order.

    Parameters
    ----------
    order
        As `hansa-client order --json` says it.
    chosen
        Pieces of products, where the owner wants others than are proposed.
    """
    rows = [read_days(row) for row in order["rows"]]
    groups: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    enough = []
    for place, row in enumerate(rows):
        pieces = chosen.get(row["product"], row["quantity"] or 0.0)
        if pieces or row["quantity"]:
            line = {**row, "place": place, "chosen": pieces, "quantity": row["quantity"] or 0.0}
            groups.setdefault((row["supplier"] or "", row["order_day"]), []).append(line)
        else:
            enough.append(row)
    return {
        "day": read_day(order["day"]),
        "said": order["said"],
        "assumed": order["assumed"],
        "suppliers": [_show_supplier(name, day, own) for (name, day), own in sorted(groups.items())],
        "enough": enough,
        "kept_at": kept_at,
    }


def _show_supplier(name: str, day: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "day": day,
        "arrives": max(row["arrives"] for row in rows),
        "rows": rows,
        "cash": sum((row["unit_cost"] or 0.0) * row["chosen"] for row in rows),
    }
