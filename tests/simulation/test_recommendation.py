"""The measurement of recommendations: figures counted by hand, and a world in which taste is all there is."""

from datetime import timedelta

import numpy as np
import pytest

from client.decision.recommendation.purchase import Purchases
from simulation.experiment.recommendation import (
    OWN,
    Outcome,
    _score_offers,
    compare,
    judge,
    latest_origins,
    sum_up,
    without_customers,
)
from taste_world import DAYS, START, draw_rows, make_purchases


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return make_purchases(draw_rows())


def test_hits_and_gain_are_those_counted_by_hand() -> None:
    scores = np.array([[3.0, 2, 1, 0], [0, 1, 2, 3], [1, 1, 1, 1]], np.float32)
    bought = np.array([[False, True, False, False], [False, False, False, True], [False] * 4])
    found = _score_offers(np.arange(3), scores, bought)
    assert found.buyer.tolist() == [0, 1], "who bought nothing that counts is left out"
    assert found.hit.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(found.gain, [1 / np.log2(3), 1.0])


def test_what_is_hidden_is_no_hit() -> None:
    hidden = np.full((1, 3), np.float32(-1e30))
    assert _score_offers(np.arange(1), hidden, np.array([[True, False, False]])).hit.tolist() == [0.0]


def test_a_ratio_of_a_method_to_itself_is_one_without_width() -> None:
    one = Outcome(np.arange(50), np.ones(50), np.linspace(0.1, 1, 50))
    found = compare({("all", OWN): one, ("all", "other"): one})[0]
    assert (found.hit, found.gain_low, found.gain_high) == pytest.approx((1.0, 1.0, 1.0))


def test_taste_beats_popularity_where_there_is_nothing_else(purchases: Purchases) -> None:
    origins = latest_origins(purchases, 28, 1)
    outcomes = judge(purchases, origins, 28, lambda what: None)
    gain = {(each.group, each.method): each.gain for each in sum_up(outcomes)}
    assert gain["all", OWN] > 1.3 * gain["all", "popular 28 days"]
    assert gain["basket", OWN] > 1.3 * gain["basket", "popular 28 days"]


def test_methods_see_nothing_of_the_days_that_they_are_judged_on(purchases: Purchases) -> None:
    origin = latest_origins(purchases, 28, 1)[0]
    before = purchases.between(START, origin)
    after = purchases.between(origin, START + timedelta(DAYS + 1))
    # In the later world everyone buys one product that was sold once before: only who sees it offers it.
    number = len(purchases.products)
    twisted = Purchases(
        (*purchases.products, "zzz"),
        purchases.customers,
        np.concatenate([[number], before.product[1:], np.full_like(after.product, number)]),
        np.concatenate([before.customer, after.customer]),
        np.concatenate([before.basket, after.basket]),
        np.concatenate([before.day, after.day]),
    )
    found = {(each.group, each.method): each.hit for each in sum_up(judge(twisted, [origin], 28, lambda what: None))}
    assert found["all", OWN] < 0.1
    assert found["all", "popular 28 days"] < 0.1


def test_a_shop_of_guests_is_measured_by_its_baskets_alone(purchases: Purchases) -> None:
    guests = without_customers(purchases)
    found = sum_up(judge(guests, latest_origins(guests, 28, 1), 28, lambda what: None))
    assert {each.group for each in found} == {"basket"}
