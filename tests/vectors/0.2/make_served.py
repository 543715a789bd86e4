"""Make the frozen files of a shop that has orders: run once, from the root of the version that is frozen.

PYTHONPATH=.:tests python tests/vectors/0.2/make_served.py
"""

import lzma
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from client.feedback.kept import FILE_NAME as FEEDBACK
from client.feedback.kept import keep
from client.shop.history.history import History
from client.shop.override.override import FILE_NAME as OVERRIDES
from client.shop.override.override import Override, Overrides
from shop_records import PLAIN, make_records

HERE = Path(__file__).parent / "served"
DAY = date(2025, 3, 3)
LINES = [{"product": "tea", "first": "2025-03-03", "last": "2025-03-16", "covered": 12.0, "quantity": 6.0}]


def make(folder: Path) -> None:
    """Fill a shop's folder with everything that this version keeps in files of their own."""
    with History.open(folder).begin("terms") as one:
        for kind in ("sales", "terms", "on_order"):
            one.append(kind, make_records(kind, PLAIN[kind]))
        one.finish()
    keep(folder, "order", datetime(2025, 3, 3, 8, tzinfo=UTC), {"lines": LINES})
    said = Overrides(folder)
    words = {"first": DAY, "last": date(2025, 3, 9), "author": "Anna", "reason": "Markt", "made": DAY}
    said.add(Override(number=1, of="product", name="tea", factor=1.2, without=10.0, with_it=12.0, **words))
    said.add(Override(number=1, of="shop", total=300.0, **words))
    said.remove(2, date(2025, 3, 4))


if __name__ == "__main__":
    HERE.mkdir()
    with TemporaryDirectory() as place:
        make(Path(place))
        (HERE / OVERRIDES).write_bytes((Path(place) / OVERRIDES).read_bytes())
        for name in (FEEDBACK, "history.duckdb", "customer.key"):
            (HERE / f"{name}.xz").write_bytes(lzma.compress((Path(place) / name).read_bytes()))
