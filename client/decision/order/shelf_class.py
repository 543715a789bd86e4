"""Which products matter most and which can be planned: ABC by turnover, XYZ by how evenly they sell.

| class | which                                                                                      |
|-------|--------------------------------------------------------------------------------------------|
| A     | the products with the most turnover, which together make 80 % of it                        |
| B     | the next ones, up to 95 %                                                                   |
| C     | the rest                                                                                   |
| X     | coefficient of variation of what is sold in a week at most 0.5                             |
| Y     | at most 1                                                                                  |
| Z     | above                                                                                      |

References
----------
Dickie, "ABC inventory analysis shoots for dollars, not pennies", Factory Management and Maintenance 109 (1951).
Silver, Pyke & Thomas, "Inventory and Production Management in Supply Chains", 4th edition (2017), section 2.2. The
limits of XYZ differ from book to book; these are the usual ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from client.shop.history.history import History

SHARE_A, SHARE_AB = 0.8, 0.95
VARIATION_X, VARIATION_Y = 0.5, 1.0
WEEKS = 26
_WEEKLY = """
    WITH last AS (SELECT max(day) AS day FROM sales), weekly AS (
        SELECT product, (last.day - sales.day) // 7 AS week, sum(quantity) AS units, sum(amount) AS amount
        FROM sales, last WHERE state = 'sold' AND product <> '' AND sales.day > last.day - {days} GROUP BY ALL
    )
    SELECT product, sum(amount) AS turnover, sum(units) AS units, sum(units * units) AS squares
    FROM weekly GROUP BY product
"""


def classify(history: History, products: Sequence[str]) -> tuple[str, ...]:
    """Give AX to CZ for each product, by its last half year; "" where it sold nothing in it."""
    rows = {row["product"]: row for row in history.ask(_WEEKLY.format(days=7 * WEEKS)).to_pylist()}
    turnover = np.array([float(rows[name]["turnover"] or 0.0) if name in rows else 0.0 for name in products])
    units = np.array([float(rows[name]["units"] or 0.0) if name in rows else 0.0 for name in products])
    squares = np.array([float(rows[name]["squares"] or 0.0) if name in rows else 0.0 for name in products])
    by_turnover, by_variation = letters_of_turnover(turnover), letters_of_variation(units, squares)
    return tuple(
        f"{abc}{xyz}" if sold > 0 else "" for abc, xyz, sold in zip(by_turnover, by_variation, units, strict=True)
    )


def letters_of_turnover(turnover: np.ndarray) -> np.ndarray:
    """Give A, B or C: the product with which 80 % are reached is still an A."""
    order = np.argsort(-turnover, kind="stable")
    before = np.cumsum(turnover[order]) - turnover[order]
    share = before / max(float(turnover.sum()), 1e-12)
    letters = np.empty(len(turnover), "U1")
    letters[order] = np.where(share < SHARE_A, "A", np.where(share < SHARE_AB, "B", "C"))
    return letters


def letters_of_variation(units: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Give X, Y or Z from sums over weeks."""
    mean = units / WEEKS
    variation = np.sqrt(np.maximum(squares / WEEKS - mean**2, 0.0)) / np.maximum(mean, 1e-12)
    return np.where(variation <= VARIATION_X, "X", np.where(variation <= VARIATION_Y, "Y", "Z"))
