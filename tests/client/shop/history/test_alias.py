"""What is told of a product under its old number is told of the one that goes on."""

from datetime import date
from pathlib import Path

from client.shop.history.history import History
from shop_records import make_records

DAY = date(2024, 5, 6)


def test_records_follow_the_number_that_counts_and_its_own_come_last(tmp_path: Path) -> None:
    history = History.open(tmp_path)
    with history.begin("shop") as one:
        one.append("sales", make_records("sales", {"product": "new", "day": DAY, "quantity": 1.0, "state": "sold"}))
        one.append("promotions", make_records("promotions", {"product": "old", "first_day": DAY}))
        terms = ({"product": "new", "supplier": "B"}, {"product": "old", "supplier": "A"}, {"product": "other"})
        one.append("terms", make_records("terms", *terms))
        one.append("aliases", make_records("aliases", {"product": "old", "stands_for": "new"}))
        one.finish()
    assert history.records("promotions")["product"].to_pylist() == ["new"]
    told = [(row["product"], row["supplier"]) for row in history.records("terms").to_pylist()]
    assert told[:2] == [("new", "A"), ("new", "B")], "the last one counts, and that is its own"
    assert told[2][0] == "other"
