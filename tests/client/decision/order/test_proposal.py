"""What an order must bring, on shelves that can be followed by hand."""

import numpy as np
import pytest

from client.decision.order.budget import fit_budget
from client.decision.order.lead import lead_law, remaining_law
from client.decision.order.lot import LineTerms, Lot, find_lot, round_up_or_down
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Ordered, Terms, propose

NONE = OnOrder(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, int))


def make_terms(number: int = 1, **said: object) -> Terms:
    plain = {
        "service_level": 0.95, "lead": 2.0, "lead_spread": 0.0, "minimum": 1.0, "pack": 1.0, "line_cost": 0.0,
        "held": 0.01, "out": 5.0, "shelf_life": np.inf,
    }  # fmt: skip
    arrays = {name: np.full(number, float(said.pop(name, value))) for name, value in plain.items()}  # type: ignore[arg-type]
    whole = {name: np.full(number, said.pop(name, value)) for name, value in {"wait": 0, "review": 3}.items()}
    return Terms(aim=said.pop("aim", "pieces"), waits=bool(said.pop("waits", False)), **arrays, **whole)  # type: ignore[arg-type]


def ask(on_hand: float, orders: OnOrder = NONE, *, daily: float = 2.0, days: int = 5, **said: object) -> Ordered:
    """Ask with demand of so many each day, in every draw: two days of lead time, three to the next chance."""
    draws = np.full((40, 1, days), daily, np.float32)
    return propose(draws, np.array([on_hand]), orders, make_terms(**said), np.random.default_rng(0))


def on_way(quantity: float, elapsed: int) -> OnOrder:
    return OnOrder(np.array([0]), np.array([quantity]), np.array([2.0]), np.array([0.0]), np.array([elapsed]))


@pytest.mark.parametrize(("on_hand", "quantity"), [(10.0, 0.0), (9.0, 1.0), (4.0, 6.0)])
def test_what_will_be_asked_for_until_the_next_goods_come_is_filled_up(on_hand: float, quantity: float) -> None:
    assert ask(on_hand, service_level=0.999).quantity[0] == quantity
    assert ask(on_hand, service_level=0.999, aim="cycles").quantity[0] == quantity
    assert ask(on_hand, aim="cost").quantity[0] == quantity


def test_what_is_lost_before_the_goods_come_is_not_ordered_and_what_waits_is() -> None:
    assert ask(0.0, service_level=0.999).quantity[0] == 6.0
    assert ask(0.0, service_level=0.999, waits=True).quantity[0] == 10.0


def test_what_is_on_its_way_counts_on_the_day_on_which_it_comes() -> None:
    assert ask(4.0, on_way(3.0, elapsed=1), service_level=0.999).quantity[0] == 3.0
    assert ask(0.0, on_way(6.0, elapsed=1), service_level=0.999).quantity[0] == 2.0, "two sold late, two lost before"


def test_packs_and_minimums_are_rounded_up_and_nothing_stays_nothing() -> None:
    least, nothing = np.array([0.0, -3.0, 1.0, 12.0, 13.0]), np.zeros(5)
    assert round_up_or_down(least, Lot(np.full(5, 12.0), np.full(5, 12.0), nothing), nothing).tolist() == [
        0,
        0,
        12,
        12,
        24,
    ]
    assert round_up_or_down(least, Lot(np.full(5, 50.0), np.ones(5), nothing), nothing).tolist() == [0, 0, 50, 50, 50]
    assert round_up_or_down(least, Lot(np.ones(5), np.ones(5), np.full(5, 7.0)), nothing).tolist() == [0, 0, 8, 19, 20]


def test_an_order_that_costs_its_work_takes_the_shelf_so_far_above_its_level_that_both_cost_the_least() -> None:
    """By hand: 10 pieces a review, one costs 1 a review to hold, an order 40.

    An order at each review costs 40; at every other one 20, and 5 of holding; every third 13.3 and 10; every fourth 10
    and 15. So it is to last for two reviews more.
    """
    between = np.full((40, 1), 10.0, np.float32)
    line = LineTerms(np.ones(1), np.ones(1), np.array([40.0]), np.ones(1))
    lot = find_lot(between, between, np.array([10.0]), line, np.random.default_rng(0))
    assert 20.0 <= lot.further[0] < 30.0
    assert (lot.block[0], lot.pack[0]) == (1.0, 1.0)


def test_part_of_a_piece_counts_at_its_share_of_the_reviews() -> None:
    turns = np.arange(10) / 10
    quantity = round_up_or_down(np.full(10, 24.4), Lot(np.full(10, 12.0), np.full(10, 12.0), np.zeros(10)), turns)
    assert quantity.tolist() == [24] * 6 + [36] * 4


def test_no_more_is_ordered_than_sells_before_it_spoils() -> None:
    assert ask(0.0, service_level=0.999, shelf_life=2.0).quantity[0] == 4.0
    cut = ask(0.0, service_level=0.999, shelf_life=2.0, minimum=10.0)
    assert (cut.quantity[0], bool(cut.spoils[0])) == (0.0, True)


def test_a_customer_who_takes_a_thousand_once_in_a_while_is_not_stocked_for() -> None:
    draws = np.full((200, 1, 5), 2.0, np.float32)
    draws[::50, 0, 3] = 1000.0  # in one of fifty draws
    found = propose(draws, np.array([0.0]), NONE, make_terms(), np.random.default_rng(0))
    assert found.quantity[0] <= 6.0


def test_a_product_that_is_never_asked_for_is_not_ordered() -> None:
    for aim in ("pieces", "cycles", "cost"):
        for pack in (1.0, 12.0):
            assert ask(0.0, daily=0.0, aim=aim, pack=pack).quantity[0] == 0.0


def test_a_budget_buys_where_most_is_saved_for_the_money() -> None:
    terms = make_terms(2, service_level=0.999)
    draws = np.full((40, 2, 5), 2.0, np.float32)
    ordered = propose(draws, np.zeros(2), NONE, terms, np.random.default_rng(0))
    cost = np.array([1.0, 3.0])
    for budget, bought in ((24.0, [6, 6]), (10.0, [6, 1]), (0.0, [0, 0])):
        assert fit_budget(ordered.quantity, ordered.need, ordered.block, terms, cost, budget).tolist() == bought


def test_lead_times_have_their_mean_and_what_is_late_is_still_to_come() -> None:
    law = np.array(lead_law(10.0, 3.0))
    days = np.arange(len(law))
    assert law @ days == pytest.approx(10.0, abs=0.05)
    assert np.sqrt(law @ days**2 - (law @ days) ** 2) == pytest.approx(3.0, abs=0.1)
    assert remaining_law(10.0, 0.0, 4).tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert remaining_law(10.0, 0.0, 40).tolist() == [0.5, 0.5]
