"""What was learned of a shop and plans of experiments are read for ever; another version is not taken for this one."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.decision.recommendation.learned import FILE_NAME, Learned, recall
from client.decision.recommendation.purchase import Purchases
from client.decision.response.experiment import read_experiment
from common.errors import DataError
from taste_world import DAYS, START, draw_rows, make_purchases

FROZEN = Path(__file__).parent / "0.2" / "decision"
DAY = START + timedelta(DAYS)


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return make_purchases(draw_rows(customers=40))


@pytest.fixture
def learned(purchases: Purchases) -> Learned:
    found = recall(FROZEN, purchases, DAY, 28)
    assert found is not None, "of these purchases, by the digest that the file names"
    return found


@pytest.fixture
def written() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FROZEN / "experiment.json").read_text())
    return document


def test_what_was_learned_says_what_it_said(learned: Learned) -> None:
    assert (learned.taste.customers.shape, learned.taste.products.shape) == ((40, 64), (30, 64))
    np.testing.assert_array_equal(learned.taste.customers[0, :2], np.float32([0.19200046360492706, 0.1769220530986786]))
    np.testing.assert_array_equal(
        learned.taste.products[29, :2], np.float32([0.0043878923170268536, 0.12102920562028885])
    )
    assert [learned.taste.alike[0, place] for place in (0, 1, 15)] == [0, np.float32(0.919254720211029), 0]
    assert [learned.together[0, place] for place in (0, 1, 15)] == [0, np.float32(0.1538461595773697), 0]
    assert not learned.ranking.learned
    assert (len(learned.ranking.again.weights), learned.ranking.again.constant) == (8, -1.0)
    assert (len(learned.ranking.new.weights), learned.ranking.new.constant) == (6, -2.0)


def test_what_another_version_learned_is_learned_anew(purchases: Purchases, tmp_path: Path) -> None:
    shutil.copy(FROZEN / FILE_NAME, tmp_path)
    with np.load(tmp_path / FILE_NAME) as kept:
        content = dict(kept)
    for version, is_read in ((1, True), (999, False)):
        np.savez(tmp_path / FILE_NAME, **{**content, "version": version})
        assert (recall(tmp_path, purchases, DAY, 28) is not None) == is_read


def test_a_plan_of_an_experiment_draws_the_prices_that_it_drew(written: dict[str, Any]) -> None:
    plan = read_experiment(written, "plan.json")
    assert (plan.first, plan.last, plan.seed) == (date(2025, 3, 3), date(2025, 4, 27), 7)
    assert (plan.products, plan.usual, plan.factors) == (("tea", "coffee"), (4.2, 9.0), (0.9, 1.0, 1.1))
    assert plan.prices().tolist() == [
        [4.62, 4.2, 3.78, 4.62, 3.78, 4.2, 4.62, 3.78],
        [9.0, 9.0, 9.9, 9.9, 8.1, 8.1, 9.0, 8.1],
    ]
    assert plan.describe() == written


def test_a_plan_of_another_version_or_with_another_schedule_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="written by another version"):
        read_experiment({**written, "experiment": 2}, "plan.json")
    written["schedule"][0]["price"] = 4.2
    with pytest.raises(DataError, match="not the one that its seed draws"):
        read_experiment(written, "plan.json")
