"""Recommendations of shops whose law is known."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.decision.recommendation.learned import FILE_NAME, Learned, keep, learn, recall
from client.decision.recommendation.opening import open_recommender
from client.decision.recommendation.past import make_past
from client.decision.recommendation.purchase import Purchases, read_purchases
from client.decision.recommendation.ranking import USUAL, learn_ranking
from client.decision.recommendation.recommender import Recommender
from client.decision.recommendation.shelf import Shelf, tell_states
from client.shop.history.history import History
from client.shop.settings import Shop
from common.errors import ConfigError, DataError
from shop_records import make_records
from taste_world import DAYS, EACH, START, draw_rows, make_purchases, make_shop

END = START + timedelta(DAYS)
SHOP = Shop(name="tea", time_zone="Europe/Berlin", currency="EUR")


def learn_all(purchases: Purchases, day: date = END) -> Learned:
    return learn(purchases, make_past(purchases, day), 28, lambda what, share: None)


def open_world(purchases: Purchases, learned: Learned | None = None, **states: str) -> Recommender:
    state = tuple(states.get(product, "") for product in purchases.products)
    return Recommender(purchases, make_past(purchases, END), learned or learn_all(purchases), Shelf(state, True), {})


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return make_purchases(draw_rows())


@pytest.fixture(scope="module")
def learned(purchases: Purchases) -> Learned:
    return learn_all(purchases)


def own_taste(ready: Recommender) -> float:
    """Tell which share of the first new offers is of the customer's own taste; half by chance."""
    hits = []
    for answer in ready.for_customers(np.arange(len(ready.purchases.customers)), 1):
        kind = "tea" if int(answer.customer[1:]) % 2 else "coffee"
        hits += [offer.product.startswith(kind) for offer in answer.offers if offer.kind == "new"]
    return float(np.mean(hits))


def test_what_is_new_to_a_customer_is_of_her_own_taste(purchases: Purchases, learned: Learned) -> None:
    rare = purchases.where(purchases.day < purchases.day.min() + 60)  # so that most of her taste is new to her
    assert own_taste(open_world(rare)) > 0.9


def test_no_taste_is_found_where_customers_are_exchanged(purchases: Purchases) -> None:
    early = purchases.where(purchases.day < purchases.day.min() + 60)
    mixed = replace(early, customer=np.random.default_rng(1).permutation(early.customer))
    assert own_taste(open_world(mixed)) < 0.7


def test_again_holds_what_was_bought_and_new_what_was_not(purchases: Purchases, learned: Learned) -> None:
    ready = open_world(purchases, learned)
    for answer in ready.for_customers(np.arange(10), 2 * EACH):
        own = purchases.customer == purchases.customers.index(answer.customer)
        had = {purchases.products[place] for place in purchases.product[own]}
        assert {offer.product for offer in answer.offers if offer.kind == "again"} == had
        assert {offer.product for offer in answer.offers if offer.kind == "new"} == set(purchases.products) - had


def test_a_reason_counts_who_bought_both(purchases: Purchases, learned: Learned) -> None:
    ready = open_world(purchases, learned)
    buyers = [set(purchases.customer[purchases.product == place]) for place in range(len(purchases.products))]
    counted = 0
    for offer in ready.for_customer("c000", 5).offers:
        if offer.kind != "new" or not offer.of:
            continue
        source = purchases.products.index(offer.reason.split()[2])
        place = purchases.products.index(offer.product)
        assert (offer.both, offer.of) == (len(buyers[source] & buyers[place]), len(buyers[source]))
        assert f"by {offer.both} of {offer.of} customers" in offer.reason
        counted += 1
    assert counted


def test_the_same_shop_is_offered_the_same(purchases: Purchases, learned: Learned) -> None:
    once, again = (
        next(open_world(purchases, each).for_customers(np.array([3]), 10)) for each in (learned, learn_all(purchases))
    )
    assert once == again


def test_what_comes_after_the_day_has_no_part_in_the_weights(purchases: Purchases) -> None:
    rows = draw_rows()
    middle = START + timedelta(150)
    changed = [(who, "tea00" if day >= middle else what, day, order) for who, what, day, order in rows]
    first, other = (learn_ranking(make_purchases(each), middle, 28) for each in (rows, changed))
    assert first.learned
    np.testing.assert_array_equal(first.again.weights, other.again.weights)
    np.testing.assert_array_equal(first.new.weights, other.new.weights)


def test_what_was_learned_is_read_again_without_pickle(purchases: Purchases, learned: Learned, tmp_path: Path) -> None:
    keep(tmp_path, learned, purchases, END, 28)
    found = recall(tmp_path, purchases, END, 28)
    assert found is not None
    assert open_world(purchases, found).for_customer("c001", 10) == open_world(purchases, learned).for_customer(
        "c001", 10
    )
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0, "it tells of customers"


def test_what_was_learned_of_other_purchases_does_not_count(
    purchases: Purchases, learned: Learned, tmp_path: Path
) -> None:
    keep(tmp_path, learned, purchases, END, 28)
    assert recall(tmp_path, purchases.where(purchases.day > purchases.day.min()), END, 28) is None
    assert recall(tmp_path, purchases, END + timedelta(1), 28) is None
    whole = (tmp_path / FILE_NAME).read_bytes()
    for damaged in (whole[:1000], b"", b"not a file of numbers"):
        (tmp_path / FILE_NAME).write_bytes(damaged)
        assert recall(tmp_path, purchases, END, 28) is None
    np.savez(tmp_path / FILE_NAME, version=np.array([{"code": 1}], dtype=object), allow_pickle=True)
    assert recall(tmp_path, purchases, END, 28) is None


def test_what_is_out_of_stock_or_gone_is_never_offered(purchases: Purchases, learned: Learned) -> None:
    ready = open_world(purchases, learned, tea00="out", coffee03="gone")
    answers = [*ready.for_customers(np.arange(20), 40), ready.for_everyone(40), ready.for_basket(["tea01"], 40)]
    answers.append(ready.beside("tea01", 40, 1))
    assert not {"tea00", "coffee03"} & {offer.product for answer in answers for offer in answer.offers}


def test_what_is_short_comes_later_and_what_is_ample_earlier(purchases: Purchases, learned: Learned) -> None:
    def rank(state: str) -> int:
        offers = open_world(purchases, learned, tea05=state).for_everyone(30).offers
        return next(offer.rank for offer in offers if offer.product == "tea05")

    assert rank("ample") <= rank("") < rank("short")


def test_a_shelf_is_told_by_what_is_there_and_what_sells_until_the_delivery() -> None:
    on_hand = np.array([0.0, 13.0, 14.0, 200.0, np.nan, 5.0])
    out = np.array([True, False, False, False, False, False])
    assert tell_states(on_hand, out, np.array([1.0, 1, 1, 1, 1, 0]), 14) == ["out", "short", "", "ample", "", ""]


def test_support_and_lift_are_those_counted_by_hand() -> None:
    day = END - timedelta(1)
    orders = {"1": "ab", "2": "ab", "3": "ab", "4": "ac", "5": "c", "6": "d", "7": "d", "8": "bd"}
    rows = [("", product, day, order) for order, products in orders.items() for product in products]
    ready = open_world(make_purchases(rows))
    found = ready.beside("a", 10, 2).offers
    assert [(offer.product, offer.both, offer.of) for offer in found] == [("b", 3, 4)]
    assert found[0].lift == pytest.approx(3 * 8 / (4 * 4))
    assert "in 3 of 4 baskets with a, 1.5 times as often as by chance" in found[0].reason
    assert ready.beside("d", 10, 2).notes[0].startswith("Nothing was bought together with d in 2 baskets or more")


def test_a_basket_is_answered_with_what_goes_with_all_of_it(purchases: Purchases, learned: Learned) -> None:
    offers = open_world(purchases, learned).for_basket(["tea01", "tea02"], 5).offers
    assert all(offer.product.startswith("tea") for offer in offers)
    assert not {"tea01", "tea02"} & {offer.product for offer in offers}


def test_a_shop_without_customers_or_with_one_product_answers(tmp_path: Path) -> None:
    guests = [("", product, day, order) for _, product, day, order in draw_rows(customers=20)]
    with History.open(make_shop(tmp_path / "guests", guests)) as history:
        ready = open_recommender(history, SHOP)
    assert ready.for_everyone(3).offers
    assert ready.for_basket(["tea01"], 3).offers
    with pytest.raises(ConfigError, match="No customer"):
        ready.for_customer("nobody", 3)
    one = [(f"c{number}", "tea", START + timedelta(number), str(number)) for number in range(5)]
    with History.open(make_shop(tmp_path / "one", one)) as history:
        ready = open_recommender(history, SHOP)
    assert ready.learned.ranking == USUAL
    assert [offer.product for offer in ready.for_customer(ready.purchases.customers[0], 5).offers] == ["tea"]
    assert ready.for_basket(["tea"], 5).offers == ()
    assert "Nothing was bought together" in ready.beside("tea", 5, 1).notes[0]


def test_a_shop_that_sold_nothing_is_told_so(tmp_path: Path) -> None:
    with History.open(make_shop(tmp_path, [])) as history, pytest.raises(DataError, match="import sales first"):
        open_recommender(history, SHOP)


def test_lines_without_a_number_are_one_basket_by_customer_and_day(tmp_path: Path) -> None:
    next_day = START + timedelta(1)
    rows = [
        ("ann", "a", START, ""),
        ("ann", "b", START, ""),
        ("ann", "c", next_day, ""),
        ("", "a", START, ""),
        ("", "b", START, ""),
    ]
    with History.open(make_shop(tmp_path, rows)) as history:
        baskets = read_purchases(history).baskets().toarray()
    assert sorted(baskets.sum(axis=1).tolist()) == [1, 1, 1, 2]


def test_the_last_stock_level_up_to_today_counts(tmp_path: Path) -> None:
    rows = [("ann", "a", START + timedelta(day), f"{day}") for day in range(30)] + [
        ("ann", "b", START + timedelta(29), "b")
    ]
    levels = make_records(
        "stock",
        {"product": "a", "day": START, "on_hand": 500.0},
        {"product": "a", "day": START + timedelta(28), "on_hand": 5.0},
        {"product": "b", "day": START + timedelta(28), "on_hand": 0.0},
        {"product": "b", "day": START + timedelta(400), "on_hand": 9.0},
    )
    with History.open(make_shop(tmp_path, rows, stock=levels)) as history:
        ready = open_recommender(history, SHOP, delivery_days=14)
    assert ready.shelf.state == ("short", "out")
