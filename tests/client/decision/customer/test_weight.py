"""Shares and levels: what is served is never worse than the best simple candidate beyond chance."""

import numpy as np
import pytest
from scipy.special import expit, logit

from client.decision.customer.level import foresee, measure_level
from client.decision.customer.weight import weigh


def draw(horizons: int = 4, number: int = 1500, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    generator = np.random.default_rng(seed)
    truth = [expit(generator.normal(-1.5, 1.2, number)) for _ in range(horizons)]
    return truth, [generator.random(number) < each for each in truth]


def test_the_one_who_knows_gets_most_of_it() -> None:
    truth, seen = draw()
    said = {"base": [np.full_like(each, each.mean()) for each in truth], "trees": truth}
    found = weigh(said, seen, ["base"])
    assert found.weights["trees"] > 0.9
    assert found.losses["average"] <= found.losses["base"]


def test_where_the_learned_one_is_wrong_the_simple_one_serves_alone() -> None:
    truth, seen = draw()
    generator = np.random.default_rng(1)
    wrong = [expit(generator.normal(0.0, 2.5, len(each))) for each in truth]
    said = {"bg_nbd": truth, "trees": wrong}
    found = weigh(said, seen, ["bg_nbd"])
    assert found.weights["bg_nbd"] > 0.9
    assert found.losses["average"] <= found.losses["bg_nbd"] + 0.01


def test_an_average_that_fails_on_horizons_it_did_not_see_is_not_served() -> None:
    """The learned candidate is right in half of the horizons and badly wrong in the other half."""
    truth, seen = draw()
    moody = [each if place % 2 else np.clip(1 - each, 0.01, 0.99) for place, each in enumerate(truth)]
    found = weigh({"bg_nbd": truth, "trees": moody}, seen, ["bg_nbd"])
    assert found.weights == {"bg_nbd": 1.0, "trees": 0.0} or found.losses["average"] <= found.losses["bg_nbd"]


def test_too_timid_chances_are_made_bolder_and_their_mean_stays() -> None:
    truth, seen = draw(number=4000)
    timid = [expit(0.6 * logit(each)) for each in truth]
    found = weigh({"bg_nbd": timid}, seen, [])
    told = found.serve({"bg_nbd": timid[0]})
    assert found.slope == pytest.approx(1 / 0.6, rel=0.1)
    assert told.mean() == pytest.approx(timid[0].mean(), abs=1e-3)


def test_without_a_past_everyone_has_the_usual_share() -> None:
    found = weigh({"bg_nbd": [], "base": []}, [], ())
    assert found.slope == 1.0
    assert sum(found.weights.values()) == pytest.approx(1.0)


def test_a_level_is_found_and_a_small_shop_has_hardly_any() -> None:
    generator = np.random.default_rng(0)
    chance = expit(generator.normal(-1.0, 1.0, 20_000))
    bought = generator.random(20_000) < expit(logit(chance) + 0.4)
    assert measure_level(chance, bought) == pytest.approx(0.4, abs=0.06)
    assert abs(measure_level(chance[:3], np.ones(3, dtype=bool))) < 0.8


def test_half_of_last_years_move_is_believed_until_the_shop_knows_better() -> None:
    nothing = np.zeros(0)
    assert foresee(nothing, nothing, nothing, (0.0, 0.4)).value == pytest.approx(0.2)
    season = np.tile([0.8, -0.8], 20)
    assert foresee(np.zeros(40), season, season, (0.0, 0.4)).value == pytest.approx(0.4, abs=0.02)
    assert foresee(np.zeros(40), season, np.zeros(40), (0.0, 0.4)).value == pytest.approx(0.0, abs=0.02)
