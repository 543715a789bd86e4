"""The copy of a shop that an edition is made of."""

from pathlib import Path

from client.decision.recommendation.learned import FILE_NAME
from client.serving.making.snapshot import bring_back


def test_what_a_killed_maker_left_half_keeps_nothing_from_being_brought_back(tmp_path: Path) -> None:
    shop, copy = tmp_path / "shop", tmp_path / "copy"
    shop.mkdir()
    copy.mkdir()
    (shop / f".{FILE_NAME}.served").write_bytes(b"ha")
    (copy / FILE_NAME).write_bytes(b"whole")
    bring_back(shop, copy)
    assert (shop / FILE_NAME).read_bytes() == b"whole"
    assert [path.name for path in shop.iterdir()] == [FILE_NAME]
