"""A plan that is taken up: its text beside shop.toml, its file made, and nothing where that cannot be."""

from pathlib import Path

import pandas as pd
import pytest

from client.shop.history.history import History
from client.shop.plan.starter import write_plan
from client.shop.settings import read_shop
from client.shop.setup.joining import data_root_of, take_up
from common.errors import DataError
from common.plan.reading import parse_plan
from small_shop import draw_sales, make_shop


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = make_shop(tmp_path_factory.mktemp("other"), draw_sales(days=420, products=3))
    with History.open(folder) as history:
        return write_plan(history, read_shop(folder))


def test_a_plan_is_noted_with_its_file_and_a_second_time_changes_nothing(tmp_path: Path, text: str) -> None:
    folder, plan = make_shop(tmp_path / "shop", draw_sales(days=420, products=4)), parse_plan(text)
    adapted = take_up(folder, plan, text)
    assert adapted.path == folder / "data" / "demand.parquet"
    assert len(pd.read_parquet(adapted.path)["product"].unique()) == 4
    (kept,) = read_shop(folder).plans
    assert (kept.path, kept.data_root) == (f"plan-{plan.hash[:8]}.toml", "data")
    assert parse_plan((folder / kept.path).read_text()).hash == plan.hash
    before = (folder / "shop.toml").read_text()
    take_up(folder, plan, text)
    assert (folder / "shop.toml").read_text() == before
    assert data_root_of(read_shop(folder)) == "data"


def test_a_plan_that_the_history_cannot_answer_leaves_nothing(tmp_path: Path, text: str) -> None:
    folder = make_shop(tmp_path / "shop", draw_sales(days=30, products=1))
    before = (folder / "shop.toml").read_text()
    wanting = text.replace('missing = "zero"', 'known = [{ column = "promotion" }]\nmissing = "zero"', 1)
    with pytest.raises(DataError, match="no promotions"):
        take_up(folder, parse_plan(wanting), wanting)
    assert (folder / "shop.toml").read_text() == before
    assert list(folder.glob("plan-*")) == []
