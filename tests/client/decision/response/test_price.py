"""Which price counts: what was told where customers paid it, else what they paid."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from client.decision.response.market import read_market
from client.decision.response.price import choose_prices, find_certain
from client.shop.history.history import History
from price_world import SHOP, invent_world
from shop_records import make_records
from small_shop import START, make_shop


def test_days_around_a_change_of_price_are_not_certain_and_days_within_are() -> None:
    nan = np.nan
    paid = np.array([[nan, 5.0, nan, 5.0, 5.0, nan, 4.0, 4.0, nan, 4.0, nan]])
    expected = [False, False, True, True, False, False, False, True, True, False, False]
    assert find_certain(paid)[0].tolist() == expected


def test_told_prices_count_and_days_of_a_promotion_have_its_discount_taken_off_once() -> None:
    """Told prices of these worlds hold the discount already: 0.85 of it must not be taken off again."""
    told = read_market(invent_world(1, told=True, products=6, weeks=30).history, SHOP)
    paid = read_market(invent_world(1, told=False, products=6, weeks=30).history, SHOP)
    assert told.prices.told.all()
    assert not paid.prices.told.any()
    sold = (told.units > 0) & (paid.units > 0) & paid.counted
    assert np.allclose(told.prices.by_day[sold], paid.prices.by_day[sold], rtol=1e-4)


def test_large_lines_that_pay_less_on_the_same_day_are_noticed(tmp_path: Path) -> None:
    def shop(folder: Path, per_double: float) -> History:
        draw, rows = np.random.default_rng(1), []
        for place in range(400):
            quantity = float(draw.integers(1, 13))
            price = 10.0 * per_double ** np.log2(quantity) * float(np.exp(draw.normal(0, 0.02)))
            day = START + timedelta(days=place // 4)
            rows.append({"order": str(place), "day": day, "quantity": quantity, "amount": quantity * price})
        return History.open(make_shop(folder, [], sales=make_records("sales", *rows)))

    nothing = np.full((1, 100), np.nan)
    cheap = choose_prices(shop(tmp_path / "a", 0.9), SHOP, nothing, 0 * nothing, ["tea"], START)
    even = choose_prices(shop(tmp_path / "b", 1.0), SHOP, nothing, 0 * nothing, ["tea"], START)
    assert abs(cheap.bulk - 0.9) < 0.01
    assert abs(np.log2(even.bulk)) < 3 * even.bulk_error
    assert cheap.weekly
    assert not pa.compute.is_nan(pa.scalar(cheap.beside)).as_py()
