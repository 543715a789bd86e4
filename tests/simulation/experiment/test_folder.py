import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from common.errors import ConfigError, DataError
from common.forecast.method import Method
from common.forecast.metric import QUANTILE_LEVELS, Forecast
from simulation.experiment.folder import Part, RunFolder, forecast_table

PART = Part(Method.parse("anchor"), date(2024, 2, 6), 3)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def trial(make_small_trial, sales):
    return make_small_trial(sales, model={"horizon_days": 4, "bucket_days": 2})


@pytest.fixture
def points():
    """Point forecasts of six entities and two buckets."""
    mean = np.arange(12.0).reshape(6, 2)
    return Forecast(mean, mean, None, np.linspace(0, 1, 6))


def test_a_part_is_named_by_method_origin_and_seed(folder):
    assert PART.name == "anchor-2024-02-06-3"
    assert folder.model_path(PART).name == "anchor-2024-02-06-3.safetensors"
    assert folder.state_path(PART).name == "anchor-2024-02-06-3.state.safetensors"


def test_an_empty_folder_takes_a_run_with_or_without_resume(folder, make_plan):
    folder.open(make_plan(), seed=1, data="d", command="hansa-sim run", resume=True)
    assert json.loads((folder.path / "run.json").read_text()) == {
        "plan_hash": make_plan().hash,
        "seed": 1,
        "schema": 3,
        "data": "d",
        "command": "hansa-sim run",
    }


def test_a_folder_is_taken_anew_as_long_as_no_part_has_left_anything(folder, make_plan):
    folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    folder.open(make_plan(name="other"), seed=0, data="d", command="", resume=False)
    assert json.loads((folder.path / "plan.json").read_text())["name"] == "other"


def test_a_folder_with_a_state_in_training_holds_a_run(folder, make_plan):
    folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    folder.state_path(PART).touch()
    with pytest.raises(ConfigError, match="go on with --resume"):
        folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    with pytest.raises(ConfigError, match="run it with --seed 0"):
        folder.open(make_plan(), seed=1, data="d", command="", resume=True)
    folder.open(make_plan(), seed=0, data="d", command="", resume=True)


def test_a_json_file_is_there_whole_or_not_at_all(folder, make_plan):
    folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    folder.write_json("summary.json", {"wape": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_json("summary.json", {"wape": float("nan")})
    assert json.loads((folder.path / "summary.json").read_text()) == {"wape": 1.0}


def test_a_failed_write_says_where_and_what_to_do(folder):
    with pytest.raises(DataError, match=r"run: .*No such file.*; make room and go on with --resume"), folder.writing():
        folder.write_json("parts/nowhere.json", {})


def test_a_part_is_finished_once_its_scores_are_written(folder, make_plan, points, trial):
    folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    folder.state_path(PART).touch()
    assert folder.read_part(PART) is None
    folder.write_part(PART, {"method": "anchor"}, points, trial)
    assert folder.read_part(PART) == {"method": "anchor"}
    assert not folder.state_path(PART).exists()


def test_forecasts_of_finished_parts_are_joined_in_order(folder, make_plan, points, trial):
    folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    quantiles = np.repeat(points.mean[:, :, None], len(QUANTILE_LEVELS), axis=2)
    other = Part(Method.parse("federated"), PART.origin, 0)
    folder.write_part(PART, {"method": "anchor"}, points, trial)
    folder.write_part(other, {"method": "federated"}, Forecast(points.mean, points.mean, quantiles, None), trial)
    folder.join_forecasts([PART, Part(Method.parse("gru_local"), PART.origin, 0), other])
    joined = pd.read_parquet(folder.path / "forecasts.parquet")
    assert joined["method"].tolist() == ["anchor"] * 12 + ["federated"] * 12
    assert joined["q90"].isna().tolist() == [True] * 12 + [False] * 12


def test_no_finished_part_makes_no_forecast_file(folder, make_plan):
    folder.open(make_plan(), seed=0, data="d", command="", resume=False)
    folder.join_forecasts([PART])
    assert not (folder.path / "forecasts.parquet").exists()


def test_a_forecast_has_a_row_per_entity_and_bucket_named_by_the_buckets_first_day(points, trial):
    table = forecast_table(PART, points, trial)
    first = table.iloc[:4]
    assert first["entity"].tolist() == ["north-0", "north-0", "south-0", "south-0"]
    assert first["merchant"].tolist() == ["north", "north", "south", "south"]
    assert first["date"].dt.strftime("%m-%d").tolist() == ["02-06", "02-08", "02-06", "02-08"]
    assert first["mean"].tolist() == [0, 1, 2, 3]
    assert first["probability"].tolist() == pytest.approx([0, 0, 0.2, 0.2])
    assert first["actual"].tolist() == trial.outcome.actual[:2].ravel().tolist()
    assert set(table["method"]) == {"anchor"}
    assert set(table["seed"]) == {3}
