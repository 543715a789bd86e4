"""BG/NBD and Gamma-Gamma against published numbers, against another library, and against worlds that are known."""

import numpy as np
import pytest
from scipy.integrate import quad

from client.decision.customer.buy_till_die import BuyTillDie, fit_buy_till_die, fit_past, times_of
from client.decision.customer.order_value import OrderValue, fit_order_value
from client.decision.customer.past import look_back, see

# Fader, Hardie & Lee 2005, table 2: CDNOW.
PUBLISHED = BuyTillDie(0.243, 4.414, 0.793, 2.426)


def test_the_published_customer_is_expected_to_buy_as_published() -> None:
    """Fader, Hardie & Lee, "Implementing the BG/NBD model in Excel" (2005): customer 0001, 39 weeks: 1.226."""
    expected = PUBLISHED.expect(np.array([2]), np.array([30.43]), np.array([38.86]), 39.0)
    assert expected[0] == pytest.approx(1.226, abs=5e-4)


def test_it_says_what_lifetimes_says() -> None:
    """Literal values of lifetimes 0.11.3 at its own CDNOW estimates."""
    model = BuyTillDie(0.242593, 4.413532, 0.792886, 2.425752)
    again = np.array([0, 2, 1, 10, 26, 3])
    last = np.array([0.0, 30.43, 1.71, 35.0, 30.86, 5.0])
    age = np.array([38.86, 38.86, 38.86, 39.0, 31.0, 30.0])
    alive = [1.0, 0.72660914, 0.21222739, 0.84262312, 0.96891972, 0.07699727]
    expected = [0.19478086, 1.22591042, 0.20325062, 6.11622219, 20.7505705, 0.22335801]
    assert model.alive(again, last, age) == pytest.approx(alive, abs=2e-6)
    assert model.expect(again, last, age, 39.0) == pytest.approx(expected, rel=5e-6)


def test_the_chance_to_buy_is_the_integral_over_the_rates_of_those_still_there() -> None:
    again, last, age, ahead = np.array([3]), np.array([20.0]), np.array([30.0]), 13.0
    shape, rate = PUBLISHED.shape + 3, PUBLISHED.scale + 30.0

    def density(value: float) -> float:
        law = rate**shape * value ** (shape - 1) * np.exp(-rate * value) / float(np.exp(_log_gamma(shape)))
        return law * (1 - np.exp(-ahead * value))

    there = PUBLISHED.alive(again, last, age)[0]
    assert PUBLISHED.buys(again, last, age, ahead)[0] == pytest.approx(there * quad(density, 0, 10)[0], rel=1e-6)


def _log_gamma(value: float) -> float:
    from scipy.special import gammaln

    return float(gammaln(value))


def test_a_known_world_is_recovered(world) -> None:  # type: ignore[no-untyped-def]
    """Mean rate and mean chance to leave within a fifth; 6,000 customers."""
    purchases = world(customers=6000, days=700, shape=0.8, scale=50.0, leave=0.6, stay=2.4, seed=3)
    model = fit_past(look_back(purchases, 700))
    assert model.shape / model.scale == pytest.approx(0.8 / 50, rel=0.2)
    assert model.leave / (model.leave + model.stay) == pytest.approx(0.2, rel=0.2)
    assert model.shape == pytest.approx(0.8, rel=0.2)


def test_what_a_fitted_model_expects_comes(world) -> None:  # type: ignore[no-untyped-def]
    """Buyers and purchases of the next 60 days within 8 % of what was said: four standard errors."""
    purchases = world(customers=4000, days=560, seed=4)
    past = look_back(purchases, 500)
    model, came = fit_past(past), see(past, 60)
    assert model.buys(*times_of(past), 60.0).sum() == pytest.approx(came.bought.sum(), rel=0.08)
    assert model.expect(*times_of(past), 60.0).sum() == pytest.approx(came.count.sum(), rel=0.08)


def test_one_customer_and_customers_who_never_came_again_make_a_model() -> None:
    for again in (np.array([0]), np.array([0, 0, 0]), np.array([50])):
        last, age = again * 1.0, np.full(len(again), 60.0)
        model = fit_buy_till_die(again, last, age)
        told = model.buys(again, last, age, 30.0)
        assert np.isfinite(told).all()
        assert ((told >= 0) & (told <= 1)).all()


def test_order_values_are_what_lifetimes_says() -> None:
    """Literal values of lifetimes 0.11.3 at its own estimates on CDNOW."""
    law = OrderValue(6.248802, 3.744588, 15.447748)
    told = law.expect(np.array([1.0, 2.0, 10.0, 50.0]), np.array([10.0, 40.0, 35.0, 120.0]))
    assert told == pytest.approx([17.6816456, 39.13046558, 35.00719472, 119.26131986], rel=1e-6)


def test_a_known_law_of_order_values_is_recovered() -> None:
    generator = np.random.default_rng(0)
    count = 1.0 + generator.poisson(3.0, 5000)
    rate = generator.gamma(4.0, 1 / 60.0, 5000)
    mean = generator.gamma(3.0 * count) / rate / count
    law = fit_order_value(count, mean)
    assert law.within == pytest.approx(3.0, rel=0.1)
    assert law.between == pytest.approx(4.0, rel=0.1)
    assert law.scale == pytest.approx(60.0, rel=0.15)


def test_nobody_who_paid_anything_is_worth_nothing() -> None:
    law = fit_order_value(np.array([1.0, 2.0]), np.zeros(2))
    assert law.expect(np.array([1.0]), np.array([0.0]))[0] == pytest.approx(0.0, abs=1e-6)
