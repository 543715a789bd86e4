import math

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.gaussian_mechanism import get_epsilon_gaussian
from dp_accounting.pld import PLDAccountant
from hypothesis import given
from hypothesis import strategies as st
from opacus.accountants import RDPAccountant

from common.errors import ConfigError
from common.privacy.accounting import (
    customer_mu,
    delta_for,
    delta_of,
    epsilon_of,
    mu_of,
    noise_multiplier_for,
    round_mu_squared,
)

epsilons = st.floats(1e-3, 50.0)
deltas = st.floats(1e-30, 0.1)


def random_settings(count: int) -> list[tuple[float, int, float]]:
    """Noise multiplier, rounds and delta; mu between about 0.05 and 5, where epsilons that people use lie."""
    generator = np.random.default_rng(20190507)
    settings = []
    for _ in range(count):
        num_rounds = int(generator.integers(1, 1000))
        mu = math.exp(generator.uniform(math.log(0.1), math.log(5.0)))
        settings.append((math.sqrt(num_rounds) / mu, num_rounds, 10.0 ** generator.uniform(-8, -4)))
    return settings


def our_epsilon(noise_multiplier: float, num_rounds: int, delta: float) -> float:
    return epsilon_of(math.sqrt(num_rounds * round_mu_squared(noise_multiplier)), delta)


def pld_epsilon(noise_multiplier: float, num_rounds: int, delta: float) -> float:
    accountant = PLDAccountant(value_discretization_interval=1e-3)
    accountant.compose(SelfComposedDpEvent(GaussianDpEvent(noise_multiplier), num_rounds))
    return float(accountant.get_epsilon(delta))


def opacus_epsilon(noise_multiplier: float, num_rounds: int, delta: float) -> float:
    accountant = RDPAccountant()
    accountant.history = [(noise_multiplier, 1.0, num_rounds)]
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(12, 1024))  # enough for the smallest mu
    return accountant.get_epsilon(delta, alphas=orders)


# Origin: mpmath at 40 digits, Dong et al. (2019) Corollary 2.13 as printed.
@pytest.mark.parametrize(
    ("mu", "epsilon", "delta"),
    [
        (1.0, 1.0, 0.12693673750664395),
        (0.5, 2.0, 9.4391686349472338e-6),
        (0.1, 2.0, 3.7194507268047236e-91),
        (1e-3, 0.01, 7.5120257223582012e-28),
        (0.02, 0.7, 9.1065660216159556e-272),
        (3.0, 0.0, 0.86638559746228387),
        (6.0, 10.0, 0.87507448281731396),
        (20.0, 5.0, 1.0),
    ],
)
def test_delta_is_exact_down_to_the_tiniest(mu: float, epsilon: float, delta: float) -> None:
    assert delta_of(mu, epsilon) == pytest.approx(delta, rel=1e-11)


# Origin: shared/privacy.md, three digits.
@pytest.mark.parametrize(
    ("epsilon", "mu", "noise_multiplier"),
    [(1.0, 0.268, 26.4), (2.0, 0.502, 14.1), (4.0, 0.925, 7.64), (8.0, 1.666, 4.24)],
)
def test_the_published_table_of_mu_and_noise_holds(epsilon: float, mu: float, noise_multiplier: float) -> None:
    assert mu_of(epsilon, 1e-5) == pytest.approx(mu, abs=5e-4)
    noise = noise_multiplier_for(epsilon=epsilon, delta=1e-5, num_rounds=50)
    assert noise == pytest.approx(noise_multiplier, rel=2e-3)


# Origin: shared/design.md section 2, two digits.
@pytest.mark.parametrize(("products", "epsilon"), [(1, 4.4), (5, 33.0)])
def test_a_product_plan_at_epsilon_two_promises_a_customer_little(products: int, epsilon: float) -> None:
    assert epsilon_of(customer_mu(mu_of(2.0, 1e-5), products), 1e-5) == pytest.approx(epsilon, rel=0.01)


# sqrt(2 ln(1.25/delta))/eps is proven for eps up to 1 only (privacy.md no. 21); at 20 it gives 26.
def test_the_classical_gaussian_formula_is_not_used() -> None:
    classical = math.sqrt(2 * math.log(1.25 / 1e-5)) / 20
    assert epsilon_of(1 / classical, 1e-5) > 25


@pytest.mark.parametrize("setting", random_settings(200))
def test_epsilon_equals_the_exact_gaussian_of_dp_accounting(setting: tuple[float, int, float]) -> None:
    noise_multiplier, num_rounds, delta = setting
    exact = get_epsilon_gaussian(noise_multiplier / math.sqrt(num_rounds), delta)
    assert our_epsilon(*setting) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("setting", random_settings(200))
def test_epsilon_is_at_most_that_of_opacus(setting: tuple[float, int, float]) -> None:
    assert our_epsilon(*setting) <= opacus_epsilon(*setting)


@pytest.mark.parametrize("setting", random_settings(8))
def test_epsilon_agrees_with_numerical_composition(setting: tuple[float, int, float]) -> None:
    assert our_epsilon(*setting) == pytest.approx(pld_epsilon(*setting), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("setting", random_settings(200)[8:])
def test_epsilon_agrees_with_numerical_composition_everywhere(setting: tuple[float, int, float]) -> None:
    assert our_epsilon(*setting) == pytest.approx(pld_epsilon(*setting), rel=1e-3)


@given(epsilon=epsilons, delta=deltas)
def test_mu_is_rounded_to_the_private_side_and_no_further(epsilon: float, delta: float) -> None:
    mu = mu_of(epsilon, delta)
    assert delta_of(mu, epsilon) <= delta * (1 + 1e-13)
    assert delta_of(mu * (1 + 1e-9), epsilon) > delta


@given(mu=st.floats(1e-3, 10.0), delta=deltas)
def test_epsilon_is_rounded_to_the_private_side_and_no_further(mu: float, delta: float) -> None:
    epsilon = epsilon_of(mu, delta)
    assert delta_of(mu, epsilon) <= delta * (1 + 1e-13)
    if epsilon > 0:
        assert delta_of(mu, epsilon * (1 - 1e-6)) > delta


@given(epsilon=st.floats(0.01, 20.0), delta=deltas, num_rounds=st.integers(1, 3000))
def test_a_ledger_that_adds_up_rounds_in_floats_stays_within_the_budget(
    epsilon: float, delta: float, num_rounds: int
) -> None:
    noise_multiplier = noise_multiplier_for(epsilon=epsilon, delta=delta, num_rounds=num_rounds)
    cost, spent = round_mu_squared(noise_multiplier), 0.0
    for _ in range(num_rounds):
        spent += cost
    assert spent <= mu_of(epsilon, delta) ** 2
    assert epsilon_of(math.sqrt(spent), delta) <= epsilon


def test_no_noise_is_infinitely_expensive() -> None:
    assert round_mu_squared(0.0) == math.inf
    assert epsilon_of(math.inf, 1e-5) == math.inf
    assert delta_of(math.inf, 8.0) == 1.0


def test_nothing_released_costs_nothing() -> None:
    assert delta_of(0.0, 0.0) == 0.0
    assert epsilon_of(0.0, 1e-5) == 0.0


def test_a_vanishing_mu_is_overstated_and_never_understated() -> None:
    assert delta_of(1e-20, 0.0) == delta_of(1e-8, 0.0) > 0


def test_delta_is_at_most_a_tenth_of_one_entity() -> None:
    assert delta_for(1) == delta_for(10_000) == 1e-5
    assert delta_for(100_000) == 1e-6


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_values_out_of_range_are_refused_by_name(bad: float) -> None:
    with pytest.raises(ConfigError, match=r"mu is .* at least 0"):
        delta_of(bad, 1.0)
    with pytest.raises(ConfigError, match=r"epsilon is .* at least 0 and finite"):
        delta_of(1.0, bad)
    with pytest.raises(ConfigError, match=r"delta is .* strictly between 0 and 1"):
        epsilon_of(1.0, bad)
    with pytest.raises(ConfigError, match=r"noise_multiplier is .* at least 0"):
        round_mu_squared(bad)


def test_empty_plans_and_impossible_budgets_are_refused() -> None:
    with pytest.raises(ConfigError, match="num_rounds is 0"):
        noise_multiplier_for(epsilon=1.0, delta=1e-5, num_rounds=0)
    with pytest.raises(ConfigError, match="epsilon is 0"):
        noise_multiplier_for(epsilon=0.0, delta=1e-30, num_rounds=1)
    with pytest.raises(ConfigError, match="size_class is 0"):
        delta_for(0)
    with pytest.raises(ConfigError, match="products_per_customer is 0"):
        customer_mu(1.0, 0)
    with pytest.raises(ConfigError, match="delta is 1"):
        mu_of(1.0, 1.0)
