"""A merchant whose demand doubles on the origin: whoever foresaw it must win, by as much as can be worked out."""

import json
from datetime import date, timedelta

import numpy as np
import pytest
import torch

from client.command.prove import _say_worth
from client.forecast.backtest import Proof, choose_methods, prove
from client.forecast.candidate import forecast_by, serve
from client.forecast.prediction import set_up
from common.errors import ConfigError, DataError
from common.forecast.gain import Gain
from common.forecast.method import OWN, Method

CPU = torch.device("cpu")
ORIGIN = date(2024, 3, 1)  # as in conftest.py
FEDERATED = "federated", "personalised"
CUSTOMERS = 12


def test_a_model_that_foresaw_a_turn_is_better_and_one_that_did_not_is_the_anchor(make_plan, make_model, write_rows):
    plan, rows = make_plan(), write_rows()
    seeing = prove(make_model(plan, 2.0), rows, ORIGIN, device=CPU)
    assert (seeing.entities, seeing.last, seeing.metric) == (CUSTOMERS, date(2024, 3, 4), "wql")
    gain = seeing.gains["federated"]
    assert gain is not None
    assert gain.verdict == "better"
    ours, alone = seeing.scores["federated"]["wql"], seeing.scores[seeing.best_own]["wql"]
    assert gain.gain == pytest.approx(1 - ours / alone)
    assert alone == min(scores["wql"] for name, scores in seeing.scores.items() if name not in FEDERATED)
    blind = prove(make_model(plan), rows, ORIGIN, device=CPU)
    assert blind.scores["federated"] == pytest.approx(blind.scores["anchor"])
    assert set(blind.scores) == {"seasonal_naive", "moving_average", "weekday_mean", "anchor", *FEDERATED}


def test_a_model_that_foresaw_a_turn_that_never_came_is_worse(make_plan, make_model, write_rows):
    gain = prove(make_model(make_plan(), 2.0), write_rows(factor=1), ORIGIN, device=CPU).gains["federated"]
    assert gain is not None
    assert gain.verdict == "worse"


WARM = {"model": {"hidden_size": 24, "decoder_size": 24}, "federation": {"start": "warm"}}


def test_a_model_that_learned_nothing_adds_nothing_to_the_public_one_that_it_started_from(
    make_plan, make_model, write_rows
):
    proof = prove(make_model(make_plan(**WARM), None), write_rows(), ORIGIN, device=CPU)
    assert proof.scores["federated"] == pytest.approx(proof.scores["warm"])
    added = proof.added["federated"]
    assert added.against == "warm"
    assert added.gain is not None
    assert (added.gain.verdict, added.gain.gain) == ("unclear", pytest.approx(0.0, abs=1e-6))
    own = {name: scores["wql"] for name, scores in proof.scores.items() if name not in FEDERATED}
    assert proof.best_own == min(own, key=lambda name: own[name])
    assert "warm" in own
    gain = proof.gains["federated"]
    assert gain is not None
    assert gain.gain <= 1e-6  # the public model is among the merchant's own, so this cannot be a gain


def test_what_is_added_is_told_of_the_fitted_model_where_the_fitted_public_one_is_a_method(
    make_plan, make_model, write_rows
):
    proof = prove(make_model(make_plan(**WARM), 2.0), write_rows(), ORIGIN, device=CPU)
    assert set(proof.added) == (
        {"federated", "personalised"} if Method.parse("warm_personalised").kind in OWN else {"federated"}
    )
    for name, added in proof.added.items():
        assert added.gain is not None
        ours, public = proof.scores[name]["wql"], proof.scores[added.against]["wql"]
        assert added.gain.gain == pytest.approx(1 - ours / public)


def test_without_a_public_model_of_the_shape_the_untrained_one_stands_for_it(make_plan, make_model, write_rows):
    proof = prove(make_model(make_plan(), 2.0), write_rows(), ORIGIN, device=CPU)
    assert {name: added.against for name, added in proof.added.items()} == {"federated": "anchor"}
    assert proof.added["federated"].gain.verdict == "better"


PURCHASES = {"model": {"bucket_days": 4, "likelihood": "hurdle_negative_binomial"}, "evaluation": {"task": "purchase"}}


@pytest.mark.parametrize("sections", [{}, {"model": {"likelihood": "log_normal"}}, PURCHASES])
@pytest.mark.parametrize("origin", [ORIGIN, ORIGIN + timedelta(days=4)])
def test_no_forecast_sees_the_days_that_it_is_judged_by(make_plan, make_model, write_rows, sections, origin):
    model = make_model(make_plan(**sections), 2.0)
    both = [set_up(model, write_rows(factor=factor, turn=origin), origin) for factor in (1, 5)]
    methods, _ = choose_methods(both[0].view.plan)
    made = [
        [forecast_by(method, context.view, context.models, device=CPU) for method in methods]
        + [serve(Method("routed"), context.view, context.models, device=CPU).forecast]
        for context in both
    ]
    for one, other in zip(*made, strict=True):
        for part in ("mean", "median", "quantiles", "probability"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_purchases_are_held_against_a_regression_by_log_loss(make_plan, make_model, write_rows):
    proof = prove(make_model(make_plan(**PURCHASES)), write_rows(), ORIGIN, device=CPU)
    assert proof.metric == "log_loss"
    assert "logistic" in proof.scores
    assert set(proof.gains) == set(FEDERATED)


def test_days_that_the_model_has_learned_from_prove_nothing(make_plan, make_model, write_rows):
    with pytest.raises(ConfigError, match="choose 2024-03-01 or later"):
        prove(make_model(make_plan()), write_rows(), ORIGIN - timedelta(days=1), device=CPU)


@pytest.mark.parametrize(("horizon", "tolerated"), [(4, 1), (7, 1), (14, 3), (28, 7)])
def test_rows_that_end_before_the_horizon_are_waited_for(make_plan, make_model, write_rows, horizon, tolerated):
    model = make_model(make_plan(model={"horizon_days": horizon}))
    last = ORIGIN + timedelta(days=horizon - 1)
    for missing in (tolerated + 1, horizon):  # the second: right after training
        with pytest.raises(DataError, match=f"last {missing} open days up to {last}.*come back when it is\\.$"):
            prove(model, write_rows(until=last - timedelta(days=missing)), ORIGIN, device=CPU)
    assert prove(model, write_rows(until=last - timedelta(days=tolerated)), ORIGIN, device=CPU).last == last
    later = ORIGIN + timedelta(days=horizon)
    with pytest.raises(DataError, match="or choose an earlier --origin"):
        prove(model, write_rows(until=last), later, device=CPU)


def test_closed_days_at_the_end_are_not_missing(make_plan, make_model, write_rows):
    last = ORIGIN + timedelta(days=13)
    closed = [str(last - timedelta(days=back)) for back in range(5)]
    plan = make_plan(model={"horizon_days": 14}, data={"closed_dates": closed})
    assert prove(make_model(plan), write_rows(until=last - timedelta(days=5)), ORIGIN, device=CPU).last == last


@pytest.fixture
def hansa_prove(hansa):
    """Run the command where a merchant holds a model; give its code and what it said."""
    return lambda *words: hansa("prove", *words)


def test_the_command_tells_every_method_and_what_it_means(hansa_prove):
    code, said = hansa_prove()
    assert code == 0
    for words in ("weekday_mean", "personalised", "12 of your own in 'customer', 2024-03-01 to", "hindsight"):
        assert words in said
    assert "lower (95 % interval +" in said


def test_the_command_s_first_lines_say_whether_joining_helped_and_what_the_federation_added(hansa_prove):
    first, second, *_ = hansa_prove()[1].splitlines()
    assert first.startswith("Did joining help? Undecided. personalised against the best of your own (")
    assert second.startswith("Added by the federation, federated against anchor, which nobody trained: quantile loss ")


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 0.3, "Yes."), (-0.3, -0.0003, "No."), (-0.1, 0.2, "Undecided."), (None, None, None)]
)
def test_no_is_said_as_plainly_as_yes(low, high, word):
    gain = Gain(1.0, 1.0, 0.1 if word == "Yes." else -0.1, low, high)
    proof = Proof(ORIGIN, ORIGIN, 20, "wql", {}, "gru", {"routed": gain, "personalised": None}, {}, {}, {})
    (said,) = _say_worth(proof)
    assert said.startswith(f"Did joining help? {word or 'Undecided.'} routed against the best of your own (gru): ")
    if word == "No.":
        assert said.endswith("quantile loss 10.0% higher (95 % interval -30.0% to -0.03%): worse.")


def test_the_command_tells_the_same_as_json(hansa_prove):
    code, said = hansa_prove("--json")
    told = json.loads(said)
    assert (code, told["origin"], told["metric"]) == (0, "2024-03-01", "wql")
    assert told["gains"]["federated"]["low"] > 0
    assert told["added"]["federated"]["against"] == "anchor"
    assert told["added"]["federated"]["gain"]["low"] > 0


def test_a_mistake_is_one_sentence(hansa_prove):
    for origin in ("2024-02-01", "yesterday", "2024-06-01", "9999-12-30"):
        code, said = hansa_prove("--origin", origin)
        assert (code, len(said.splitlines())) == (2, 1), said


MONTH = {"model": {"horizon_days": 28}}


def test_a_model_that_foresaw_a_turn_saves_stock_and_one_that_did_not_saves_none(make_plan, make_model, write_rows):
    rows = write_rows(until=date(2024, 4, 30))
    seeing = prove(make_model(make_plan(**MONTH), 2.0), rows, ORIGIN, device=CPU).joining
    assert seeing is not None
    assert seeing.method == "federated"
    assert seeing.saving is not None
    assert seeing.saving.verdict == "cheaper"
    own = seeing.points[seeing.against]
    assert seeing.saving.amount == pytest.approx(own.cost - seeing.points["federated"].cost)
    blind = prove(make_model(make_plan(**MONTH)), rows, ORIGIN, device=CPU).joining
    assert blind is not None
    assert blind.saving is not None
    assert blind.saving.verdict != "cheaper"
    wrong = prove(make_model(make_plan(**MONTH), 0.2), rows, ORIGIN, device=CPU).joining
    assert wrong is not None
    assert wrong.saving is None
    assert "at none of the levels of stock that were tried federated serves just 95%" in wrong.reason


def test_a_horizon_too_short_for_two_orders_is_not_spoken_of_as_stock(make_plan, make_model, write_rows):
    assert prove(make_model(make_plan()), write_rows(), ORIGIN, device=CPU).joining is None
    assert prove(make_model(make_plan(**PURCHASES)), write_rows(), ORIGIN, device=CPU).joining is None


def test_the_command_says_stock_in_money_once_prices_are_known(hansa_prove):
    orders = ("--lead-days", "1", "--review-days", "1")
    code, said = hansa_prove(*orders)
    assert code == 0
    assert "days of sales on the shelf" in said
    assert "EUR" not in said
    code, said = hansa_prove(*orders, "--price", "4.5", "--currency", "EUR", "--service-level", "0.9")
    assert code == 0
    assert "EUR a month (95 % interval" in said
    assert "90 % of demand" in said
    code, said = hansa_prove(*orders, "--price", "4.5", "--currency", "EUR", "--json")
    told = json.loads(said)["joining"]
    assert told["saving"]["low"] <= told["saving"]["amount"] <= told["saving"]["high"]
    code, said = hansa_prove("--price", "4.5")
    assert (code, len(said.splitlines())) == (2, 1)


def test_the_command_reckons_with_the_terms_of_shop_toml_and_says_so(hansa_prove, tmp_path):
    shop = 'name = "corner"\ntime_zone = "Europe/Berlin"\ncurrency = "CHF"\n[order]\n'
    (tmp_path / "shop.toml").write_text(f"{shop}service_level = 0.9\nlead_days = 1\nreview_days = 1\nout_cost = 3.0\n")
    code, said = hansa_prove("--price", "4.5")
    assert code == 0
    assert "serving 90 % of demand from the shelf (ordering every 1 days, 1 days on the way)" in said
    assert "CHF a month (95 % interval" in said
    assert "From [order] of shop.toml: 90 % of the pieces asked for served, 1 days from an order" in said
    told = json.loads(hansa_prove("--price", "4.5", "--service-level", "0.8", "--json")[1])
    assert (told["joining"]["fill_rate"], told["joining"]["currency"]) == (0.8, "CHF")
    assert told["terms"]["service_level"] == {"value": 0.8, "source": "option"}
    assert told["terms"]["out_cost"] == {"value": 3.0, "source": "shop.toml"}
    lost = told["joining"]["points"]["federated"]["parts"]["lost"]
    cheaper = json.loads(hansa_prove("--price", "4.5", "--service-level", "0.8", "--margin", "0.1", "--json")[1])
    assert cheaper["joining"]["points"]["federated"]["parts"]["lost"] == pytest.approx(lost * 0.45 / 3.0)
    (tmp_path / "shop.toml").write_text(f"{shop}lead_days = 30\n")
    code, said = hansa_prove()
    assert code == 0
    assert "too few for two orders with 30 days on the way" in said
    (tmp_path / "shop.toml").write_text(f"{shop}servicelevel = 0.9\n")
    code, said = hansa_prove()
    assert (code, len(said.splitlines())) == (2, 1)
    assert "servicelevel" in said


@pytest.mark.parametrize("words", [("predict", "--out", "forecast.csv"), ("prove", "--origin", "2024-03-10")])
def test_rows_outside_the_data_root_are_not_forecast_from(hansa, tmp_path, words):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").symlink_to(tmp_path / "rows.csv")
    code, said = hansa(*words, "--data-root", "data")
    assert (code, said.count("\n")) == (2, 1)
    assert "'rows.csv' leads out of the data root" in said
