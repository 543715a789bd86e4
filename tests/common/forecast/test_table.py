from datetime import date

import numpy as np
import pandas as pd
import pytest

import common.forecast.table as module
from common.errors import ConfigError
from common.forecast.metric import QUANTILE_LEVELS, Forecast
from common.forecast.table import lay_out, read_layout, rename_older, write_forecast

MEAN = np.arange(6.0).reshape(3, 2)
SPREAD = Forecast(MEAN, MEAN + 0.4, MEAN[:, :, None] + np.array(QUANTILE_LEVELS) - 0.1, np.array([0.1, 0.5, 0.9]))
POINT = Forecast(MEAN, MEAN + 1, None, None)
NAMES = np.array(["b", "a", "7"], dtype=object)


@pytest.mark.parametrize("forecast", [SPREAD, POINT])
def test_a_forecast_that_was_laid_out_is_read_as_it_was(forecast):
    table = lay_out(forecast, entities=NAMES, origin=date(2024, 2, 28), bucket_days=2)
    assert table["entity"].tolist() == ["b", "b", "a", "a", "7", "7"]
    assert table["date"].dt.strftime("%m-%d").tolist() == ["02-28", "03-01"] * 3
    read = read_layout(table, 2)
    for name in ("mean", "median", "quantiles", "probability"):
        there, here = getattr(forecast, name), getattr(read, name)
        assert (there is None) == (here is None)
        if there is not None:
            np.testing.assert_allclose(here, there)


@pytest.mark.parametrize("forecast", [SPREAD, POINT])
def test_a_table_with_the_older_names_is_read_too(forecast):
    table = lay_out(forecast, entities=NAMES, origin=date(2024, 2, 28), bucket_days=1)
    older = table.rename(columns={"date": "day", "probability": "probability_any"}).assign(median=table["q50"])
    if forecast.quantiles is None:
        older["q50"] = np.nan
    assert rename_older(older).equals(table)
    np.testing.assert_array_equal(read_layout(older, 2).median, read_layout(table, 2).median)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"neither \.csv nor \.parquet"):
        write_forecast(POINT, tmp_path / "f.xlsx", entities=NAMES, origin=date(2024, 2, 28), bucket_days=1)


@pytest.mark.parametrize("forecast", [SPREAD, POINT])
def test_what_is_written_block_by_block_is_what_is_laid_out_at_once(tmp_path, monkeypatch, forecast):
    monkeypatch.setattr(module, "BLOCK_ENTITIES", 2)
    given = {"entities": NAMES, "origin": date(2024, 2, 28), "bucket_days": 1}
    table = lay_out(forecast, **given)
    write_forecast(forecast, tmp_path / "f.csv", **given)
    write_forecast(forecast, tmp_path / "f.parquet", **given)
    assert (tmp_path / "f.csv").read_text() == table.to_csv(index=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "f.parquet"), table)
