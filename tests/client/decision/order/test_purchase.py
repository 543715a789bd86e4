"""A purchase order for each supplier."""

from datetime import date
from pathlib import Path

import pyarrow as pa

from client.decision.order.purchase import write_purchase_orders
from client.shop.settings import Shop

DAY = date(2026, 11, 30)


def test_suppliers_whose_names_are_one_as_a_files_get_an_order_each(tmp_path: Path) -> None:
    names = ["Müller & Co", "Müller Co", "müller/co", "Pots"]
    table = pa.table(
        {
            "product": ["A", "B", "C", "D"], "name": [""] * 4, "supplier": names, "quantity": [1.0, 2.0, 3.0, 4.0],
            "unit_cost": [1.0] * 4, "cash": [1.0] * 4, "order_day": [DAY] * 4, "arrives": [DAY] * 4,
        }
    )  # fmt: skip
    shop = Shop(name="Tea", time_zone="UTC", currency="EUR")
    written = write_purchase_orders(table, shop, tmp_path)
    assert len({path.name.casefold() for path in written}) == len(names)
    assert all(path.is_file() for path in written)
