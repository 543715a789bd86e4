"""From a response to money: what another price brings, and that nothing is said beyond what was seen."""

import numpy as np
import pytest

from client.decision.response.scenario import Change, Goods, beyond, draw_curve, play, require_seen, summarise
from common.errors import ConfigError, DataError


def make_goods(elasticity: float, *, cost: float = 4.0, number: int = 1, low: float = 8.0, high: float = 12.0) -> Goods:
    each = np.full(number, 1.0)
    return Goods(
        tuple(f"P{place}" for place in range(number)),
        np.full((100, number, 1), elasticity),
        10 * each,
        10 * each,
        low * each,
        high * each,
        np.zeros(number, bool),
        50 * each,
        cost * each,
    )


def test_units_revenue_and_profit_follow_from_the_response() -> None:
    found = play(make_goods(-2.0), Change(price=9.0), ("price",))
    assert summarise(found.units[:, 0]).middle == pytest.approx(50 * 0.9**-2)
    assert found.revenue[0, 0] == pytest.approx(9 * 50 * 0.9**-2)
    assert found.profit[0, 0] == pytest.approx(5 * 50 * 0.9**-2)


def test_the_best_price_is_that_of_the_textbook() -> None:
    """With elasticity e and cost c a monopolist asks c e / (1 + e) (Lerner 1934): 4 × 1.6 = 6.40 at -2.667."""
    curve = draw_curve(make_goods(-8 / 3, low=5.0, high=12.0), ("price",))
    assert curve is not None
    assert curve.price[curve.best] == pytest.approx(6.4, rel=0.02)
    assert curve.at_edge == ""
    assert curve.gain.low > 0


def test_a_best_price_at_the_end_of_what_was_seen_is_said_to_be_one() -> None:
    dear, cheap = (draw_curve(make_goods(elasticity), ("price",)) for elasticity in (-0.5, -5.0))
    assert dear is not None
    assert cheap is not None
    assert (dear.at_edge, dear.price[dear.best]) == ("highest", pytest.approx(12.0))
    assert (cheap.at_edge, cheap.price[cheap.best]) == ("lowest", pytest.approx(8.0))


def test_a_price_that_was_never_seen_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"only seen between 8.00 and 12.00; at 20.00 nothing can be said"):
        require_seen(make_goods(-2.0), Change(price=20.0), ("price",))
    require_seen(make_goods(-2.0), Change(price=12.0), ("price",))
    require_seen(make_goods(-2.0), Change(), ("price",))
    with pytest.raises(DataError, match="No price moved twice or more outside promotions"):
        require_seen(make_goods(-2.0), Change(price=9.0), ("promotion",))


def test_of_several_products_those_beyond_what_was_seen_are_named() -> None:
    goods = make_goods(-2.0, number=3)
    goods.lowest[1] = 9.5
    assert beyond(goods, Change(factor=0.9)).tolist() == [1]


def test_without_a_cost_the_curve_is_of_revenue() -> None:
    curve = draw_curve(make_goods(-0.5, cost=float("nan")), ("price",))
    assert curve is not None
    assert curve.money[0].middle == pytest.approx(8.0 * 50 * 0.8**-0.5)


def test_promotions_alone_have_no_curve() -> None:
    assert draw_curve(make_goods(0.4), ("promotion",)) is None
