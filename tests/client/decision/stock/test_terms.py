"""Terms are those asked for, else those of shop.toml, else the usual ones, and each says whose it is."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from client.decision.stock.terms import SHOP, USUAL, Asked, StockTerms, Term, choose_terms
from client.decision.stock.walk import Rhythm
from client.decision.stock.wording import say_terms, say_too_short
from client.shop.settings import Shop
from common.errors import ConfigError
from common.plan.reading import parse_toml

HEAD = 'name = "corner shop"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n'
ORDER = """
[order]
service_level = 0.98
lead_days = 4.6
review_days = 3
holding_rate = 0.365
cost_share = 0.7
out_cost = 1.5
line_cost = 0.2
"""
PRICED = Asked(price=10.0)


def shop_of(order: str) -> Shop:
    return parse_toml(HEAD + order, Shop, origin="shop.toml")


def test_without_anything_all_is_usual_and_a_piece_counts_as_one() -> None:
    terms = choose_terms(Asked(), None)
    assert terms.rhythm == Rhythm(7, 7)
    assert (terms.costs.service_level, terms.costs.currency, terms.costs.per_order) == (0.95, "", 0.0)
    assert terms.costs.holding_per_unit_day == pytest.approx(0.6 * 0.25 / 365)
    assert terms.costs.lost_margin_per_unit == pytest.approx(0.4)
    assert {term["source"] for term in asdict(terms).values() if isinstance(term, dict)} == {USUAL}


def test_a_shop_s_own_terms_count_and_its_money_once_there_is_a_price() -> None:
    terms = choose_terms(PRICED, shop_of(ORDER))
    assert terms.rhythm == Rhythm(5, 3)
    assert (terms.costs.service_level, terms.costs.currency, terms.costs.per_order) == (0.98, "EUR", 0.2)
    np.testing.assert_allclose(terms.costs.holding_per_unit_day, 10 * 0.7 * 0.365 / 365)
    np.testing.assert_allclose(terms.costs.lost_margin_per_unit, 1.5)
    assert json.loads(json.dumps(asdict(terms)))["lead_days"] == {"value": 4.6, "source": SHOP}
    in_pieces = choose_terms(Asked(), shop_of(ORDER))
    assert (in_pieces.costs.currency, in_pieces.costs.per_order) == ("", 0.0)
    np.testing.assert_allclose(in_pieces.costs.lost_margin_per_unit, 0.3)
    assert in_pieces.notes == ("out_cost and line_cost of shop.toml are money, and need --price to count.",)


def test_what_is_asked_for_counts_before_the_shop() -> None:
    terms = choose_terms(Asked(0.9, 2, 14, 0.1, 0.5, 10.0, "EUR"), shop_of(ORDER))
    assert terms.rhythm == Rhythm(2, 14)
    assert terms.costs.service_level == 0.9
    np.testing.assert_allclose(terms.costs.holding_per_unit_day, 10 * 0.5 * 0.1 / 365)
    np.testing.assert_allclose(terms.costs.lost_margin_per_unit, 5.0)  # a margin that is asked for is what is lost
    assert terms.line_cost == Term(0.2, SHOP)


def test_a_default_of_shop_toml_is_not_said_to_be_the_shop_s() -> None:
    terms = choose_terms(Asked(), shop_of("[order]\nservice_level = 0.95\n"))
    assert (terms.service_level.source, terms.lead_days.source, terms.holding_share.source) == (SHOP, USUAL, USUAL)


@pytest.mark.parametrize(
    ("order", "review"),
    [
        ('order_weekdays = ["tuesday"]', Term(7.0, SHOP)),
        ('order_weekdays = ["monday", "thursday"]', Term(4.0, SHOP)),
        ('order_weekdays = ["tuesday"]\nreview_days = 14', Term(14.0, SHOP)),
        ("", Term(7.0, USUAL)),
    ],
)
def test_weekdays_of_orders_tell_how_often(order: str, review: Term) -> None:
    assert choose_terms(Asked(), shop_of(f"[order]\n{order}\n")).review_days == review


def test_each_term_is_said_beside_who_said_it() -> None:
    terms = choose_terms(Asked(lead_days=2, price=10.0), shop_of("[order]\nservice_level = 0.985\nout_cost = 1.5\n"))
    assert say_terms(terms) == [
        "From [order] of shop.toml: 98.5 % of the pieces asked for served, 1.50 EUR for a piece that is missing.",
        "As you asked: 2 days from an order to its arrival, a price of 10.00 EUR.",
        "As is usual, since nothing says otherwise: an order every 7 days, a year on the shelf at 25 % of what a piece "
        "costs, a margin of 40 % of the price.",
    ]


def test_what_a_shop_counts_otherwise_is_said() -> None:
    said = say_terms(choose_terms(Asked(), shop_of('[order]\nservice = "cycles"\naim = "cost"\n')))
    assert any("deliveries before which nothing ran out" in sentence for sentence in said)
    assert any("orders by cost" in sentence for sentence in said)


def test_money_of_two_kinds_is_refused() -> None:
    for asked, shop, words in (
        (Asked(price=4.5), None, "--price needs --currency"),
        (Asked(currency="EUR"), None, "give both or neither"),
        (Asked(price=4.5, currency="USD"), shop_of(""), "in which shop.toml counts its money; give the price in EUR"),
    ):
        with pytest.raises(ConfigError, match=words):
            choose_terms(asked, shop)
    assert choose_terms(Asked(price=4.5, currency="EUR"), None).costs.currency == "EUR"


def test_a_horizon_without_room_for_two_orders_is_said(make_plan) -> None:
    terms: StockTerms = choose_terms(Asked(), shop_of("[order]\nlead_days = 60\n"))
    said = say_too_short(make_plan(model={"horizon_days": 28}).model, terms.rhythm)
    assert said == (
        "What joining is worth as stock cannot be told: the model forecasts 28 days, too few for two orders with 60 "
        "days on the way and 7 between them."
    )
    weekly = make_plan(model={"horizon_days": 28, "bucket_days": 7}).model
    assert "forecasts 7 days as one" in say_too_short(weekly, terms.rhythm)
