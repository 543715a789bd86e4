"""Public foundation models: read from where they are, asked of one series at a time, and never downloaded.

The weights of Chronos are not at hand, so tiny models are drawn at random: what is tested is the way in and out.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from client.forecast.method.foundation import FOLDER, forecast_chronos, forecast_fracast
from client.forecast.own import find_obstacle
from common.errors import ConfigError
from common.forecast.method import Method
from common.plan.schema import ModelPlan

PLAN = ModelPlan(step="day", horizon_days=14, likelihood="negative_binomial", hidden_size=3, decoder_size=4)
ORIGIN = 70
BINS = {"tokenizer_class": "MeanScaleUniformBins", "tokenizer_kwargs": {"low_limit": -15.0, "high_limit": 15.0}}


def write_first(folder: Path) -> None:
    """Write a Chronos that draws samples."""
    transformers = pytest.importorskip("transformers")
    size = {"d_model": 8, "d_ff": 16, "d_kv": 4, "num_layers": 1, "num_heads": 2, "vocab_size": 64}
    about = {**BINS, "n_tokens": 64, "n_special_tokens": 2, "pad_token_id": 0, "eos_token_id": 1, "use_eos_token": True}
    about |= {"model_type": "seq2seq", "context_length": 32, "prediction_length": 8, "num_samples": 5}
    about |= {"temperature": 1.0, "top_k": 50, "top_p": 1.0}
    config = transformers.T5Config(**size, decoder_start_token_id=0)
    config.chronos_config = about
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)


def write_bolt(folder: Path) -> None:
    """Write a Chronos-Bolt, which gives quantiles."""
    transformers = pytest.importorskip("transformers")
    chronos_bolt = pytest.importorskip("chronos.chronos_bolt")
    size = {"d_model": 8, "d_ff": 16, "d_kv": 4, "num_layers": 1, "num_heads": 2, "vocab_size": 2}
    config = transformers.T5Config(**size, decoder_start_token_id=0, pad_token_id=0, reg_token_id=1)
    config.chronos_pipeline_class = "ChronosBoltPipeline"
    config.chronos_config = {
        "context_length": 32,
        "prediction_length": 16,
        "input_patch_size": 8,
        "input_patch_stride": 8,
        "quantiles": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "use_reg_token": True,
    }
    chronos_bolt.ChronosBoltModelForForecasting(config).save_pretrained(folder)


WRITERS = {"chronos": write_first, "bolt": write_bolt}


@pytest.fixture
def fracast():
    pytest.importorskip("fracast", reason="fracast is not installed: pip install 'hansa[foundation]'")
    return lambda panel: forecast_fracast(panel, PLAN, ORIGIN)


@pytest.fixture(params=["chronos", "bolt", "fracast"])
def forecast(request, tmp_path, monkeypatch):
    if request.param == "fracast":
        return request.getfixturevalue("fracast")
    pytest.importorskip("chronos", reason="chronos-forecasting is not installed: pip install 'hansa[foundation]'")
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        WRITERS[request.param](tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return lambda panel: forecast_chronos(panel, PLAN, ORIGIN, seed=3)


def test_each_entity_gets_quantiles_in_order_of_its_own_past_alone(forecast, make_panel):
    panel = make_panel(num_entities=3, num_days=91)
    panel.open[:, ORIGIN + 2] = False
    made = forecast(panel)
    assert made.quantiles.shape == (3, 14, 9)
    assert made.is_finite()
    assert (np.diff(made.quantiles, axis=2) >= 0).all()
    assert (made.quantiles >= 0).all()
    assert (made.mean[:, 2] == 0).all()
    np.testing.assert_array_equal(made.quantiles, np.rint(made.quantiles))
    again = forecast(panel)
    np.testing.assert_array_equal(made.mean, again.mean)  # whatever was drawn in between
    panel.target[1, :ORIGIN] += 5.0
    changed = forecast(panel)
    assert (changed.mean[1] != made.mean[1]).any()
    np.testing.assert_allclose(changed.mean[[0, 2]], made.mean[[0, 2]], rtol=1e-5)


def test_nothing_from_the_origin_on_is_looked_at(forecast, make_panel):
    panel = make_panel(num_entities=2, num_days=91)
    made = forecast(panel)
    panel.target[:, ORIGIN:] = 1e6
    np.testing.assert_array_equal(forecast(panel).mean, made.mean)


def test_what_was_hardly_seen_is_forecast_its_mean(forecast, make_panel):
    panel = make_panel(target=np.full((2, 91), 3.0, np.float32), first_day=np.array([ORIGIN - 5, ORIGIN]))
    made = forecast(panel)
    assert (made.mean[0] == 3.0).all()
    assert (made.mean[1] == 0.0).all()


def test_fracast_follows_the_week(fracast, make_panel):
    week = np.tile([10.0, 20, 30, 40, 50, 60, 5], 26)[None, :175].astype(np.float32)
    made = forecast_fracast(make_panel(target=week), PLAN, 161)
    assert np.corrcoef(made.median[0], week[0, 161:175])[0, 1] > 0.9


def test_a_folder_that_holds_no_weights_is_said_in_one_sentence(monkeypatch, tmp_path, make_plan, make_panel):
    pytest.importorskip("chronos", reason="chronos-forecasting is not installed: pip install 'hansa[foundation]'")
    for named in ("", str(tmp_path)):
        monkeypatch.setenv(FOLDER, named)
        assert find_obstacle(Method("chronos"), make_plan()) == (
            f"needs weights: name a folder that holds a model of Chronos and its config.json in {FOLDER}"
        )
    for text in ("{}", "{", json.dumps({"model_type": "t5", "chronos_pipeline_class": "Other"})):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ConfigError, match="holds no model that chronos-forecasting can read"):
            forecast_chronos(make_panel(), PLAN, ORIGIN, seed=0)


@pytest.mark.parametrize(("name", "package"), [("chronos", "chronos-forecasting"), ("fracast", "fracast")])
def test_a_package_that_is_missing_is_named(monkeypatch, make_plan, name, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda library: None)
    said = find_obstacle(Method(name), make_plan())
    assert said == f"needs {package}, which is not installed: pip install 'hansa[foundation]'"
