"""The command that says what days out of stock do to a forecast."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.plan.reading import parse_plan, read_plan
from simulation.command.stock import change_plan
from simulation.experiment.plans import find_plan
from simulation.experiment.stock import World, draw_stocked, know
from simulation.experiment.stock_network import write_files

DEMO = read_plan(find_plan(Path("demo")))


def test_a_merchant_that_knows_less_has_another_plan_of_the_same_world() -> None:
    columns = {known: know(DEMO, known).data for known in ("demand", "sold", "out of stock")}
    assert [data.target.column for data in columns.values()] == ["demand", "units", "units"]
    assert [data.out_of_stock for data in columns.values()] == ["", "", "out_of_stock"]


@pytest.mark.parametrize("likelihood", ["hurdle_negative_binomial", "log_normal"])
def test_another_likelihood_and_other_origins_make_another_plan(likelihood: str) -> None:
    plan = change_plan(DEMO, likelihood, "2024-07-02,2024-10-22")
    assert plan.model.likelihood == likelihood
    assert [str(day) for day in plan.evaluation.origins] == ["2024-07-02", "2024-10-22"]
    assert "demand" in draw_stocked(plan, World(share=0.1, products=10))
    assert DEMO.model.likelihood == "negative_binomial"


def test_no_plan_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="make no plan"):
        change_plan(DEMO, "poisson", "")
    with pytest.raises(ConfigError, match="reads a file"):
        change_plan(read_plan(find_plan(Path("federation"))), "", "")


def test_what_is_launched_over_the_network_is_the_plan_without_its_merchants(tmp_path: Path) -> None:
    plan = know(DEMO, "out of stock")
    rows = draw_stocked(plan, World(share=0.1, products=10)).head(100)
    launched, source = write_files(rows, plan, tmp_path, "stock")
    own, whole = (parse_plan(path.read_text(), origin=str(path)) for path in (launched, source))
    assert own.data.out_of_stock == whole.data.out_of_stock == "out_of_stock"
    assert (own.data.path, own.data.merchant) == ("sales.csv", "")
    assert (whole.data.path, whole.data.merchant) == ("stock.csv", "merchant")
    assert own.model == whole.model == plan.model
    assert json.loads(json.dumps(tomllib.loads(launched.read_text())))["name"] == "stock"


def test_the_largest_merchants_can_be_taken_alone() -> None:
    whole, few = (draw_stocked(DEMO, World(products=10, merchants=merchants)) for merchants in (0, 3))
    sizes = whole.groupby("merchant")["product"].nunique()
    assert few["merchant"].nunique() == 3
    assert few.groupby("merchant")["product"].nunique().min() >= sizes.drop(few["merchant"].unique()).max()
