"""Days on which a product sold many times what it ever sells, with a proposal of what to count instead."""

from __future__ import annotations

from collections.abc import Iterator

from client.language.speech import t
from client.shop.readiness.problem import SHOWN, Ask, Correction, Problem, count_of

FEWEST_DAYS = 10  # days with a sale, from which on a product knows its own size
TIMES = 20.0  # its own median day with a sale, and
TIMES_THE_NEXT = 4.0  # its next best day that is not wild itself
WILD = f"""
WITH days AS (
    SELECT product, day, sum(quantity) AS units, max(quantity) AS largest
    FROM sales WHERE state = 'sold' AND product <> '' GROUP BY product, day
), sizes AS (
    SELECT product, median(units) AS usual, quantile_cont(units, 0.95) AS high, count(*) AS num_days
    FROM days GROUP BY product HAVING count(*) >= {FEWEST_DAYS}
)
SELECT days.product, days.day, units, largest, usual, greatest(usual, high) AS instead
FROM days JOIN sizes USING (product)
WHERE units > {TIMES} * usual AND units > {TIMES_THE_NEXT} * high
    AND NOT EXISTS (
        SELECT 1 FROM corrections given
        WHERE given.product = days.product AND given.day = days.day AND given.was = units
    )
ORDER BY units / usual DESC, days.product, days.day
"""


def find_outliers(ask: Ask) -> Iterator[Problem]:
    """Hold each day against the same product's own days.

    A day is wild where it is over 20 times the product's median day with a sale and over 4 times the day that 95 % of
    its days do not pass; that day is what is proposed in its place.
    """
    wild = ask(WILD).to_pylist()
    if not wild:
        return
    single = sum(row["largest"] >= 0.8 * row["units"] for row in wild)
    records = tuple(
        {
            "product": row["product"],
            "day": row["day"],
            "was": row["units"],
            "quantity": float(round(row["instead"])),
            "reason": "outlier",
        }
        for row in wild
    )
    units = sum(row["units"] for row in wild)
    kept = sum(float(record["quantity"]) for record in records)
    yield Problem(
        "warning",
        "outliers",
        t(
            "On {days} a product sold over {times:.0f} times its usual day, {single} of them by a single order line.",
            days=count_of(len(wild), "day"),
            times=TIMES,
            single=single,
        ),
        len(wild),
        t("{units:,.0f} units that will hardly come again pull up the level of these products for weeks.", units=units),
        t("If they are slips of the pen or one-off orders, accept what is proposed; else leave them."),
        tuple(
            t(
                "{product} on {day}: {units:,.0f} units, usually {usual:,.0f}",
                product=row["product"],
                day=row["day"],
                units=row["units"],
                usual=row["usual"],
            )
            for row in wild[:SHOWN]
        ),
        Correction(
            "corrections",
            records,
            t(
                "counts {kept:,.0f} units on these days instead of {units:,.0f}; the sales themselves stay as they are",
                kept=kept,
                units=units,
            ),
        ),
    )
