import numpy as np
import pytest
import torch

from common.errors import DataError
from common.model.calendar_path import (
    BESIDE,
    FARTHEST,
    TRENDS,
    UNKNOWN_CENTER,
    UNKNOWN_VARIANCE,
    CalendarMoments,
    CalendarPath,
    find_crosses,
    lay_moments,
    name_crosses,
)
from common.model.demand_gru import draw_model, get_vector
from common.model.features import build_series, cut_forecast, cut_training
from common.model.warm import start
from common.model.warm.start import start_training, warm_path
from common.plan.reading import read_plan
from common.plan.schema import WEEKDAYS


@pytest.fixture
def series(make_series):
    return make_series(calendar=True)


def test_a_path_that_has_not_learned_changes_no_output(make_series, series):
    plain, model = draw_model(make_series().plan, series, seed=3), draw_model(series.plan, series, seed=3)
    examples = cut_training(series, 1)
    for layer in (plain.output, model.output):
        torch.nn.init.constant_(layer.weight, 0.1)
    assert torch.equal(model(examples), plain(examples))
    torch.nn.init.constant_(model.calendar.linear.bias, 0.2)
    assert not torch.equal(model(examples), plain(examples))


def test_the_columns_are_what_is_known_ahead_the_anchor_the_fading_trends_and_the_crosses(series):
    examples, names = cut_training(series, 1), series.future_names
    path = CalendarPath("negative_binomial", names)
    features = examples.inputs[:, examples.position]
    columns = path.columns(features, examples.future, examples.anchor)
    width = len(names)
    assert columns.shape[3] == width + BESIDE + len(find_crosses(names)) == path.linear.in_features
    assert torch.equal(columns[..., : width + 1], examples.future)
    assert torch.equal(columns[..., width + 1], torch.log1p(examples.anchor) / 4)
    lead = examples.future[..., -1:]
    assert torch.equal(columns[..., width + 2 : width + BESIDE], features[:, :, None, :TRENDS] * lead)
    assert series.names[:TRENDS] == ("surprise", "trend 0", "trend 1", "trend 2", "rate")
    for place, (left, right) in enumerate(find_crosses(names)):
        expected = examples.future[..., left] * examples.future[..., right]
        assert torch.equal(columns[..., width + BESIDE + place], expected)


def test_a_regime_and_open_neighbours_mean_another_thing_on_every_weekday():
    names = ("known rain", "regime", "open", "open before", "open after", *WEEKDAYS)
    assert len(name_crosses(names)) == 21
    assert name_crosses(names)[0] == "regime on monday"
    assert name_crosses(names)[-1] == "open after on sunday"
    assert name_crosses(("regime", "open before")) == ()  # a plan by weeks tells no weekday


def test_whitened_columns_of_the_same_moments_are_uncorrelated_and_of_one_size():
    names = ("regime", *WEEKDAYS)
    path = CalendarPath("log_normal", names)
    draw = np.random.default_rng(0)
    width = path.linear.in_features
    mixed = draw.normal(size=(5000, width)) @ draw.normal(size=(width, width)) + 3
    seen = torch.from_numpy(mixed).float()
    path.whiten(CalendarMoments(seen.mean(dim=0), torch.cov(seen.T)))
    white = (seen - path.center) @ path.whitening
    strong = torch.linalg.eigvalsh(torch.cov(white.T))
    assert white.mean(dim=0).abs().max() < 1e-3
    assert (strong < 1 + 1e-3).all()  # the floor holds back what hardly varies
    assert strong[-width // 2 :].min() > 0.8
    assert torch.equal(path.whitening, path.whitening.T)


def test_moments_are_laid_by_name_and_a_plan_s_own_columns_stand_alone():
    width = 4
    told = CalendarMoments(torch.tensor([1.0, 2.0]), torch.tensor([[4.0, 0.5], [0.5, 9.0]]))
    laid = lay_moments(told, {0: 3, 1: 1}, width=width)
    assert laid.center.tolist() == pytest.approx([UNKNOWN_CENTER, 2.0, UNKNOWN_CENTER, 1.0])
    assert laid.covariance[3, 1] == laid.covariance[1, 3] == 0.5
    assert laid.covariance.diagonal().tolist() == pytest.approx([UNKNOWN_VARIANCE, 9.0, UNKNOWN_VARIANCE, 4.0])
    assert (laid.covariance[0, 1:] == 0).all()


def test_a_path_without_names_is_refused(make_series, series):
    with pytest.raises(ValueError, match="needs the names"):
        CalendarPath("log_normal", ())


def test_a_plan_that_trains_the_path_must_have_one(make_plan):
    training = {"training": {"trained": "calendar"}, "start": "warm"}
    with pytest.raises(ValueError, match=r'trained = "calendar" needs model\.calendar = true'):
        make_plan(privacy=training)
    assert make_plan(privacy=training, model={"calendar": True}).model.calendar


def test_a_plan_without_a_path_has_the_hash_that_it_had(make_plan):
    assert make_plan().hash == make_plan(model={"calendar": False}).hash != make_plan(model={"calendar": True}).hash


def test_only_the_path_is_sent_and_whitened_by_the_public_model_whatever_the_order_of_covariates(request):
    """Two plans with the same covariates in another order start with the same path but for the order."""
    root = request.config.rootpath / "plans" / "rossmann.toml"
    plan = read_plan(root)
    assert plan.model.calendar
    assert warm_path(plan.model).is_file()
    assert plan.privacy.training.trained == "calendar"
    model = start.start_without_data(plan, private=True)
    path = model.calendar
    assert len(get_vector(model)) == path.linear.weight.numel() + path.linear.bias.numel()
    assert not torch.equal(path.whitening, torch.eye(len(path.center)))
    turned = plan.model_copy(update={"data": plan.data.model_copy(update={"known": plan.data.known[::-1]})})
    other = start.start_without_data(turned, private=True).calendar
    names, others = ([*_names(each)] for each in (plan, turned))
    assert names != others
    order = [others.index(name) for name in names]
    torch.testing.assert_close(other.whitening[order][:, order], path.whitening, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.center[order], path.center)


def _names(plan):
    from common.data.panel import empty_panel

    panel = empty_panel(plan.data)
    told = build_series(panel, plan.model, panel.day_of(plan.evaluation.origins[-1])).future_names
    return (*told, *(f"beside {place}" for place in range(BESIDE)), *name_crosses(told))


def test_a_forecast_from_a_window_without_data_is_a_number(make_plan, series):
    model = draw_model(series.plan, series, seed=0)
    with torch.no_grad():
        assert torch.isfinite(model(cut_forecast(series))).all()


def test_the_whitening_depends_on_no_data(make_plan, make_panel, make_series, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "FOLDER", tmp_path)
    plan = make_plan(model={"calendar": True}, federation={"start": "warm"})
    target = np.random.default_rng(1).poisson(50.0, (5, 91)).astype(np.float32)
    few, many = (make_series(panel, calendar=True) for panel in (make_panel(), make_panel(target=target)))
    assert not torch.equal(few.target, many.target)
    drawn = draw_model(plan.model, few, seed=5)
    width = drawn.calendar.linear.in_features
    spread = torch.diag(torch.linspace(1, 2, width))
    start.save_warm(drawn, few, warm_path(plan.model), moments=CalendarMoments(torch.ones(width), spread))
    one, other = (start_training(plan, series, seed=0, private=True).calendar for series in (few, many))
    assert torch.equal(one.whitening, other.whitening)
    assert torch.equal(one.center, other.center)
    assert not torch.equal(one.whitening, torch.eye(width))


def test_training_the_path_alone_starts_where_the_public_model_is(make_plan, series, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "FOLDER", tmp_path)
    plan = make_plan(
        model={"calendar": True}, privacy={"training": {"trained": "calendar"}}, federation={"start": "warm"}
    )
    drawn = draw_model(plan.model, series, seed=5)
    width = drawn.calendar.linear.in_features
    moments = CalendarMoments(torch.zeros(width), 4 * torch.eye(width))
    start.save_warm(drawn, series, warm_path(plan.model), moments=moments)
    model = start_training(plan, series, seed=0, private=True)
    assert torch.equal(model.encoder.weight_ih_l0, drawn.encoder.weight_ih_l0)
    assert not get_vector(model).any()
    torch.testing.assert_close(model.calendar.whitening, torch.eye(width) / (4 + 0.1 * 4) ** 0.5)


def test_a_column_of_another_scale_or_a_slip_says_no_more_than_ten_deviations(series):
    path = CalendarPath("log_normal", series.future_names)
    examples = cut_training(series, 1)
    future = examples.future.clone()
    future[..., 0] = 1e6
    white = path.read(examples.inputs[:, examples.position], future, examples.anchor)
    assert white.abs().max() == FARTHEST
    assert torch.isfinite(path.say(white)).all()


def test_a_public_model_without_the_moments_is_refused_in_one_sentence(make_plan, series, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "FOLDER", tmp_path)
    plan = make_plan(model={"calendar": True}, federation={"start": "warm"})
    start.save_warm(draw_model(plan.model, series, seed=5), series, warm_path(plan.model))
    with pytest.raises(DataError, match="damaged or no warm model"):
        start_training(plan, series, seed=0, private=True)
