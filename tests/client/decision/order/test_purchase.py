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
    written = write_purchase_orders(table, shop, tmp_path / "all")
    assert len({path.name.casefold() for path in written}) == len(names)
    assert all(path.is_file() for path in written)
    alone = [write_purchase_orders(table, shop, tmp_path / name[:2], only=(name, DAY)) for name in names]
    assert sorted(path.name for (path,) in alone) == sorted(path.name for path in written)
    fewer = table.set_column(3, "quantity", pa.array([0.0, 2.0, 3.0, 4.0]))  # nothing of the first: others keep theirs
    assert {path.name for path in write_purchase_orders(fewer, shop, tmp_path / "fewer")} < {
        path.name for path in written
    }
    assert write_purchase_orders(fewer, shop, tmp_path / "none", only=(names[0], DAY)) == []
