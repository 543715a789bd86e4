"""What the imports left out, and records that lack something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from client.language.speech import t
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
                t("{count} could not be used: {reason}.", count=count_of(each.count, "row"), reason=each.reason),
                each.count,
                t("What they say is missing from the history."),
                t("{advice}, and import the file again.", advice=_capital(each.advice)),
                (each.example,) if each.example else (),
            )


def find_lacking(ask: Ask) -> Iterator[Problem]:
    """Look for sales of no product, and say how many are of nobody."""
    row = ask(LACKING).to_pylist()[0]
    if row["no_product"]:
        yield Problem(
            "warning",
            "no_product",
            t("{sales} of {all:,} name no product.", sales=count_of(row["no_product"], "sale"), all=row["n"]),
            row["no_product"],
            t("They are in no product's forecast."),
            t("Give products a number (SKU) in the shop's system, and export again."),
        )
    if row["n"] and row["no_customer"] > 0.5 * row["n"]:
        yield Problem(
            "note",
            "no_customer",
            t("{share:.0%} of all sales are of an unknown customer.", share=row["no_customer"] / row["n"]),
            row["no_customer"],
            t("What customers will do can be said of the others alone; demand for products does not suffer."),
            t("Nothing has to be done."),
        )


def _capital(advice: str) -> str:
    return f"{advice[:1].upper()}{advice[1:]}".replace("..", ".")
