"""A study of firsts and the entities of a run outlive the version that wrote them."""

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from client.data.rows import read
from common.errors import DataError
from common.plan.reading import read_plan
from simulation.evaluation.results import ENTITIES, Results
from simulation.experiment.entity import write_entities
from simulation.experiment.firsts.reading import FIRSTS, holds_study, read_study
from simulation.experiment.firsts.table import make_firsts_page, make_firsts_tables, say_firsts
from simulation.experiment.folder import RunFolder

FROZEN = Path(__file__).parent / "0.2" / "firsts"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return shutil.copytree(FROZEN, tmp_path / "study")


def test_a_study_says_what_it_said() -> None:
    assert holds_study(FROZEN)
    read = read_study(FROZEN)
    assert (read.metric, read.found["plan"]) == ("wql", "vector-firsts")
    assert read.command == "hansa-sim firsts plan.toml --out study --days 20 --only federated_eps8"
    rows = {(row["kind"], row["size"], row["origin"], row["method"]): row for row in read.found["rows"]}
    whole = rows["all", "all", "all", "federated_eps8"]
    assert (whole["days"], whole["entities"]) == (20, 9)
    assert whole["gain"]["value"] == pytest.approx(0.4292, abs=5e-5)
    assert whole["over_best_own"]["method"] == "routed_own"
    assert rows["Constitution Day", "all", "all", "routed"]["entities"] == 8
    assert "all, 20 days of history: routed against routed_own, quantile loss" in say_firsts(read.found, "wql")[0]
    assert [table.row_count for table in make_firsts_tables(read.found, "wql")] == [21, 7]
    assert "<td>federated_eps8</td>" in make_firsts_page(read.found, "wql", command=read.command)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (FIRSTS, '{"schema": 2, "rows": []}', "firsts.json has schema 2, and this version reads 1"),
        (FIRSTS, "[]", "firsts.json has schema None"),
        (FIRSTS, '{"schema": 1, "plan": "p", "rows": [{"kind": "all"}]}', "is damaged"),
        (FIRSTS, '{"schema": 1', "is damaged"),
        ("plan.json", "{}", "is damaged"),
        ("run.json", "[]", "is damaged"),
    ],
)
def test_what_is_no_study_of_this_version_is_said(study: Path, name: str, content: str, sentence: str) -> None:
    (study / name).write_text(content)
    with pytest.raises(DataError, match=sentence):
        read_study(study)


def test_the_entities_of_a_run_are_read_and_still_written_so(tmp_path: Path) -> None:
    plan = read_plan(FROZEN / "plan.toml")
    months = Results(FROZEN, plan, {}).read_months()
    assert months is not None
    assert len(months) == 9 + 9 - 1  # one product began between the two origins
    assert months[date(2024, 2, 20), "shop-2", "product-2-0"] == pytest.approx(50 / 30)
    panel = read(plan.data, FROZEN, ahead_from=plan.evaluation.origins[-1]).panel
    write_entities(RunFolder(tmp_path), plan, panel)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / ENTITIES), pd.read_parquet(FROZEN / ENTITIES))
