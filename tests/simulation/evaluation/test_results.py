"""A finished run is read back as it was written, and what cannot be read is one sentence."""

import json

import numpy as np
import pandas as pd
import pytest

from common.errors import ConfigError, DataError
from simulation.evaluation.results import measure_losses, read_results


@pytest.mark.parametrize(("base", "method"), [("sales", "federated_eps8"), ("orders", "logistic_local")])
def test_a_record_holds_every_number_of_the_forecasts(finished_run, base, method):
    run = read_results(finished_run(base))
    rows = pd.read_parquet(run.path / "forecasts.parquet").query("method == @method")
    records = list(run.records(method))
    assert len(records) == rows.groupby(["origin", "seed"]).ngroups
    for record in records:
        same = rows[(rows["origin"] == pd.Timestamp(record.origin)) & (rows["seed"] == record.seed)]
        for row in same.itertuples():
            entity = np.flatnonzero((record.merchants == row.merchant) & (record.entities == row.entity)).item()
            bucket = np.flatnonzero(record.day == np.datetime64(row.date)).item()
            assert record.actual[entity, bucket] == row.actual
            assert record.counted[entity, bucket] == row.open
            assert record.forecast.median[entity, bucket] == row.q50
            assert record.forecast.probability[entity] == row.probability
            if record.forecast.quantiles is not None:
                assert record.forecast.quantiles[entity, bucket, 8] == row.q90


@pytest.mark.parametrize("base", ["sales", "orders"])
def test_losses_add_up_to_what_the_summary_says(finished_run, base):
    run = read_results(finished_run(base))
    for method in run.methods:
        losses = measure_losses(run, method)
        by_origin = losses.groupby("origin").sum()
        for metric in run.metrics:
            value = (by_origin[metric] / by_origin["weight"]).mean()
            assert value == pytest.approx(run.summary["methods"][method][metric], abs=1e-6)


def test_a_method_without_a_distribution_has_no_quantiles(finished_run):
    run = read_results(finished_run("sales"))
    assert next(run.records("seasonal_naive")).forecast.quantiles is None
    assert next(run.records("anchor")).forecast.quantiles is not None


def test_a_method_that_is_not_there_is_refused_with_those_that_are(finished_run):
    with pytest.raises(ConfigError, match="holds no method routed; it holds seasonal_naive, anchor, federated_eps8"):
        next(read_results(finished_run("sales")).records("routed"))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no run: plan\.json is missing"):
        read_results(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="holds no run"):
        read_results(tmp_path / "file")


@pytest.mark.parametrize("name", ["plan.json", "summary.json"])
def test_a_damaged_file_is_refused(own_run, name):
    folder = own_run("sales")
    (folder / name).write_text("{")
    with pytest.raises(DataError, match="Cannot read the run in"):
        read_results(folder)


def test_months_of_history_are_those_of_the_panel_and_absent_in_an_older_run_and_refused_where_damaged(own_run):
    folder = own_run("sales")
    months = read_results(folder).read_months()
    assert len(months) == 6
    assert set(months) == {36 / 30}  # from 1 January to 6 February
    losses = measure_losses(read_results(folder), "anchor")
    assert set(months.index) == set(losses.index)
    (folder / "entities.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"Cannot read .*entities\.parquet"):
        read_results(folder).read_months()
    (folder / "entities.parquet").unlink()
    assert read_results(folder).read_months() is None


def test_forecasts_that_are_missing_damaged_or_older_than_the_summary_are_refused(own_run):
    folder = own_run("sales")
    summary = json.loads((folder / "summary.json").read_text())
    summary["methods"]["federated"] = summary["methods"]["anchor"]
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ConfigError, match="holds no forecast of federated: finish the run with --resume"):
        next(read_results(folder).records("federated"))
    (folder / "forecasts.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"Cannot read .*forecasts\.parquet"):
        next(read_results(folder).records("anchor"))
    (folder / "forecasts.parquet").unlink()
    with pytest.raises(ConfigError, match=r"forecasts\.parquet is missing: finish the run with --resume"):
        next(read_results(folder).records("anchor"))
