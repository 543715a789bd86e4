import numpy as np
import pytest
import torch

from common.model.calendar_path import CalendarPath
from simulation.synthetic.pretraining import train
from simulation.synthetic.pretraining.customer import draw_customers
from simulation.synthetic.pretraining.product import draw_products
from simulation.synthetic.pretraining.train import draw_world, measure, measure_calendar, train_warm


def test_training_on_invented_demand_lowers_the_loss_and_is_reproducible(make_plan):
    plan = make_plan(model={"horizon_days": 7, "window_steps": 28, "hidden_size": 8, "decoder_size": 8}).model
    losses = []
    model, series = train_warm(plan, num_steps=30, seed=0, on_step=lambda step, loss: losses.append(loss))
    again, _ = train_warm(plan, num_steps=30, seed=0)
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    assert all((one == other).all() for one, other in zip(model.parameters(), again.parameters(), strict=True))
    assert series.num_features == len(series.names)


@pytest.mark.parametrize("likelihood", ["negative_binomial", "hurdle_negative_binomial", "log_normal"])
def test_every_likelihood_has_a_world(make_plan, likelihood):
    plan = make_plan(model={"likelihood": likelihood}).model
    world = draw_world(plan, np.random.default_rng(0))
    assert len(world.entities) > 100
    assert not world.target[~world.open].any()
    assert np.isfinite(world.target).all()


def test_two_draws_are_two_worlds():
    generator = np.random.default_rng(0)
    first, second = (draw_customers(generator, merchants=2, entities=30, days=200) for _ in range(2))
    assert first.target.mean() != second.target.mean()


def test_customers_buy_on_the_day_that_they_come_and_some_leave_for_good():
    world = draw_customers(np.random.default_rng(1), merchants=20, entities=50, days=600)
    assert (world.target[np.arange(len(world.entities)), world.first_day] > 0).all()
    bought_late = (world.target[:, 500:] > 0).any(axis=1)
    assert 0.05 < bought_late[world.first_day < 300].mean() < 0.8


def test_a_promotion_sells_more():
    world = draw_products(np.random.default_rng(2), merchants=20, entities=20, days=300, regime="promo", money=False)
    promoted = world.known[:, :, 0] > 0
    assert world.covariates == ("promo",)
    assert world.target[promoted & world.open].mean() > 1.2 * world.target[~promoted & world.open].mean()


def test_what_the_last_layer_sees_of_invented_demand_has_mean_0_and_spread_1(make_plan, monkeypatch):
    monkeypatch.setattr(train, "MEASURED_BATCHES", 12)  # of two worlds, which is enough for both to count
    plan = make_plan(model={"horizon_days": 7, "window_steps": 28, "direct": True, "rhythm": True}).model
    model, _ = train_warm(plan, num_steps=3, seed=0)
    center, spread = measure(model, plan, seed=0)
    np.testing.assert_allclose(center, 0, atol=1e-3)
    assert (spread < 1 + 1e-3).all()  # below 1 where hardly anything varies
    assert (spread > 0.99).sum() > len(spread) / 2


def test_histories_of_money_begin_with_a_newcomer_s_and_those_of_counts_do_not(make_plan):
    plans = [make_plan(model={"likelihood": name}).model for name in ("log_normal", "negative_binomial")]
    money, counts = (
        [draw_world(plan, np.random.default_rng(seed)).num_days - plan.horizon_days for seed in range(12)]
        for plan in plans
    )
    assert 14 <= min(money) < 60 < 800 < max(money) <= 1700
    assert 120 <= min(counts) < max(counts) < 800


def test_a_calendar_path_learns_nothing_of_invented_calendars_and_changes_nothing_that_is_learned(make_plan):
    sizes = {"horizon_days": 7, "window_steps": 28, "hidden_size": 4, "decoder_size": 4}
    plain, _ = train_warm(make_plan(model=sizes).model, num_steps=4, seed=0)
    model, _ = train_warm(make_plan(model=sizes | {"calendar": True}).model, num_steps=4, seed=0)
    assert not model.calendar.linear.weight.any()
    learned = {name: part for name, part in model.named_parameters() if not name.startswith("calendar.")}
    assert all((part == learned[name]).all() for name, part in plain.named_parameters())


def test_what_the_path_sees_of_other_invented_demand_is_nearly_white(make_plan, monkeypatch):
    monkeypatch.setattr(train, "MEASURED_BATCHES", 27)  # of three worlds
    plan = make_plan(model={"horizon_days": 7, "window_steps": 28, "calendar": True, "likelihood": "log_normal"}).model
    moments, others = (measure_calendar(plan, seed) for seed in (0, 1))
    series, _ = next(train._batches(plan, 0))
    path = CalendarPath("log_normal", series.future_names)
    path.whiten(moments)
    before, after = others.covariance, path.whitening @ others.covariance @ path.whitening
    assert torch.linalg.eigvalsh(after)[-1] < 10  # a step that is right for the one is not wild for the other
    assert after.diagonal().std() < before.diagonal().std() / before.diagonal().mean()
