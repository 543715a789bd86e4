"""What is appended is read again, by everything that reads it."""

from collections.abc import Callable
from datetime import date

import pyarrow as pa

from client.shop.history.history import History

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
