"""Make the frozen file of what was learned of a shop: run once, from the root of the version that is frozen.

PYTHONPATH=.:tests python tests/vectors/0.2/make_learned.py
"""

import json
import lzma
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from client.shop.forecast.learnt import learn_shop
from client.shop.forecast.memory import Memory, write_memory
from client.shop.forecast.question import Question
from client.shop.history.history import History
from client.shop.settings import read_shop
from small_shop import START, draw_sales, make_shop

HERE = Path(__file__).parent / "learned"
NAME = "0" * 64


def make(folder: Path) -> tuple[bytes, dict[str, object]]:
    """Learn a small shop; give the file and what it says, of trees the scores of some rows."""
    make_shop(folder, draw_sales(days=84, products=3))
    today = START + timedelta(days=84)
    assert isinstance(today, date)
    learnt = learn_shop(History.open(folder), read_shop(folder), Question(by="day", horizon="7d"), today=today)
    trees = learnt.fitted.learned.trees
    assert trees is not None
    assert trees[-1].booster is not None
    means = {"anchor": learnt.fitted.served[:, :, :2]}
    rows = np.random.default_rng(0).standard_normal((3, trees[-1].booster.num_feature())).astype(np.float32)
    said = {
        "offsets": [each.offset for each in trees],
        "rows": rows.tolist(),
        "scores": [
            None if each.booster is None else each.booster.predict(rows, raw_score=True).tolist() for each in trees
        ],
        "means": {name: mean.tolist() for name, mean in means.items()},
    }
    return write_memory(Memory(trees, means), NAME), said


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    with TemporaryDirectory() as place:
        content, said = make(Path(place))
    (HERE / f"{NAME}.learned.xz").write_bytes(lzma.compress(content))
    (HERE / "said.json").write_text(json.dumps(said) + "\n")
