"""A merchant whose demand differs from everyone else's gains; one with little to say stays with the global model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from client.forecast.personalise import personalise
from client.forecast.released import forecast_demand
from common.forecast.metric import observe, score_demand
from common.model.demand_gru import draw_model, get_vector
from common.model.features import build_series

DAY, DAYS = 80, 91


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"season": False, "positions": 6, "anchor": {"half_life_days": 30.0}}).model


@pytest.fixture
def panel(make_panel):
    """Thirty products that sell six times as much under promotion, which an anchor without a regime cannot know."""
    generator = np.random.default_rng(0)
    known = (generator.random((30, DAYS, 1)) < 0.3).astype(np.float32)
    target = generator.poisson(1.0 + 5.0 * known[:, :, 0]).astype(np.float32)
    return make_panel(target=target, known=known, merchants=np.full(30, "shop", dtype=object))


def make_global(panel, plan, day=DAY):
    series = build_series(panel, plan, day)
    return draw_model(plan, series, seed=0)


def wql(model, panel, plan):
    forecast = forecast_demand(model, build_series(panel, plan, DAY), device=torch.device("cpu"))
    return score_demand(forecast, observe(panel, plan, DAY))["wql"]


def test_a_merchant_with_habits_of_its_own_is_forecast_better(panel, plan):
    model = make_global(panel, plan)
    assert wql(personalise(model, panel, plan, DAY), panel, plan) < 0.8 * wql(model, panel, plan)


def test_only_the_decoder_moves_and_the_global_model_is_left_as_it_was(panel, plan):
    model = make_global(panel, plan)
    before = get_vector(model).clone()
    own = personalise(model, panel, plan, DAY)
    assert torch.equal(get_vector(model), before)
    assert torch.equal(get_vector(own.encoder), get_vector(model.encoder))
    assert not torch.equal(get_vector(own), before)


def test_nothing_from_the_origin_on_is_looked_at(panel, plan):
    model = make_global(panel, plan)
    target = panel.target.copy()
    target[:, DAY:] = 99.0
    assert torch.equal(
        get_vector(personalise(model, replace(panel, target=target), plan, DAY)),
        get_vector(personalise(model, panel, plan, DAY)),
    )


@pytest.mark.parametrize("day", [2, 5, 9])
def test_with_hardly_any_history_the_global_model_serves(panel, plan, day):
    model = make_global(panel, plan)
    assert torch.equal(get_vector(personalise(model, panel, plan, day)), get_vector(model))


def test_one_entity_alone_keeps_the_global_model(panel, plan):
    model = make_global(panel, plan)
    assert torch.equal(get_vector(personalise(model, panel.select(np.array([0])), plan, DAY)), get_vector(model))


def test_a_merchant_that_the_global_model_describes_already_loses_nothing_to_speak_of(make_panel, plan):
    target = np.random.default_rng(1).poisson(2.0, (6, DAYS)).astype(np.float32)
    panel = make_panel(target=target, merchants=np.full(6, "shop", dtype=object))
    model = make_global(panel, plan)
    assert wql(personalise(model, panel, plan, DAY), panel, plan) < 1.03 * wql(model, panel, plan)


@pytest.mark.parametrize("path", [{"direct": True}, {"calendar": True}, {"direct": True, "calendar": True}])
def test_with_a_straight_path_the_last_layers_alone_move(panel, make_plan, path):
    plan = make_plan(model={"season": False, "positions": 6, "anchor": {"half_life_days": 30.0}, **path}).model
    model = make_global(panel, plan)
    own = personalise(model, panel, plan, DAY)
    for layer in ("encoder", "from_context", "from_future"):
        assert torch.equal(get_vector(own.get_submodule(layer)), get_vector(model.get_submodule(layer)))
    assert not torch.equal(get_vector(own.output), get_vector(model.output))
    if plan.calendar:
        assert not torch.equal(get_vector(own.calendar), get_vector(model.calendar))
    assert wql(own, panel, plan) < wql(model, panel, plan)


def test_the_strength_is_chosen_by_the_earlier_model_and_the_fit_begins_at_the_later_one(panel, plan):
    earlier, later = make_global(panel, plan), make_global(panel, plan)
    with torch.no_grad():
        later.output.bias.add_(0.3)
    day = 5  # too little history to choose a strength: the later model serves
    assert torch.equal(get_vector(personalise(later, panel, plan, day, earlier=earlier)), get_vector(later))
    fitted = personalise(later, panel, plan, DAY, earlier=earlier)
    from_earlier = personalise(earlier, panel, plan, DAY, earlier=earlier)
    assert not torch.equal(get_vector(fitted), get_vector(from_earlier))
