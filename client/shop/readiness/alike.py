"""Products that are hardly what they seem: look-alikes, numbers that a spreadsheet shortened, rows of totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from client.data.check.name import find_shortened, find_totals, group_alike, say_alike, say_shortened, say_totals
from client.language.speech import t
from client.shop.readiness.problem import SHOWN, Ask, Correction, Problem, count_of

SOLD = """
SELECT product, sum(quantity) AS units, min(day) AS first, max(day) AS last
FROM sales WHERE state = 'sold' AND product <> '' AND day IS NOT NULL GROUP BY product ORDER BY product
"""


def find_odd_names(ask: Ask) -> Iterator[Problem]:
    """Look at what products are called."""
    sold = {row["product"]: row for row in ask(SOLD).to_pylist()}
    yield from _find_alike(sold)
    shortened = find_shortened(list(sold))
    if shortened:
        yield Problem(
            "warning",
            "shortened",
            t("{sentence}.", sentence=say_shortened("product", shortened)),
            len(shortened),
            t("Sales of different products are added up under one number."),
            t("Export the column as text, without opening it in a spreadsheet, and import it again."),
            tuple(shortened[:SHOWN]),
        )
    totals = find_totals({name: row["units"] for name, row in sold.items()})
    if totals:
        yield Problem(
            "warning",
            "totals",
            t("{sentence}.", sentence=say_totals("product", totals)),
            len(totals),
            t("All demand counts twice."),
            t("Export without totals, take the import back (hansa-client history --undo) and import again."),
            tuple(totals[:SHOWN]),
        )


def _find_alike(sold: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Pair names that can hardly be told apart and that sold at the same time; who follows whom is `renamed`."""
    groups = [group for group in group_alike(list(sold)) if _are_together([sold[name] for name in group])]
    if not groups:
        return
    pairs = [(name, kept) for group in groups for kept in [_largest(group, sold)] for name in group if name != kept]
    yield Problem(
        "warning",
        "alike",
        t("{sentence}.", sentence=say_alike("product", groups)),
        sum(map(len, groups)),
        t("Each has a part of one history, and both forecasts are worse than they need be."),
        t("Accept that they are one product, if they are."),
        tuple(" and ".join(group) for group in groups[:SHOWN]),
        Correction(
            "aliases",
            tuple({"product": name, "stands_for": kept} for name, kept in pairs),
            t("counts {products} under the name that sold most", products=count_of(len(pairs), "product")),
        ),
    )


def _are_together(rows: list[dict[str, Any]]) -> bool:
    return bool(max(row["first"] for row in rows) <= min(row["last"] for row in rows))


def _largest(group: tuple[str, ...], sold: dict[str, dict[str, Any]]) -> str:
    return max(group, key=lambda name: (sold[name]["units"], name))
