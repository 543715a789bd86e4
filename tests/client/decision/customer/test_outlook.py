"""What is said of customers, in worlds where the truth is known."""

from datetime import timedelta

import numpy as np
import pytest

from client.decision.customer.ahead import draw_ahead, look_ahead
from client.decision.customer.buy_till_die import fit_past, times_of
from client.decision.customer.calibration import group_by_chance
from client.decision.customer.outlook import foresee_customers
from client.decision.customer.past import look_back, see
from client.decision.customer.purchase import make_purchases
from client.decision.customer.segment import FALSE_ALARM, name_segments
from client.forecast.method.logistic import fit_logistic
from common.errors import DataError


@pytest.mark.parametrize(("seed", "scale", "regular"), [(1, 30.0, 1), (2, 80.0, 1), (3, 30.0, 3)])
def test_where_nobody_leaves_few_are_called_leaving(world, seed: int, scale: float, regular: int) -> None:  # type: ignore[no-untyped-def]
    """At most one in twenty, and three standard errors; with regular gaps (Erlang) fewer still."""
    purchases = world(customers=2500, days=700, leave=0.0, scale=scale, seed=seed, regular=regular)
    past = look_back(purchases, 700)
    model = fit_past(past)
    again, last, age = times_of(past)
    silent = model.silent(again, last, past.silence.astype(float))
    chance = model.buys(again, last, age, 90.0)
    usual = model.buys_if_there(again, last, 90.0)
    named = name_segments(past, silent=silent, chance=chance, usual=usual, order_value=np.ones(len(chance)))
    repeated = past.count > 1
    flagged = np.isin(named, ["slipping away", "lost"])
    assert not flagged[~repeated].any()
    share = flagged[repeated].mean()
    assert share <= FALSE_ALARM + 3 * np.sqrt(FALSE_ALARM * (1 - FALSE_ALARM) / repeated.sum())


def test_where_many_leave_most_of_those_called_lost_have_left(world) -> None:  # type: ignore[no-untyped-def]
    purchases = world(customers=2500, days=900, scale=15.0, shape=2.0, leave=1.0, stay=6.0, seed=6)
    past = look_back(purchases, 600)
    model = fit_past(past)
    again, last, age = times_of(past)
    named = name_segments(
        past,
        silent=model.silent(again, last, past.silence.astype(float)),
        chance=model.buys(again, last, age, 90.0),
        usual=model.buys_if_there(again, last, 90.0),
        order_value=np.ones(len(again)),
    )
    never_again = see(past, 300).count == 0
    assert (named == "lost").sum() > 300
    assert never_again[named == "lost"].mean() > 0.97


@pytest.fixture(scope="module")
def judged(world):  # type: ignore[no-untyped-def]
    purchases = world(customers=2500, days=480, shape=1.0, scale=40.0, seed=8)
    return purchases, look_ahead(purchases.before(450), 30)


def test_the_chance_is_calibrated_and_no_worse_than_the_true_model(judged) -> None:  # type: ignore[no-untyped-def]
    """Groups of 250 customers, eight in ten of them within three standard errors; log-loss at most .005 worse."""
    purchases, ahead = judged
    bought = see(look_back(purchases, 450), 30).bought
    points = group_by_chance(ahead.chance, bought)
    errors = [np.sqrt(max(point.said * (1 - point.said), 0.01) / point.customers) for point in points]
    off = [abs(point.said - point.seen) / error for point, error in zip(points, errors, strict=True)]
    assert sum(each <= 3 for each in off) >= 8
    own = _log_loss(ahead.chance, bought)
    model = fit_past(ahead.past)
    assert own <= _log_loss(model.buys(*times_of(ahead.past), 30.0), bought) + 0.005
    earlier = look_back(purchases, 420)
    simple = fit_logistic(earlier.features(30)[:, :2], see(earlier, 30).bought).predict(ahead.past.features(30)[:, :2])
    assert own <= _log_loss(simple, bought) + 0.002


def _log_loss(told: np.ndarray, bought: np.ndarray) -> float:
    return float(-np.log(np.where(bought, told, 1 - told)).mean())


def test_purchases_and_money_come_as_said_and_the_range_holds_them(judged) -> None:  # type: ignore[no-untyped-def]
    purchases, ahead = judged
    came = see(look_back(purchases, 450), 30)
    orders, money, draws = draw_ahead(ahead, np.random.default_rng(0))
    assert ahead.orders.sum() == pytest.approx(came.count.sum(), rel=0.12)
    assert ahead.money.sum() == pytest.approx(came.money.sum(), rel=0.15)
    assert (ahead.orders >= ahead.chance).all()
    assert (came.money > money[1]).mean() < 0.13
    assert (came.count > orders[1]).mean() < 0.13
    assert draws.sum(axis=1).mean() == pytest.approx(ahead.money.sum(), rel=0.05)


def test_nothing_after_the_day_is_looked_at(world) -> None:  # type: ignore[no-untyped-def]
    purchases = world(customers=300, days=300, seed=9)
    known = purchases.day < 250
    cut = make_purchases(
        purchases.customers[purchases.customer[known]],
        purchases.day[known],
        purchases.amount[known],
        start=purchases.start,
        num_days=250,
    )
    day = purchases.date_of(250)
    assert foresee_customers(purchases, day, 30).table.equals(foresee_customers(cut, day, 30).table)


def test_money_that_goes_back_counts_from_the_day_on_which_it_does(world) -> None:  # type: ignore[no-untyped-def]
    purchases = world(customers=50, days=200, seed=10)
    who, day = purchases.customers[purchases.customer], purchases.day
    back = (who[:1], np.array([150]), np.array([30.0]))
    less = make_purchases(who, day, purchases.amount, start=purchases.start, num_days=200, back=back)
    place = purchases.customer[:1]
    assert less.spend(place, 0, 150) == pytest.approx(purchases.spend(place, 0, 150))
    assert less.spend(place, 0, 151) == pytest.approx(purchases.spend(place, 0, 151) - 30.0)


def test_ten_customers_are_answered_and_said_to_be_few(world) -> None:  # type: ignore[no-untyped-def]
    found = foresee_customers(
        world(customers=10, days=120, scale=10.0, seed=2), world().start + timedelta(days=120), 30
    )
    assert found.table.num_rows <= 10
    assert np.isfinite(found.table["value"].to_numpy()).all()
    assert any("few to learn from" in warning for warning in found.warnings)


def test_a_history_of_a_day_is_refused_with_what_to_do(world) -> None:  # type: ignore[no-untyped-def]
    purchases = world(customers=30, days=1)
    with pytest.raises(DataError, match="30 days on: bring older exports"):
        foresee_customers(purchases, purchases.date_of(1), 30)


def test_a_customer_who_bought_once_has_no_risk_and_is_new_or_came_once(world) -> None:  # type: ignore[no-untyped-def]
    purchases = world(customers=300, days=300, seed=9)
    table = foresee_customers(purchases, purchases.date_of(300), 30).table
    for row in table.to_pylist():
        assert (row["purchases"] == 1) == (row["segment"] in ("new", "came once"))
        assert (row["risk"] is None) == (row["purchases"] == 1)
