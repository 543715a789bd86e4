"""What the imports left out, and records that lack something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from client.shop.readiness.problem import Ask, Problem, count_of
from common.data.usable import LeftOut

LACKING = """
SELECT count(*) FILTER (WHERE product = '') AS no_product, count(*) FILTER (WHERE day IS NULL) AS no_day,
       count(*) FILTER (WHERE customer = '') AS no_customer, count(*) AS n
FROM sales WHERE state = 'sold'
"""


def find_left_out(left_out: Iterable[LeftOut]) -> Iterator[Problem]:
    """Tell what the imports that stand could not use, by reason."""
    for each in left_out:
        if each.is_fault:
            yield Problem(
                "warning",
                "left_out",
                f"{count_of(each.count, 'row')} could not be used: {each.reason}.",
                each.count,
                "What they say is missing from the history.",
                f"{each.advice[:1].upper()}{each.advice[1:]}, and import the file again.".replace("..", "."),
                (each.example,) if each.example else (),
            )


def find_lacking(ask: Ask) -> Iterator[Problem]:
    """Look for sales of no product, and say how many are of nobody."""
    row = ask(LACKING).to_pylist()[0]
    if row["no_product"]:
        yield Problem(
            "warning",
            "no_product",
            f"{count_of(row['no_product'], 'sale')} of {row['n']:,} name no product.",
            row["no_product"],
            "They are in no product's forecast.",
            "Give products a number (SKU) in the shop's system, and export again.",
        )
    if row["n"] and row["no_customer"] > 0.5 * row["n"]:
        yield Problem(
            "note",
            "no_customer",
            f"{row['no_customer'] / row['n']:.0%} of all sales are of an unknown customer.",
            row["no_customer"],
            "What customers will do can be said of the others alone; demand for products does not suffer.",
            "Nothing has to be done.",
        )
