from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from client.shop.setup.overlap import SAME_SHARE, agreement

FIRST = date(2024, 1, 1)


def daily(cells: Sequence[tuple[int, str, float]]) -> pa.Table:
    rows = [
        {"day": FIRST + timedelta(days=int(day)), "product": product, "quantity": units}
        for day, product, units in cells
    ]
    schema = pa.schema({"day": pa.date32(), "product": pa.string(), "quantity": pa.float64()})
    return pa.Table.from_pylist(rows, schema=schema)


def drawn(seed: int, *, days: int = 60, products: int = 8, rate: float = 1.0) -> list[tuple[int, str, float]]:
    counts = np.random.default_rng(seed).poisson(rate, (days, products))
    return [(day, f"p{place}", float(counts[day, place])) for day, place in zip(*np.nonzero(counts), strict=True)]


def test_the_same_sales_agree_whatever_their_order() -> None:
    cells = drawn(0)
    assert agreement(daily(cells), daily(cells[::-1])) == 1.0


def test_an_export_that_goes_further_agrees_within_the_days_that_both_tell_of() -> None:
    cells = drawn(1)
    assert agreement(daily(cells), daily([cell for cell in cells if cell[0] < 40])) == 1.0


def test_a_few_late_orders_do_not_hide_it() -> None:
    cells = drawn(2)
    late = [(day, product, units + (place % 10 == 0)) for place, (day, product, units) in enumerate(cells)]
    assert agreement(daily(cells), daily(late)) > SAME_SHARE


def test_two_channels_that_sell_the_same_products_do_not_agree() -> None:
    # 400 pairs of channels at three rates: the share stays below 0.45, so no pair comes near SAME_SHARE of 0.6.
    for seed in range(400):
        rate = (0.3, 1.0, 4.0)[seed % 3]
        share = agreement(daily(drawn(2 * seed, rate=rate)), daily(drawn(2 * seed + 1, rate=rate)))
        assert share < 0.45


def test_nothing_agrees_with_no_days_or_a_handful() -> None:
    assert agreement(daily([]), daily(drawn(3))) is None
    assert agreement(daily([(0, "p", 1.0)]), daily([(0, "p", 1.0)])) is None
    assert agreement(daily([(0, "p", 1.0)]), daily([(9, "p", 1.0)])) is None
