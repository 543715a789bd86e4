"""What the second version learned of a shop is read for ever, to the last bit; a later format is not."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from client.shop.forecast.memory import read_memory

FROZEN = Path(__file__).parent / "0.2" / "learned"
NAME = "0" * 64

pytest.importorskip("lightgbm")


def test_frozen_trees_and_means_say_what_they_said() -> None:
    content, said = read_frozen()
    memory = read_memory(content, NAME)
    assert memory is not None
    assert memory.trees is not None
    assert [each.offset for each in memory.trees] == said["offsets"]
    rows = np.array(said["rows"], np.float32)
    scores = [None if each.booster is None else each.booster.predict(rows, raw_score=True) for each in memory.trees]
    assert [None if each is None else np.asarray(each).tolist() for each in scores] == said["scores"]
    assert {name: mean.tolist() for name, mean in memory.means.items()} == said["means"]


def test_a_later_format_is_not_there() -> None:
    content, _ = read_frozen()
    assert content.startswith(b"hansa learned 1 ")
    assert read_memory(content.replace(b"learned 1", b"learned 2", 1), NAME) is None


def read_frozen() -> tuple[bytes, dict[str, list[object]]]:
    packed = (FROZEN / f"{NAME}.learned.xz").read_bytes()
    return lzma.decompress(packed), json.loads((FROZEN / "said.json").read_text())
