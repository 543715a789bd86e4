"""A history that is too short or too thin to learn from."""

from __future__ import annotations

from collections.abc import Iterator

from client.language.speech import t
from client.shop.readiness.problem import Ask, Problem, count_of

SHORT_DAYS = 56  # under eight weeks nothing can be held against its own past
YEAR_DAYS = 365
FEW_SALES = 3  # days with a sale, up to which a product has hardly a past
SPAN = """
SELECT min(day) AS first, max(day) AS last, count(DISTINCT product) AS products
FROM sales WHERE state = 'sold'
"""
THIN = f"""
SELECT count(*) AS n FROM (
    SELECT product FROM sales WHERE state = 'sold' AND product <> ''
    GROUP BY product HAVING count(DISTINCT day) <= {FEW_SALES}
)
"""


def find_thin_history(ask: Ask) -> Iterator[Problem]:
    """Look for a history without sales, of a few weeks, or of less than a year, and for products hardly ever sold."""
    span = ask(SPAN).to_pylist()[0]
    if span["first"] is None:
        yield Problem(
            "fault",
            "no_sales",
            t("There is no sale in the history."),
            0,
            t("Nothing can be forecast."),
            t("Add an export of orders: hansa-client init ORDERS --add."),
        )
        return
    days = (span["last"] - span["first"]).days + 1
    if days < SHORT_DAYS:
        yield Problem(
            "warning",
            "short_history",
            t(
                "The history is {days} long, from {first} to {last}.",
                days=count_of(days, "day"),
                first=span["first"],
                last=span["last"],
            ),
            days,
            t("Methods cannot be held against the past; the forecast is little more than a mean."),
            t("Export more of the past, two years if there are."),
        )
    elif days < YEAR_DAYS:
        yield Problem(
            "note",
            "no_year",
            t("The history is {days} long, less than a year.", days=count_of(days, "day")),
            days,
            t("The time of year is not known: Christmas comes as a surprise."),
            t("Export more of the past, two years if there are."),
        )
    thin = ask(THIN).to_pylist()[0]["n"]
    if thin:
        yield Problem(
            "note",
            "thin_products",
            t(
                "{thin} of {products:,} sold on {days} days or fewer.",
                thin=count_of(thin, "product"),
                products=span["products"],
                days=FEW_SALES,
            ),
            thin,
            t("Their forecasts are near nothing, with wide intervals."),
            t("Nothing has to be done."),
        )
