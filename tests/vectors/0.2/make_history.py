"""Make the history of this folder, once, with the first code that wrote one; it is never made again.

    PYTHONPATH=$PWD:$PWD/tests python tests/vectors/0.2/make_history.py

Two imports of a till, the second with an order that was cancelled and a part that was read on; one of reviews; one that
was undone. The key is no secret: 32 bytes from 0 to 31.
"""

from __future__ import annotations

import lzma
import tempfile
from datetime import datetime
from pathlib import Path

from client.shop.history.history import History
from common.data.usable import LeftOut
from shop_records import make_records

HERE = Path(__file__).parent / "history"


def main(scratch: Path) -> None:
    (scratch / "customer.key").write_bytes(bytes(range(32)))
    (scratch / "customer.key").chmod(0o600)
    history = History.open(scratch)
    with history.begin("till", fingerprint="f1", origin="till-*.csv") as one:
        one.append(
            "sales", make_records("sales", {}, {"line": "2", "product": "cup", "quantity": 2.0, "customer": None})
        )
        one.append("sales", make_records("sales", *[{"order": "", "line": ""}] * 2))
        one.left_out(
            [LeftOut("column 'day' is no date", 3, is_fault=True, example="the first in row 7", advice="mend")]
        )
        one.remember("4")
        one.finish()
    with history.begin("base", origin="sqlite:///shop.db") as one:
        one.append("views", make_records("views", *[{"session": "s1"}] * 3))
        one.remember("3")
        one.finish()
    with history.begin("base", origin="sqlite:///shop.db", after="3") as one:
        one.append("views", make_records("views", {"session": "s1"}))
        one.append("sales", make_records("sales", {"state": "cancelled", "updated": datetime(2024, 2, 1, 9, 30)}))
        one.remember("5")
        one.finish()
    with history.begin("texts") as one:
        for kind in ("returns", "carts", "searches", "reviews", "stock", "prices", "promotions", "closures", "events"):
            one.append(kind, make_records(kind, {}))
        one.append("products", make_records("products", {}, {"product": "cup", "name": "A cup", "category": ""}))
        one.finish()
    with history.begin("wrong") as one:
        one.append("sales", make_records("sales", {"order": "77", "product": "wrong"}))
        one.finish()
    history.undo(5)
    for name in ("history.duckdb", "customer.key"):
        (HERE / f"{name}.xz").write_bytes(lzma.compress((scratch / name).read_bytes(), preset=9))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
