"""The shop's orders as tables of a database: numeric amounts, moments with a zone, a table for customers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sql

from client.shop.invented.shop import InventedShop, Line, Order
from client.shop.invented.side import SideTable, side_tables

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
}
STATUS = {"sold": "completed", "cancelled": "cancelled", "test": "test", "unpaid": "pending_payment"}


def write_database(shop: InventedShop, url: str) -> None:
    """Write every table of the shop into an empty SQLite, PostgreSQL or MariaDB database.

    SQLite has no moments: there they are text as 2024-03-31T21:30:00+00:00.
    """
    address = sql.make_url(url)
    engine = sql.create_engine(address.set(drivername=DRIVERS[address.get_backend_name()]))
    is_sqlite, metadata = engine.dialect.name == "sqlite", sql.MetaData()
    lines, customers = _order_lines(metadata, is_sqlite=is_sqlite), _customers(metadata)
    beside = {table.name: _side_table(metadata, table) for table in side_tables(shop)}
    rows = [row for order in shop.orders for row in _line_rows(order, is_sqlite=is_sqlite)]
    with engine.begin() as connection:
        if engine.dialect.name in ("mysql", "mariadb"):
            connection.execute(sql.text("SET time_zone = '+00:00'"))
        metadata.create_all(connection)
        connection.execute(lines.insert(), [{"id": place + 1, **row} for place, row in enumerate(rows)])
        connection.execute(customers.insert(), _customer_rows(shop))
        for table in side_tables(shop):
            connection.execute(
                beside[table.name].insert(), [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            )
    engine.dispose()


def _order_lines(metadata: sql.MetaData, *, is_sqlite: bool) -> sql.Table:
    moment: Any = sql.Text() if is_sqlite else sql.TIMESTAMP(timezone=True)
    return sql.Table(
        "order_lines",
        metadata,
        sql.Column("id", sql.BigInteger, primary_key=True, autoincrement=False),
        sql.Column("order_number", sql.Integer, nullable=False),
        sql.Column("line_number", sql.Integer, nullable=False),
        sql.Column("ordered_at", moment, nullable=False),
        sql.Column("updated_at", moment, nullable=False),
        sql.Column("customer_id", sql.Integer),
        sql.Column("customer_name", sql.String(120)),
        sql.Column("customer_email", sql.String(120)),
        sql.Column("shipping_address", sql.String(200)),
        sql.Column("phone", sql.String(40)),
        sql.Column("sku", sql.String(40), nullable=False),
        sql.Column("product_name", sql.String(120)),
        sql.Column("quantity", sql.Numeric(12, 3), nullable=False),
        sql.Column("unit_price", sql.Numeric(12, 2), nullable=False),
        sql.Column("line_total", sql.Numeric(14, 2), nullable=False),
        sql.Column("currency", sql.CHAR(3), nullable=False),
        sql.Column("status", sql.String(40), nullable=False),
        sql.Column("note", sql.Text),
    )


def _customers(metadata: sql.MetaData) -> sql.Table:
    return sql.Table(
        "customers",
        metadata,
        sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
        sql.Column("name", sql.String(120)),
        sql.Column("email", sql.String(120)),
        sql.Column("phone", sql.String(40)),
        sql.Column("street", sql.String(120)),
        sql.Column("city", sql.String(60)),
    )


def _side_table(metadata: sql.MetaData, table: SideTable) -> sql.Table:
    first = table.rows[0] if table.rows else ("",) * len(table.columns)
    columns = [sql.Column(name, _type(value)) for name, value in zip(table.columns, first, strict=True)]
    return sql.Table(table.name, metadata, *columns)


def _type(value: object) -> Any:
    if isinstance(value, date):
        return sql.Date()
    if isinstance(value, float):
        return sql.Numeric(12, 2)
    return sql.Integer() if isinstance(value, int) else sql.String(300)


def _line_rows(order: Order, *, is_sqlite: bool) -> list[dict[str, object]]:
    return [_line_row(order, line, place + 1, is_sqlite=is_sqlite) for place, line in enumerate(order.lines)]


def _line_row(order: Order, line: Line, place: int, *, is_sqlite: bool) -> dict[str, object]:
    at = order.at.astimezone(UTC)
    return {
        "order_number": order.number,
        "line_number": place,
        "ordered_at": _moment(at, is_sqlite=is_sqlite),
        "updated_at": _moment(at + timedelta(hours=2), is_sqlite=is_sqlite),
        "customer_id": int(order.person.telephone[-4:]),
        "customer_name": order.person.name,
        "customer_email": order.person.email,
        "shipping_address": f"{order.person.street}, {order.person.postcode} {order.person.city}",
        "phone": order.person.telephone,
        "sku": line.product.code,
        "product_name": line.product.name,
        "quantity": line.quantity,
        "unit_price": line.price,
        "line_total": line.amount,
        "currency": order.currency,
        "status": STATUS[order.state],
        "note": order.note,
    }


def _moment(at: datetime, *, is_sqlite: bool) -> object:
    return at.isoformat() if is_sqlite else at


def _customer_rows(shop: InventedShop) -> list[dict[str, object]]:
    return [
        {
            "id": place + 1,
            "name": person.name,
            "email": person.email,
            "phone": person.telephone,
            "street": person.street,
            "city": person.city,
        }
        for place, person in enumerate(shop.people)
    ]
