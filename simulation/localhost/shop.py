"""A shop's folder made of the rows that a plan describes, so that a shop's own commands can be measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from client.data.rows import read
from client.shop.history.history import History
from client.shop.record import Kind, schema_of
from client.shop.settings import FILE_NAME, Shop
from common.data.cells import as_days, as_numbers
from common.disk.file import write_whole
from common.errors import ConfigError
from common.plan.schema import DataPlan, Plan


def found_shop(plan: Plan, data_root: Path, folder: Path, *, quantity: str) -> int:
    """Write shop.toml and a history of everything the plan's rows say was sold, and give the number of lines.

    Categories are the product groups that the plan deals to merchants, or the merchants of its rows.

    Raises
    ------
    ConfigError
        The folder has a shop already, or the plan's rows are no sales with such a quantity.
    """
    if (folder / FILE_NAME).exists():
        raise ConfigError(f"{folder} has a shop already; choose a new folder.")
    data = plan.data
    rows = read(data, data_root, whole=True).usable.rows
    if quantity not in rows.columns:
        raise ConfigError(f"The plan reads no column {quantity!r}; it reads {', '.join(map(str, rows.columns))}.")
    write_whole(folder / FILE_NAME, _settings(plan).encode())
    products = rows[data.entity].astype(str)
    sales = {
        "row": np.arange(len(rows)),
        "order": np.arange(len(rows)).astype(str),
        "line": np.full(len(rows), ""),
        "day": as_days(rows[data.time], data.time_zone),
        "product": products.to_numpy(),
        "customer": np.full(len(rows), ""),
        "quantity": as_numbers(rows[quantity]),
        "state": np.full(len(rows), "sold"),
    }
    names = sorted(set(products))
    described = {
        "row": range(len(names)),
        "product": names,
        "name": names,
        "category": _categories(names, rows, data),
    }
    with History(folder).begin("plan") as one:
        one.append("sales", _table("sales", sales, len(rows)))
        one.append("products", _table("products", described, len(names)))
        one.finish()
    return len(rows)


def _table(kind: Kind, columns: Mapping[str, object], number: int) -> pa.Table:
    schema = schema_of(kind)
    filled = {
        field.name: pa.array(columns[field.name]).cast(field.type)
        if field.name in columns
        else pa.nulls(number, field.type)
        for field in schema
    }
    return pa.table(filled, schema=schema)


def _categories(products: Sequence[str], rows: pd.DataFrame, data: DataPlan) -> list[str]:
    if data.deal is not None and data.deal.by == "group":
        return [product[: data.deal.characters] for product in products]
    if data.deal is not None or not data.merchant:
        return [""] * len(products)
    of = dict(zip(rows[data.entity].astype(str), rows[data.merchant].astype(str), strict=True))
    return [of[product] for product in products]


def _settings(plan: Plan) -> str:
    data = plan.data
    shop = Shop(
        name=plan.name,
        time_zone=data.time_zone or "UTC",
        currency="EUR",
        closed_weekdays=data.closed_weekdays,
        closed_dates=data.closed_dates,
    )
    weekdays, dates = list(shop.closed_weekdays), [str(day) for day in shop.closed_dates]
    return (
        f'name = "{shop.name}"\ntime_zone = "{shop.time_zone}"\ncurrency = "{shop.currency}"\n'
        f"closed_weekdays = {weekdays}\nclosed_dates = {dates}\n"
    )
