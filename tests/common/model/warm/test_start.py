import hashlib

import numpy as np
import pytest
import torch

from common.errors import ConfigError, DataError
from common.model.demand_gru import get_vector, make_model, standardise
from common.model.features import build_series, cut_forecast
from common.model.warm import start
from common.model.warm.start import (
    OWN_SCALE,
    hash_warm,
    require_same_warm,
    save_warm,
    start_model,
    start_training,
    warm_path,
)
from common.plan.reading import read_plan


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(start, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def bare(make_panel):
    """A panel without channels, covariates and attributes: all that a public model may know."""
    shape = (5, 91)
    return make_panel(
        channels=(),
        covariates=(),
        observed=np.zeros((*shape, 0), np.float32),
        known=np.zeros((*shape, 0), np.float32),
        static=np.zeros((5, 0), np.float32),
    )


def save_awake(plan, panel, make_awake_model):
    series = build_series(panel, plan, 60)
    model = make_awake_model(series).float()
    save_warm(model, series, warm_path(plan))
    return model, series


def test_columns_that_a_plan_adds_begin_without_a_say(folder, make_plan, make_panel, bare, make_awake_model):
    plan = make_plan().model
    model, series = save_awake(plan, bare, make_awake_model)
    richer = build_series(make_panel(target=bare.target), plan, 60)
    assert richer.num_features > series.num_features
    warm = start_model(plan, richer, seed=3, warm=True)
    with torch.no_grad():
        expected = model(cut_forecast(series))
        torch.testing.assert_close(warm(cut_forecast(richer)), expected, rtol=1e-5, atol=1e-6)
    assert expected.abs().max() > 0.01


def test_the_regime_goes_by_its_part_and_not_by_its_name(folder, make_plan, make_panel, make_awake_model):
    first, second = make_panel(), make_panel(covariates=("campaign",))
    plan, other = (
        make_plan(data=_known(name), model={"anchor": {"regime": name}}).model for name in ("promo", "campaign")
    )
    model, series = save_awake(plan, first, make_awake_model)
    warm = start_model(other, build_series(second, other, 60), seed=0, warm=True)
    place = series.future_names.index("regime")
    assert torch.equal(warm.from_future.weight[:, place], model.from_future.weight[:, place])
    assert model.from_future.weight[:, place].abs().max() > 0


def _known(name):
    return {"rows": "panel", "known": [{"column": name}]}


def test_a_cold_start_is_the_one_drawn_from_the_seed(make_plan, make_series):
    series = make_series()
    cold = start_model(series.plan, series, seed=5, warm=False)
    drawn = make_model(series.plan, num_features=series.num_features, num_future=series.num_future, seed=5)
    assert all(torch.equal(one, other) for one, other in zip(cold.parameters(), drawn.parameters(), strict=True))


def test_a_shape_without_a_public_model_is_refused_in_one_sentence(folder, make_series):
    with pytest.raises(ConfigError, match="There is no warm model of the shape day-negative_binomial-3-4, only none"):
        start_model(make_series().plan, make_series(), seed=0, warm=True)


def test_a_damaged_file_is_refused_in_one_sentence(folder, make_series):
    series = make_series()
    warm_path(series.plan).write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="damaged or no warm model"):
        start_model(series.plan, series, seed=0, warm=True)


def test_every_plan_of_ours_that_starts_warm_has_its_model(request):
    for path in (request.config.rootpath / "plans").glob("*.toml"):
        plan = read_plan(path)
        if "warm" in (plan.start(private=True), plan.start(private=False)):
            assert warm_path(plan.model).is_file(), path


def test_a_training_moves_what_the_plan_says_and_starts_where_it_says(folder, make_plan, bare, make_awake_model):
    plan = make_plan(
        model={"rhythm": True, "direct": True},
        privacy={"training": {"trained": "output"}},
        federation={"start": "warm"},
    )
    model, series = save_awake(plan.model, bare, make_awake_model)
    private, open_ = (start_training(plan, series, seed=0, private=private) for private in (True, False))
    torch.testing.assert_close(get_vector(open_), get_vector(model))
    mixed = plan.model_copy(
        update={
            "federation": make_plan().federation,
            "privacy": plan.privacy.model_copy(update={"start": "warm"}),
        }
    )
    warm, cold = (start_training(mixed, series, seed=0, private=private) for private in (True, False))
    torch.testing.assert_close(get_vector(warm), get_vector(model.output))
    assert not torch.equal(get_vector(cold), get_vector(model))
    torch.testing.assert_close(get_vector(private), get_vector(model.output))
    with torch.no_grad():
        torch.testing.assert_close(private(cut_forecast(series)), model(cut_forecast(series)))


def test_shapes_with_rhythm_or_a_direct_path_have_models_of_their_own(make_plan):
    ways = [{}, {"rhythm": True}, {"direct": True}, {"rhythm": True, "direct": True}]
    assert len({warm_path(make_plan(model=way).model) for way in ways}) == 4


def test_columns_that_only_the_plan_has_are_scaled_by_a_constant_before_the_last_layer(
    folder, make_plan, make_panel, bare, make_awake_model
):
    plan = make_plan(model={"direct": True}).model
    series, richer = (build_series(panel, plan, 60) for panel in (bare, make_panel(target=bare.target)))
    model = make_awake_model(series).float()
    standardise(model, torch.full_like(model.center, 0.3), torch.full_like(model.scale, 0.5))
    save_warm(model, series, warm_path(plan))
    warm = start_model(plan, richer, seed=0, warm=True)
    known = [True] * plan.decoder_size + [name in series.names for name in richer.names]
    assert warm.scale.tolist() == [2.0 if there else OWN_SCALE for there in known]
    assert warm.center.tolist() == pytest.approx([0.3 if there else 0.0 for there in known])
    with torch.no_grad():
        torch.testing.assert_close(warm(cut_forecast(richer)), model(cut_forecast(series)), rtol=1e-5, atol=1e-6)


def test_the_hash_of_the_public_model_is_that_of_its_file_and_another_file_is_refused(
    folder, make_plan, make_series, make_awake_model
):
    series = make_series()
    plan = make_plan(federation={"start": "warm"}, privacy={"start": "cold"})
    with pytest.raises(ConfigError, match="no warm model of the shape"):
        hash_warm(plan, private=False)
    save_warm(make_awake_model(series).float(), series, warm_path(plan.model))
    signed = hash_warm(plan, private=False)
    assert signed == hashlib.sha256(warm_path(plan.model).read_bytes()).hexdigest()
    assert hash_warm(plan, private=True) is None
    require_same_warm(plan, private=False, warm_hash=signed)
    require_same_warm(plan, private=False, warm_hash=None)
    with pytest.raises(ConfigError, match="installed here is none for it; install the coordinator's version"):
        require_same_warm(plan, private=True, warm_hash=signed)
    warm_path(plan.model).write_bytes(warm_path(plan.model).read_bytes()[:-1] + b"?")
    with pytest.raises(ConfigError, match=f"public model {signed[:12]}, installed here is [0-9a-f]{{12}};"):
        require_same_warm(plan, private=False, warm_hash=signed)
