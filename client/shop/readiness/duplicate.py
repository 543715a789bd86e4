"""Sales that seem to be told twice: one customer, one product, one second, two order numbers."""

from __future__ import annotations

from collections.abc import Iterator

from client.language.speech import t
from client.shop.readiness.problem import SHOWN, Ask, Problem, count_of

FEWEST = 3  # a customer who orders twice in a second may be one who pressed twice
TWICE = """
SELECT product, day, count(*) - 1 AS again, quantity
FROM sales
WHERE state = 'sold' AND customer <> '' AND "second" IS NOT NULL AND "order" <> ''
GROUP BY customer, product, day, "second", quantity
HAVING count(DISTINCT "order") > 1
ORDER BY again * quantity DESC, day, product
"""


def find_duplicates(ask: Ask) -> Iterator[Problem]:
    """Look for lines that are equal in customer, product, quantity and second, under several order numbers."""
    found = ask(TWICE).to_pylist()
    again = sum(row["again"] for row in found)
    if again < FEWEST:
        return
    total = ask("SELECT count(*) AS n FROM sales WHERE state = 'sold'").to_pylist()[0]["n"]
    yield Problem(
        "warning",
        "duplicates",
        t(
            "{again} are equal to another in customer, product, quantity and second of the day, under "
            "another order number.",
            again=count_of(again, "order line"),
        ),
        again,
        t("If they are the same sales, demand is {share:.1%} too high.", share=again / max(total - again, 1)),
        t(
            "See whether one order was exported by two systems; if so take one of the two imports back: "
            "hansa-client history --undo NUMBER."
        ),
        tuple(t("{product} on {day}", product=row["product"], day=row["day"]) for row in found[:SHOWN]),
    )
