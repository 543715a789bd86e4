"""Write an invented shop's exports into a folder, one file of each kind."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from client.shop.invented.database import write_database
from client.shop.invented.german import write_german
from client.shop.invented.sheet import write_workbook
from client.shop.invented.shop import InventedShop
from client.shop.invented.shopify import write_shopify
from client.shop.invented.side import SideTable, side_tables
from client.shop.invented.taobao import write_taobao
from client.shop.invented.woocommerce import write_woocommerce


def write_exports(shop: InventedShop, folder: Path) -> dict[str, Path]:
    """Write the shop's orders as each kind of file, and give where each is.

    Returns
    -------
    dict
        shopify, woocommerce, german, sheet, taobao and sqlite; a database server is written by `write_database`.
    """
    files = {
        "shopify": (folder / "orders_export_1.csv", write_shopify(shop.orders)),
        "woocommerce": (folder / "orders-2025-01-02.csv", write_woocommerce(shop.orders)),
        "german": (folder / "bestellungen.csv", write_german(shop.orders)),
        "sheet": (folder / "verkaeufe.xlsx", write_workbook(shop)),
        "taobao": (folder / "ExportOrderDetailList.csv", write_taobao(shop.orders)),
    }
    for path, content in files.values():
        path.write_bytes(content)
    database = folder / "shop.sqlite"
    write_database(shop, f"sqlite:///{database}")
    return {name: path for name, (path, _) in files.items()} | {"sqlite": database}


def write_side_tables(shop: InventedShop, folder: Path) -> dict[str, Path]:
    """Write the tables beside the orders as CSV files, and give where each is."""
    paths = {}
    for table in side_tables(shop):
        paths[table.name] = folder / f"{table.name}.csv"
        paths[table.name].write_bytes(_as_csv(table))
    return paths


def _as_csv(table: SideTable) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue().encode()
