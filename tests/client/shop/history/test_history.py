"""What is appended is read again, by everything that reads it."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from client.shop.history.history import History

FIRST = date(2024, 1, 1)
Make = Callable[..., pa.Table]


def test_a_folder_without_a_history_reads_as_an_empty_one(history: History) -> None:
    assert history.span() is None
    assert history.journal() == ()
    assert history.daily().num_rows == history.products().num_rows == history.records("sales").num_rows == 0
    assert list(history.folder.iterdir()) == [], "looking leaves nothing"


def test_what_is_committed_is_there_for_everybody_and_what_is_not_is_nowhere(history: History, make: Make) -> None:
    with history.begin("till") as one:
        one.append("sales", make("sales", {}, {"line": "2", "product": "cup", "quantity": 2.0}))
        one.remember("2")
        one.commit()
        one.append("sales", make("sales", {"order": "1002"}))
        one.remember("3")
    again = History.open(history.folder)
    assert again.records("sales")["product"].to_pylist().count("cup") == 1
    assert again.records("sales").num_rows == 2
    assert again.cursor("till") == "2"
    (entry,) = again.journal()
    assert entry.state == "partial"
    assert entry.counts["sales"].new == 2


def test_demand_is_what_was_sold_whatever_came_back(history: History, make: Make) -> None:
    later = date(2024, 1, 5)
    with history.begin("till") as one:
        one.append(
            "sales",
            make(
                "sales",
                {"quantity": 0.1},
                {"line": "2", "quantity": 0.2, "customer": "bob"},
                {"line": "3", "state": "cancelled"},
                {"line": "4", "state": "unpaid"},
                {"line": "5", "state": "test"},
                {"line": "6", "day": later, "product": "cup", "amount": None},
            ),
        )
        one.append("returns", make("returns", {}))
        one.append("views", make("views", {"quantity": 7.0}, {"quantity": 7.0}))
        one.append("stock", make("stock", {"out": True}))
        one.append("prices", make("prices", {}))
        one.append("products", make("products", {}))
        one.finish()
    cup, tea = sorted(history.daily().to_pylist(), key=lambda row: str(row["product"]))
    assert tea == {
        "product": "tea",
        "day": date(2024, 1, 1),
        "units": 0.3,
        "lines": 2,
        "customers": 2,
        "amount": 5.0,
        "views": 14.0,
        "carts": 0.0,
        "price": 2.5,
        "out": True,
    }
    assert (cup["day"], cup["units"], cup["amount"], cup["price"], cup["out"]) == (later, 1.0, None, None, False)
    assert history.daily(["cup"]).to_pylist() == [cup]
    assert history.span() == (date(2024, 1, 1), later)
    assert history.products().to_pylist() == [
        {"product": "cup", "name": "", "category": "", "first_day": later, "last_day": later, "units": 1.0, "lines": 1},
        {
            "product": "tea",
            "name": "Green tea",
            "category": "tea",
            "first_day": date(2024, 1, 1),
            "last_day": date(2024, 1, 1),
            "units": 0.3,
            "lines": 2,
        },
    ]


def test_dense_demand_is_that_of_the_days_whatever_the_batches(history: History, make: Make) -> None:
    rows = [
        {"order": f"{number}", "product": f"p{number % 7}", "day": FIRST + timedelta(days=number % 5), "quantity": 0.5}
        for number in range(60)
    ]
    with history.begin("till") as one:
        one.append("sales", make("sales", *rows, {"order": "x", "product": "none", "state": "cancelled"}))
        one.finish()
    expected = np.zeros((7, 5), np.float32)
    for row in rows:
        expected[int(str(row["product"])[1:]), (row["day"] - FIRST).days] += 0.5
    for num_products in (1, 3, 7, 100):
        batches = list(history.dense_daily(num_products=num_products))
        assert [len(batch.products) for batch in batches[:-1]] == [num_products] * (len(batches) - 1)
        assert [name for batch in batches for name in batch.products] == [f"p{number}" for number in range(7)]
        np.testing.assert_array_equal(np.concatenate([batch.units for batch in batches]), expected)
    (batch,) = history.dense_daily(["p3", "none"], first=FIRST + timedelta(days=1), last=FIRST + timedelta(days=2))
    np.testing.assert_array_equal(batch.units, expected[[3], 1:3])
    assert batch.first_day == FIRST + timedelta(days=1)


def test_a_price_counts_from_its_first_day_and_where_an_offer_ends_the_price_before_counts_again(
    history: History, make: Make
) -> None:
    days = [FIRST + timedelta(days=number) for number in range(6)]
    with history.begin("till") as one:
        one.append("sales", make("sales", *({"order": str(number), "day": day} for number, day in enumerate(days))))
        one.append(
            "prices",
            make(
                "prices",
                {"first_day": days[1], "price": 3.0},
                {"first_day": days[2], "last_day": days[3], "price": 2.0},
                {"first_day": days[5], "price": 4.0},
                {"product": "cup", "first_day": days[0], "price": 9.0},
            ),
        )
        one.finish()
    assert history.daily()["price"].to_pylist() == [None, 3.0, 2.0, 2.0, 3.0, 4.0]


def test_amounts_are_in_the_shops_currency_and_unknown_where_nobody_says_what_one_is_worth(
    history: History, make: Make
) -> None:
    (history.folder / "shop.toml").write_text(
        'name = "s"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n[rates]\nUSD = 0.5\n'
    )
    with history.begin("till") as one:
        one.append(
            "sales",
            make(
                "sales",
                {"currency": "EUR", "amount": 1.0},
                {"currency": "USD", "amount": 4.0, "line": "2"},
                {"currency": "CNY", "amount": 4.0, "line": "3", "product": "cup"},
                {"currency": "EUR", "amount": 4.0, "line": "4", "product": "cup"},
            ),
        )
        one.finish()
    assert history.daily().select(["product", "amount"]).to_pylist() == [
        {"product": "cup", "amount": None},
        {"product": "tea", "amount": 3.0},
    ]


def test_numbers_beyond_all_measure_cost_nobody_else_a_row(history: History, make: Make) -> None:
    with history.begin("till") as one:
        odd = [
            {"order": f"o{place}", "quantity": q} for place, q in enumerate((1e300, float("nan"), float("inf"), 9e15))
        ]
        one.append("sales", make("sales", {}, *odd))
        one.finish()
    assert history.daily()["units"].to_pylist() == [1.0]
    assert history.records("sales").num_rows == 5


def test_two_channels_that_number_their_orders_alike_are_not_mixed_up(history: History, make: Make) -> None:
    for source in ("till", "web"):
        with history.begin(source, numbering=source) as one:
            one.append("sales", make("sales", {}, {"order": "", "line": ""}))
            one.append("prices", make("prices", {}))
            one.finish()
    assert history.daily()["units"].to_pylist() == [4.0]
    assert history.records("prices").num_rows == 1, "a price is true of the shop, whoever tells it"
    with history.begin("books", numbering="web") as one:
        one.append("sales", make("sales", {}, {"order": "", "line": ""}))
        assert one.finish().counts["sales"].same == 2
    assert history.daily()["units"].to_pylist() == [4.0]
