"""What the records say of each product and day, and of each product, as SQL.

Demand is what was sold, as ordered: cancelled, test and unpaid orders are none, and returns do not lower it. Sums are
made of whole millionths, so that they do not depend on the order of the rows. Where the owner counts something else on
a day, that is what was sold on it, for as long as the sources say what they said then.
"""

from __future__ import annotations

from collections.abc import Mapping

_MICRO = 1_000_000
_IS_OUT = "bool_or(coalesce(out, false) OR coalesce(on_hand <= 0, false))"
_CORRECTIONS = "SELECT product, day, was, quantity FROM now_corrections"
_CORRECTED = "(CASE WHEN was = coalesce(units, 0) THEN quantity ELSE coalesce(units, 0) END)::DOUBLE"


def select_daily(*, currency: str, rates: Mapping[str, float], chosen: bool, has_prices: bool) -> str:
    """Select a row for each product and day with anything on it, sorted by product and day.

    Parameters
    ----------
    currency, rates
        The shop's currency, "" where unknown, and what one unit of others is worth in it.
    chosen
        Only products in the table `chosen`.
    has_prices
        Whether there is any price record; without, the column is null and costs nothing.
    """
    of = "SEMI JOIN chosen USING (product)" if chosen else ""
    day = "product <> '' AND day IS NOT NULL"
    worth = _in_shop_currency("price", currency, rates)
    price = _PRICED.format(worth=worth) if has_prices else "priced AS (SELECT *, NULL AS price FROM added)"
    return f"""
    WITH bought AS (
        SELECT product, day, customer, sum({_micro("quantity")}) AS units, count(*) AS lines,
            sum({_micro(_in_shop_currency("amount", currency, rates))}) AS amount,
            count({_in_shop_currency("amount", currency, rates)}) AS known
        FROM current_sales {of} WHERE state = 'sold' AND {day} GROUP BY ALL
    ), said AS (
        SELECT product, day, sum(units) AS units, sum(lines) AS lines, count(customer) AS customers,
            sum(amount) AS amount, sum(known) AS known, 0 AS views, 0 AS carts, false AS out
        FROM bought GROUP BY product, day
        UNION ALL SELECT product, day, 0, 0, 0, 0, 0, sum({_micro("quantity")}), 0, false
        FROM current_views {of} WHERE {day} GROUP BY product, day
        UNION ALL SELECT product, day, 0, 0, 0, 0, 0, 0, sum({_micro("quantity")}), false
        FROM current_carts {of} WHERE {day} GROUP BY product, day
        UNION ALL SELECT product, day, 0, 0, 0, 0, 0, 0, 0, {_IS_OUT} FROM current_stock {of} WHERE {day}
        GROUP BY product, day
    ), added AS (
        SELECT product, day, sum(units) / {_MICRO} AS units, sum(lines)::BIGINT AS lines,
            sum(customers)::BIGINT AS customers,
            CASE WHEN sum(known) = sum(lines) THEN coalesce(sum(amount), 0) / {_MICRO} END AS amount,
            coalesce(sum(views), 0) / {_MICRO} AS views, coalesce(sum(carts), 0) / {_MICRO} AS carts,
            bool_or(out) AS out
        FROM said GROUP BY product, day
    ), {price}
    SELECT product, day, {_CORRECTED} AS units, lines, customers, amount::DOUBLE AS amount, views::DOUBLE AS views,
        carts::DOUBLE AS carts, price::DOUBLE AS price, out
    FROM priced LEFT JOIN ({_CORRECTIONS}) USING (product, day)
    ORDER BY product, day
    """


def select_days() -> str:
    """Select what `select_daily` says of units, lines and stock alone, in no order: it costs a third of that."""
    day = "product <> '' AND day IS NOT NULL"
    return f"""
    WITH said AS (
        SELECT product, day, sum({_micro("quantity")}) AS units, count(*) AS lines, false AS out
        FROM current_sales WHERE state = 'sold' AND {day} GROUP BY product, day
        UNION ALL SELECT product, day, 0, 0, {_IS_OUT} FROM current_stock WHERE {day} GROUP BY product, day
    ), added AS (
        SELECT product, day, sum(units) / {_MICRO} AS units, sum(lines)::BIGINT AS lines, bool_or(out) AS out
        FROM said GROUP BY product, day
    )
    SELECT product, day, {_CORRECTED} AS units, lines, out
    FROM added LEFT JOIN ({_CORRECTIONS}) USING (product, day)
    """


def select_units(*, chosen: bool) -> str:
    """Select the units of each product and day with a sale, sorted by product."""
    of = "SEMI JOIN chosen USING (product)" if chosen else ""
    return f"""
    SELECT product, day, (sum({_micro("quantity")}) / {_MICRO})::DOUBLE AS units
    FROM now_sales {of} WHERE state = 'sold' AND product <> '' AND day IS NOT NULL
    GROUP BY product, day HAVING units IS NOT NULL ORDER BY product
    """


# The price that began last; where that one has ended, the last that has not.
_PRICED = """
    price AS (
        SELECT product, coalesce(first_day, '-infinity') AS first_day, coalesce(last_day, 'infinity') AS last_day,
            {worth} AS price FROM current_prices
    ), newest AS (
        SELECT added.*, price.price, price.last_day FROM added ASOF LEFT JOIN price
            ON added.product = price.product AND added.day >= price.first_day
    ), earlier AS (
        SELECT newest.product, newest.day, arg_max(price.price, price.first_day) AS price
        FROM newest JOIN price ON newest.product = price.product
            AND newest.day BETWEEN price.first_day AND price.last_day
        WHERE newest.last_day < newest.day GROUP BY ALL
    ), priced AS (
        SELECT newest.* REPLACE (
            CASE WHEN newest.last_day < newest.day THEN earlier.price ELSE newest.price END AS price
        ) FROM newest LEFT JOIN earlier USING (product, day)
    )"""

SELECT_PRODUCTS = """
    WITH sold AS (
        SELECT product, min(day) AS first_day, max(day) AS last_day, count(*) AS lines,
            sum(CAST(round(quantity * 1000000) AS BIGINT)) AS units
        FROM current_sales WHERE state = 'sold' AND product <> '' AND day IS NOT NULL GROUP BY product
    )
    SELECT product, coalesce(name, '') AS name, coalesce(category, '') AS category, first_day, last_day,
        coalesce(units / 1000000, 0)::DOUBLE AS units, coalesce(lines, 0)::BIGINT AS lines
    FROM sold FULL JOIN (SELECT product, name, category FROM now_products WHERE product <> '') USING (product)
    ORDER BY product
"""


def _micro(number: str) -> str:
    return f"CAST(round({number} * {_MICRO}) AS BIGINT)"


def _in_shop_currency(amount: str, currency: str, rates: Mapping[str, float]) -> str:
    """Give SQL for an amount in the shop's currency, null where nobody says what it is worth."""
    worth = {"": 1.0, **({currency: 1.0} if currency else {}), **rates}
    cases = " ".join(
        "WHEN currency = '{}' THEN {} * {!r}".format(code.replace("'", "''"), amount, rate)
        for code, rate in worth.items()
    )
    return f"CASE {cases} END"
