"""Charts are drawn whatever the numbers, in the page's colours, and say in words what they show."""

import re

import numpy as np
import pytest

from common.privacy.accounting import epsilon_of
from simulation.report import chart
from simulation.report.calibration import Point
from simulation.report.example import choose_examples, choose_odds
from simulation.report.figure import VARIABLES

STATED = {"epsilon": 2.0, "delta": 1e-5, "noise_multiplier": 14.1, "num_rounds": 50}


def gain(entities, value, width=0.1, verdict="unclear"):
    return {"entities": float(entities), "gain": value, "low": value - width, "high": value + width, "verdict": verdict}


@pytest.fixture
def pictures(make_record):
    """Draw every chart once."""
    actual = np.random.default_rng(0).poisson(0.5, (9, 6))
    record = make_record(actual, quantiles=np.ones((9, 6, 9)), probability=np.linspace(0.1, 0.9, 9))
    sizes = [{"smallest": 5, "largest": 9, "gain": 0.1}]
    merchants = {
        "a": gain(5, 0.1, verdict="better"),
        "b": {**gain(9, -0.2), "low": None, "high": None},
        "c": {"entities": 3},
    }
    lengths = [{"months": month, "own": 1 / month, "federated": 0.3} for month in (1.0, 4.0, 11.0)]
    return {
        "gains": chart.draw_gains(merchants, sizes, "product"),
        "epsilons": chart.draw_epsilons(
            {"noise of one's own": [(8.0, 0.1, 0.0), (1.0, 0.2, 0.01)], "trusting the sum": [(1.0, 0.12, 0.0)]},
            {"anchor": 0.15, "best": 0.151},
            "loss",
            "product",
        ),
        "spending": chart.draw_spending({"federated_eps2": STATED}),
        "history": chart.draw_history(lengths, "loss"),
        "examples": chart.draw_examples(choose_examples(record)),
        "odds": chart.draw_odds(choose_odds(record), "customer"),
        "reliability": chart.draw_reliability({"anchor": [Point(0.1, 0.05, 0.2), Point(0.9, 0.8, 0.95)]}),
    }


def test_every_colour_follows_the_page(pictures):
    for name, picture in pictures.items():
        svg = picture.to_svg()
        assert not re.search(r"#[0-9a-f]{6}\b|\brgb\(", svg), name
        assert set(re.findall(r"var\(--\w+\)", svg)) <= set(VARIABLES.values())
        for text in re.findall(r"<text[^>]*>", svg):
            assert "fill: var(--" in text, (name, text)


def test_text_stays_text(pictures):
    for picture in pictures.values():
        assert re.search(r"<text[^>]*>[^<]+</text>", picture.to_svg())


def test_every_picture_says_in_words_what_it_shows(pictures):
    assert "2 merchants" in pictures["gains"].description
    assert "1 are better off" in pictures["gains"].description
    assert "federated_eps2 ends at epsilon 2" in pictures["spending"].description
    assert "anchor, best" in pictures["epsilons"].description
    assert "noise of one's own, at 8, 1; trusting the sum, at 1" in pictures["epsilons"].description
    assert "Alone from 1 to 0.09091, in the federation from 0.3 to 0.3" in pictures["history"].description
    assert "said 90%" in pictures["odds"].description
    assert "the largest" in pictures["examples"].description
    assert "said 10%, came 5% to 20%" in pictures["reliability"].description


def test_what_is_spent_ends_at_the_epsilon_of_all_rounds():
    drawn = chart.draw_spending({"federated_eps2": STATED}).axes[0].lines[0]
    assert drawn.get_xdata()[-1] == 50
    assert drawn.get_ydata()[-1] == pytest.approx(epsilon_of(50**0.5 / 14.1, 1e-5))


def test_every_gain_is_inside_the_picture_however_wide_one_interval_is():
    merchants = {"a": gain(5, 0.02), "b": gain(9, -0.03, width=40.0)}
    low, high = chart.draw_gains(merchants, [], "product").axes[0].get_ylim()
    assert -0.2 < low < -0.03
    assert 0.02 < high < 0.2


def test_one_merchant_and_no_difference_can_be_drawn():
    assert chart.draw_gains({"a": gain(1, 0.0, width=0.0)}, [], "product").to_svg()
    assert chart.draw_epsilons({"noise of one's own": [(1.0, 0.2, 0.0)]}, {}, "loss", "product").to_svg()
