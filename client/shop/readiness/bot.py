"""Visitors who are no people: thousands of pages a day and never a purchase."""

from __future__ import annotations

from collections.abc import Iterator

from client.language.speech import t
from client.shop.readiness.problem import SHOWN, Ask, Correction, Problem, count_of

VIEWS_A_DAY = 500  # of one visitor, from which on it is hardly a person
BOTS = f"""
WITH visits AS (
    SELECT CASE WHEN customer <> '' THEN customer ELSE session END AS visitor, customer <> '' AS known, day,
           sum(quantity) AS views
    FROM views GROUP BY visitor, known, day
)
SELECT visitor, known, sum(views) AS views, max(views) AS most, count(*) AS num_days
FROM visits
WHERE visitor <> '' AND visitor NOT IN (SELECT customer FROM sales WHERE customer <> '')
GROUP BY visitor, known HAVING max(views) >= {VIEWS_A_DAY}
ORDER BY views DESC, visitor
"""


def find_bots(ask: Ask) -> Iterator[Problem]:
    """Look for visitors with at least 500 page views on one day who never bought anything."""
    total = ask("SELECT sum(quantity) AS n FROM views").to_pylist()[0]["n"]
    bots = ask(BOTS).to_pylist() if total else []  # else all customers are gathered for nothing
    if not bots:
        return
    views = sum(row["views"] for row in bots)
    column = {True: "customer", False: "session"}
    yield Problem(
        "warning",
        "bots",
        t(
            "{bots} looked at {views} pages or more in a day and never bought anything.",
            bots=count_of(len(bots), "visitor"),
            views=VIEWS_A_DAY,
        ),
        len(bots),
        t(
            "They make {views:.0%} of all page views, which then say little about what people want.",
            views=views / total,
        ),
        t("Accept that their views are left out; none of your customers is among them."),
        tuple(
            t("{views:,.0f} views on {num_days}", views=row["views"], num_days=count_of(row["num_days"], "day"))
            for row in bots[:SHOWN]
        ),
        Correction(
            "ignored",
            tuple({"column": column[row["known"]], "value": row["visitor"]} for row in bots),
            t("leaves {views:,.0f} page views out", views=views),
        ),
    )
