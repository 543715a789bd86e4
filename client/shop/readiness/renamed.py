"""Products whose number changed: one ends, another of the same name begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

from client.language.speech import t
from client.shop.readiness.problem import SHOWN, Ask, Correction, Problem, count_of

LONGEST_PAUSE_DAYS = 60  # between the last sale of the one and the first of the other
SPANS = """
SELECT product, coalesce(name, '') AS name, min(day) AS first, max(day) AS last, count(*) AS lines
FROM sales LEFT JOIN (SELECT product, any_value(name) AS name FROM products GROUP BY product) USING (product)
WHERE state = 'sold' AND product <> '' AND day IS NOT NULL GROUP BY product, name ORDER BY first, product
"""


def find_renamed(ask: Ask) -> Iterator[Problem]:
    """Look for pairs of products of one name, or of numbers that differ in writing only, that follow each other."""
    pairs = _pairs(ask(SPANS).to_pylist())
    if not pairs:
        return
    yield Problem(
        "warning",
        "renamed",
        t(
            "{products} seem to go on under another number: the same name, or the same number written "
            "differently, and one begins where the other ends.",
            products=count_of(len(pairs), "product"),
        ),
        len(pairs),
        t("The old one looks discontinued and the new one has no past: both forecasts are worse than they need be."),
        t("Accept that they are one product, if they are."),
        tuple(
            t(
                "{old} until {last}, {new} from {first}",
                old=old["product"],
                last=old["last"],
                new=new["product"],
                first=new["first"],
            )
            for old, new in pairs[:SHOWN]
        ),
        Correction(
            "aliases",
            tuple({"product": old["product"], "stands_for": new["product"]} for old, new in pairs),
            t("counts {products} under the newer number", products=count_of(len(pairs), "product")),
        ),
    )


def _pairs(products: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pair each product with the one that takes its place, where there is exactly one that can."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for product in products:
        for key in _keys(product):
            groups.setdefault(key, []).append(product)
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for group in groups.values():
        for old, new in pairwise(group):
            if old["product"] != new["product"] and _follows(old["last"], new["first"]):
                found.setdefault(old["product"], (old, new))
    return list(found.values())


def _keys(product: dict[str, Any]) -> set[str]:
    written = re.sub(r"[\W_]", "", product["product"]).casefold().lstrip("0")
    name = " ".join(product["name"].casefold().split())
    return {f"number {written}" if written else "", f"name {name}" if name else ""} - {""}


def _follows(last: date, first: date) -> bool:
    return 0 < (first - last).days <= LONGEST_PAUSE_DAYS
