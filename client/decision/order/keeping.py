"""Keep what was proposed, to be held against what was asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from client.feedback.kept import keep


def keep_orders(folder: Path, table: pa.Table, today: date) -> None:
    """Keep the orders of a whole shop.

    Raises
    ------
    DataError
        The file cannot be used.
    """
    lines = [
        {
            "product": row["product"],
            "first": today.isoformat(),
            "last": (row["next_arrives"] - timedelta(days=1)).isoformat(),
            "covered": row["on_hand"] + row["on_order"] + row["quantity"],
            "quantity": row["quantity"],
        }
        for row in table.select(["product", "next_arrives", "on_hand", "on_order", "quantity"]).to_pylist()
        if row["quantity"] is not None and row["next_arrives"] > today
    ]
    if lines:
        keep(folder, "order", datetime.now(UTC), {"lines": lines})
