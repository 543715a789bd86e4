"""Orders: what is proposed, by supplier and day, with what the owner changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.page.view.cell import read_day, read_days

PAGE = 200  # lines, so that a form of them is small enough to be sent


def show_orders(
    order: Mapping[str, Any], chosen: Mapping[str, float], *, kept_at: str = "", page: int = 1
) -> dict[str, Any]:
    """Group one page of the lines by supplier and day of order.

    Parameters
    ----------
    order
        As `hansa-client order --json` says it.
    chosen
        Pieces of products, where the owner wants others than are proposed.
    """
    lines, enough = list[dict[str, Any]](), list[Mapping[str, Any]]()
    sums: dict[tuple[str, Any], float] = {}
    for place, row in enumerate(order["rows"]):
        pieces = chosen.get(row["product"], row["quantity"] or 0.0)
        if not (pieces or row["quantity"]):
            enough.append(row)
            continue
        line = {**read_days(row), "place": place, "chosen": pieces, "quantity": row["quantity"] or 0.0}
        lines.append(line)
        sums[_group(line)] = sums.get(_group(line), 0.0) + (row["unit_cost"] or 0.0) * pieces
    last_page = max(-(-len(lines) // PAGE), 1)
    page = min(max(page, 1), last_page)
    groups: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for line in lines[(page - 1) * PAGE : page * PAGE]:
        groups.setdefault(_group(line), []).append(line)
    return {
        "day": read_day(order["day"]),
        "said": order["said"],
        "assumed": order["assumed"],
        "suppliers": [_show_supplier(key, own, sums[key]) for key, own in sorted(groups.items())],
        "enough": enough[:PAGE],
        "number_enough": len(enough),
        "is_unknown": any(row["quantity"] is None for row in enough),
        "kept_at": kept_at,
        "page": page,
        "last_page": last_page,
    }


def _group(line: Mapping[str, Any]) -> tuple[str, Any]:
    return line["supplier"] or "", line["order_day"]


def _show_supplier(key: tuple[str, Any], rows: list[dict[str, Any]], cash: float) -> dict[str, Any]:
    return {"name": key[0], "day": key[1], "arrives": max(row["arrives"] for row in rows), "rows": rows, "cash": cash}
