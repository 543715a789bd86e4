"""Make the frozen edition and the frozen backups: run once, from the root of the version that is frozen.

PYTHONPATH=.:tests python tests/vectors/0.2/make_edition.py
"""

import lzma
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from client.account.starter import write_starter
from client.backup.backup import make_backup
from client.serving.edition.disk import write_imprint, write_part
from client.serving.edition.edition import Imprint
from client.serving.edition.part import Part
from common.backup.writing import writing_backup
from common.forecast.table import QUANTILES

HERE = Path(__file__).parent
MONDAY = date(2026, 12, 7)
MADE = datetime(2026, 12, 6, 8, 0, tzinfo=UTC)


def make_week() -> Part:
    """Lay out two products of one week; its sentences in two languages."""
    whole = {
        "period": "2026-W50",
        "first": MONDAY,
        "last": MONDAY + timedelta(days=6),
        "open_days": 6,
        "partial": False,
    }
    rows = [
        {
            **{"product": product, "name": name, **whole, "mean": mean, "probability": 0.9, "state": "sold"},
            **{"without": mean, **{level: mean + place for place, level in enumerate(QUANTILES)}},
        }
        for product, name, mean in (("P1", "Assam", 4.0), ("P2", "绿茶", 2.5))
    ]
    period = {"name": "2026-W50", "first": str(MONDAY), "last": str(MONDAY + timedelta(days=6)), "partial": False}
    document = {"by": "week", "from": str(MONDAY), "periods": [period], "methods": {"anchor": 1.0}}
    said = {language: {**document, "sentences": [words]} for language, words in (("en", "Made."), ("zh", "已制作。"))}
    return Part(said["en"], pa.Table.from_pylist(rows), {"zh": said["zh"]})


def make_edition(folder: Path) -> None:
    """Write an edition of two parts, and one that could not be made."""
    making = folder / ".making"
    making.mkdir()
    write_part(making, "products", Part({}, pa.table({"product": ["P1", "P2"], "category": ["black", "green"]})))
    write_part(making, "week", make_week())
    imprint = Imprint(
        name="20261206T080000Z-0123456789ab",
        key="0123456789ab" + "0" * 52,
        made=MADE,
        day=date(2026, 12, 6),
        shop="Teehaus",
        currency="EUR",
        time_zone="Europe/Berlin",
        version="0.2.0",
        parts=("products", "week"),
        troubles={"reviews": "The history has no reviews; bring them in: hansa-client init reviews.csv --add."},
    )
    write_imprint(making, imprint, folder / imprint.name)


def make_backups(folder: Path) -> None:
    """Write a merchant's backup without a ledger, and one of a coordinator's folder."""
    shop = folder / "shop"
    (shop / "served").mkdir(parents=True)
    (shop / "policy.toml").write_text(write_starter())
    (shop / "shop.toml").write_text('name = "Teehaus"\n')
    (shop / "served" / "chosen.json").write_text('{"schema": 1, "day": "2026-12-06", "at": "", "pieces": {"P1": 12.0}}')
    make_backup(shop, folder / "merchant.tar")
    (folder / "federation.toml").write_text('name = "tea"\n')
    with writing_backup(folder / "coordinator.tar") as writer:
        writer.add("federation.toml", folder / "federation.toml")
        writer.finish("coordinator", hansa="0.2.0", made_at=MADE.isoformat(), ledger=None)


if __name__ == "__main__":
    (HERE / "edition").mkdir()
    make_edition(HERE / "edition")
    with TemporaryDirectory() as place:
        make_backups(Path(place))
        (HERE / "backup").mkdir()
        for name in ("merchant.tar", "coordinator.tar"):
            (HERE / "backup" / f"{name}.xz").write_bytes(lzma.compress((Path(place) / name).read_bytes()))
