"""The calendar reads the history as it is kept on disk."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from client.shop.calendar.ahead import ahead_of, origin_of
from client.shop.calendar.day_kind import guess_kinds
from client.shop.history.history import History
from client.shop.settings import Shop
from shop_records import make_records

FIRST = date(2024, 1, 1)
SHOP = Shop(name="tea", time_zone="Europe/London", currency="GBP", closed_weekdays=("sunday",))


def import_sales(history: History, *, num_days: int = 60) -> None:
    """Import twelve orders of each of two products a day, but on Sundays; one of them is sold for a time."""
    generator = np.random.default_rng(0)
    sales = [
        {"order": f"{day}-{number}", "line": "1", "day": FIRST + timedelta(days=day), "product": product}
        for day in range(num_days)
        if (FIRST + timedelta(days=day)).weekday() != 6
        for product in ("tea", "mug")
        if product == "tea" or day < 30
        for number in generator.permutation(12)
    ]
    sales = [{**row, "order": f"{row['product']}{row['order']}", "quantity": 2.0, "state": "sold"} for row in sales]
    with history.begin("shop") as found:
        found.append("sales", make_records("sales", *sales))
        found.append("stock", make_records("stock", {"day": FIRST + timedelta(days=9), "product": "tea", "out": True}))
        found.append("prices", make_records("prices", {"first_day": FIRST, "product": "tea", "price": 4.0}))
        found.append(
            "promotions",
            make_records("promotions", {"first_day": date(2024, 3, 4), "last_day": date(2024, 3, 5), "product": ""}),
        )
        found.finish()


def test_kinds_of_days_and_what_lies_ahead_come_from_a_history_on_disk(tmp_path: Path) -> None:
    history = History.open(tmp_path)
    import_sales(history)
    assert origin_of(history) == date(2024, 3, 1)
    kinds = guess_kinds(history, SHOP)
    (sundays,) = kinds.closures
    assert (sundays.source, len(sundays.days), sundays.exceptions) == ("told", 8, ())
    mug, tea = kinds.lives
    assert (mug.last_sale, mug.is_ended, tea.is_ended) == (date(2024, 1, 30), False, False), "silent for four weeks"
    assert [(each.product, each.first, each.last) for each in kinds.stock_outs] == [
        ("tea", date(2024, 1, 10), date(2024, 1, 10))
    ]
    ahead = ahead_of(history, SHOP, date(2024, 3, 1), date(2024, 3, 7), ["tea", "mug"], kinds=kinds)
    assert ahead.is_open.tolist() == [True, True, False, True, True, True, True]
    assert np.flatnonzero(ahead.by_product[1, :, 0]).tolist() == [3, 4]
    assert ahead.by_product[0, :, 2].tolist() == [4.0] * 7
    assert np.isnan(ahead.by_product[1, :, 2]).all()
