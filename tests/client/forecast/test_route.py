"""Two sides are averaged: what the merchant learned alone, and a network from outside."""

import numpy as np
import pytest

from client.forecast.public import add_public
from client.forecast.routing import Candidate, choose_usual
from client.forecast.routing import route as route_of
from common.forecast.method import Method
from common.forecast.metric import QUANTILE_LEVELS, Forecast, Outcome

TREES, ANCHOR, WARM, FITTED = map(Method.parse, ("lightgbm_local", "anchor", "warm", "warm_personalised"))
JOINED, JOINED_FITTED = map(Method.parse, ("federated_eps2_sum", "federated_eps2_sum_personalised"))
DAYS = 28


def route(candidates, outcome, plan, *, history_days=730):
    return route_of(candidates, outcome, plan, history_days=history_days)


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"likelihood": "log_normal"})


def say(level, *, entities=40, seed=0, spread=0.1):
    """Forecast demand of about 10 that is `level` times as high, with errors of its own."""
    error = np.random.default_rng(seed).standard_normal((entities, DAYS))
    mean = 10.0 * level * np.exp(spread * error)
    return Forecast(mean, mean, np.repeat(mean[:, :, None], len(QUANTILE_LEVELS), axis=2), np.ones(entities))


def candidate(level, **given):
    return Candidate(say(level, **given), say(level, **given))


def seen(entities=40, *, counted=True):
    return Outcome(np.full((entities, DAYS), 10.0), np.full((entities, DAYS), counted), np.ones(entities))


# The promise that `hansa-sim` and `prove` rest on: what anybody could have is no merit of a federation.
@pytest.mark.parametrize("level", [0.8, 1.0, 1.3])
def test_a_federation_that_learned_nothing_gains_exactly_nothing(plan, level):
    trees, public, fitted = candidate(1.1), candidate(level, seed=1), candidate(0.5 + level / 2, seed=2)
    alone = route({TREES: trees, WARM: public, FITTED: fitted}, seen(), plan)
    joined = route({TREES: trees, WARM: public, FITTED: fitted, JOINED: public, JOINED_FITTED: fitted}, seen(), plan)
    np.testing.assert_allclose(joined.forecast.mean, alone.forecast.mean, rtol=1e-9)


def test_what_is_as_good_as_one_s_own_and_errs_differently_has_about_half(plan):
    weights = route({TREES: candidate(1.0), JOINED: candidate(1.0, seed=1)}, seen(), plan).weights
    assert 0.35 < weights[JOINED] < 0.55


def test_what_is_clearly_worse_has_no_say_and_what_is_clearly_better_has_nearly_all(plan):
    worse = route({TREES: candidate(1.0), JOINED: candidate(2.0, seed=1)}, seen(), plan).weights
    better = route({TREES: candidate(2.0), JOINED: candidate(1.0, seed=1)}, seen(), plan).weights
    assert worse[JOINED] < 1e-3
    assert better[JOINED] > 0.99


def test_little_evidence_leaves_a_network_from_outside_less_than_much(plan):
    shares = [
        route(
            {TREES: candidate(1.0, entities=number), JOINED: candidate(1.0, entities=number, seed=1)},
            seen(number),
            plan,
        ).weights[JOINED]
        for number in (1, 10, 200)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.2


def test_what_a_short_history_takes_from_one_s_own_goes_to_what_came_from_outside(plan):
    own = candidate(1.0)
    sides = {TREES: own, ANCHOR: own, JOINED: candidate(1.0, seed=1)}
    shares = [route(sides, seen(), plan, history_days=days).weights[JOINED] for days in (18, 78, 365, 900)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.7
    assert shares[2] == shares[3]
    points = {ANCHOR: candidate(1.0), JOINED: candidate(1.0, seed=1)}  # nothing of one's own has to learn
    long, short = (route(points, seen(), plan, history_days=days).weights[JOINED] for days in (900, 18))
    assert short == long
    unknown = route(sides, seen(counted=False), plan, history_days=18).weights
    assert unknown[JOINED] == 0.0  # without evidence one's own serves, however short its history


@pytest.mark.parametrize("methods", [(JOINED, ANCHOR, TREES), (TREES, JOINED, ANCHOR)])
def test_without_evidence_the_best_of_one_s_own_serves_as_a_rule_tells_it(plan, methods):
    candidates = {method: candidate(1.0, seed=place) for place, method in enumerate(methods)}
    routed = route(candidates, seen(counted=False), plan)
    assert routed.weights == {method: float(method == TREES) for method in methods}
    assert choose_usual((JOINED, ANCHOR), history_days=730) == ANCHOR
    assert choose_usual((JOINED, JOINED_FITTED, WARM), history_days=730) == JOINED_FITTED
    assert choose_usual((TREES, ANCHOR), history_days=60) == ANCHOR


def test_one_side_alone_shares_all(plan):
    weights = route({TREES: candidate(1.0), ANCHOR: candidate(1.0, seed=1)}, seen(), plan).weights
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights[TREES] > weights[ANCHOR] > 0


def test_shares_are_named_in_the_order_that_was_given_and_add_up(plan):
    given = (JOINED, TREES, WARM, ANCHOR)
    weights = route({method: candidate(1.0, seed=place) for place, method in enumerate(given)}, seen(), plan).weights
    assert tuple(weights) == given
    assert sum(weights.values()) == pytest.approx(1.0)


def test_the_public_model_stands_beside_the_federations_in_each_form(make_plan):
    shaped = make_plan(model={"likelihood": "negative_binomial", "hidden_size": 24, "decoder_size": 24}).model
    assert add_public((JOINED, TREES), shaped) == (JOINED, TREES, WARM)
    assert add_public((JOINED, TREES, JOINED_FITTED), shaped) == (JOINED, TREES, JOINED_FITTED, WARM, FITTED)
    assert add_public((TREES, FITTED, JOINED_FITTED), shaped) == (TREES, FITTED, JOINED_FITTED)
    assert add_public((TREES,), shaped) == (TREES,)
    assert add_public((JOINED,), shaped.model_copy(update={"hidden_size": 23})) == (JOINED,)
