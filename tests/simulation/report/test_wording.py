"""What the page says follows from the numbers, and never claims more."""

import pytest

from simulation.evaluation.learned import judge
from simulation.evaluation.summary import HEADLINE
from simulation.report.learning import say_controls, say_groups, say_noise
from simulation.report.wording import (
    METRICS,
    history,
    money,
    money_cell,
    months,
    number,
    percent,
    signed_percent,
    times,
    verdict,
)

SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"


def answer_of(gain, low, high, *, method="routed", against="routed_own", chosen="routers"):
    said = "unclear" if low is None else "better" if low > 0 else "worse" if high < 0 else "unclear"
    pooled = {"gain": gain, "low": low, "high": high, "verdict": said}
    return {"method": method, "against": against, "chosen": chosen, "metrics": {"log_loss": {"pooled": pooled}}}


def test_a_gain_beyond_its_interval_is_a_yes(make_plan):
    said = verdict(make_plan(), answer_of(0.023, 0.011, 0.034), "log_loss")
    assert (said.tone, said.word) == ("better", "Yes.")
    assert said.sentence == (
        "On these merchants' own past, merchants who could also draw on the federation's forecasts forecast better "
        f"than with the best of what each could do alone: log-loss 2.3{SPACE}% better (95{SPACE}% interval "
        f"+1.1{SPACE}% to +3.4{SPACE}%)."
    )
    assert "before the days that are scored" in said.ground


def test_a_loss_beyond_its_interval_is_a_no(make_plan):
    found = answer_of(-0.05, -0.07, -0.02, method="federated_eps2", against="gru_local", chosen="nearest")
    said = verdict(make_plan(), found, "log_loss")
    assert (said.tone, said.word) == ("worse", "No.")
    assert "the federation at epsilon 2 per customer forecast worse than the best method of their own" in said.sentence
    assert "favours staying alone" in said.ground


def test_the_best_own_method_that_was_asked_for_is_said_to_be_hindsight(make_plan):
    said = verdict(make_plan(), answer_of(0.02, 0.01, 0.03, against="gru_local", chosen="own"), "log_loss")
    assert "than the best method of their own (gru_local): log-loss" in said.sentence
    assert said.ground.startswith("Which method of their own is the best is chosen in hindsight")


# What a federation learned


def control(gain, low, high, *, over=(0.05, 0.04, 0.06)):
    def told(gain, low, high):
        said = "better" if low > 0 else "worse" if high < 0 else "unclear"
        return {"gain": gain, "low": low, "high": high, "verdict": said}

    named = {"method": "routed_null", "against": "routed_own"}
    return {**named, **told(gain, low, high), "over": over and told(*over)}


def judged(pooled, controls):
    found = answer_of(*pooled)
    return found | {"controls": controls, "worth": judge(found["metrics"]["log_loss"]["pooled"], controls)}


def test_a_gain_that_a_federation_which_learns_nothing_has_too_is_no_yes(make_plan):
    found = judged((0.034, 0.025, 0.043), {"null": control(0.033, 0.024, 0.043, over=(0.001, -0.001, 0.003))})
    said = verdict(make_plan(), found, "log_loss")
    assert (said.tone, said.word) == ("unclear", "Not shown.")
    assert said.sentence.endswith(
        f"; but with a federation that learns nothing in its place it is 3.3{SPACE}% better as well, so not all of it, "
        "if any, is the federation's doing."
    )
    assert say_controls(found, "log_loss") == [
        f"A federation that learns nothing (routed_null against routed_own): gain +3.3{SPACE}% in log-loss (95{SPACE}% "
        f"interval +2.4{SPACE}% to +4.3{SPACE}%), and it ought to be none: what is public, or the merchants' own, is "
        "counted to the federation's credit."
    ]


def test_a_gain_that_is_not_clearly_more_than_one_without_learning_is_no_yes(make_plan):
    found = judged((0.004, 0.001, 0.007), {"null": control(0.003, -0.001, 0.007, over=(0.001, -0.001, 0.003))})
    said = verdict(make_plan(), found, "log_loss")
    assert said.word == "Not shown."
    assert said.sentence.endswith(
        "; but it is not clearly better than with a federation that learns nothing in its place, over which it is "
        f"log-loss 0.1{SPACE}% better (95{SPACE}% interval {MINUS}0.1{SPACE}% to +0.3{SPACE}%)."
    )


@pytest.mark.parametrize(
    ("pooled", "controls", "word"),
    [
        ((0.05, 0.04, 0.06), {"null": control(0.0, -0.001, 0.001)}, "Yes."),
        ((0.05, 0.04, 0.06), {"null": control(-0.01, -0.02, -0.005)}, "Yes."),
        ((0.05, 0.04, 0.06), {"null": control(0.0, -0.1, 0.1), "shuffled": control(0.01, 0.005, 0.02)}, "Not shown."),
        ((0.05, 0.04, 0.06), {"null": control(0.0, -0.1, 0.1, over=None)}, "Not shown."),
        ((-0.05, -0.06, -0.04), {"null": control(0.01, 0.005, 0.02)}, "No."),
        ((0.01, -0.06, 0.07), {"null": control(0.01, 0.005, 0.02)}, "Undecided."),
    ],
)
def test_the_word_is_yes_only_where_the_gain_is_the_federation_s_doing(make_plan, pooled, controls, word):
    assert verdict(make_plan(), judged(pooled, controls), "log_loss").word == word


def test_a_control_that_gains_nothing_is_said_to_be_as_it_ought_and_one_that_was_not_run_is_asked_for():
    assert say_controls(judged((0.05, 0.04, 0.06), {"null": control(0.0, -0.001, 0.001)}), "log_loss") == [
        f"A federation that learns nothing (routed_null against routed_own): gain 0.0{SPACE}% in log-loss (95{SPACE}% "
        f"interval {MINUS}0.1{SPACE}% to +0.1{SPACE}%), so none, as it ought to be."
    ]
    assert "--only routed_null,routed_shuffled" in say_controls(judged((0.05, 0.04, 0.06), {}), "log_loss")[0]
    assert say_controls(answer_of(0.05, 0.04, 0.06), "log_loss") == []  # of an older version
    asked = answer_of(0.05, 0.04, 0.06, method="anchor") | {"controls": {}}
    assert say_controls(asked, "log_loss") == []


def test_less_noise_that_does_worse_is_said_with_the_bias_and_the_likely_reason():
    gain = {"gain": -0.012, "low": -0.02, "high": -0.0003, "verdict": "worse"}
    found = {"noise": [{"method": "federated_eps8", "against": "federated_eps2", **gain}]}
    summary = {"methods": {"federated_eps8": {"bias": -0.21}, "federated_eps2": {"bias": 0.04}}}
    first, reason = say_noise(found, summary, "wql")
    assert first == (
        "federated_eps8 did worse than federated_eps2, though it has less noise: quantile loss "
        f"1.2{SPACE}% worse (95{SPACE}% interval {MINUS}2.0{SPACE}% to {MINUS}0.03{SPACE}%); bias "
        f"{MINUS}21.0{SPACE}% against +4.0{SPACE}%."
    )
    assert "bias of clipping" in reason
    assert say_noise({"noise": []}, summary, "wql") == say_noise({}, summary, "wql") == []


def test_groups_are_said_by_labels_that_do_not_overlap_and_marked_beyond_their_interval():
    def group(gain, verdict, **bounds):
        return {"gain": gain, "verdict": verdict, **bounds}

    compared = {
        "sizes": [group(0.02, "better", smallest=5, largest=9), group(-0.01, "unclear", smallest=10, largest=10)],
        "histories": [
            group(0.05, "better", since=0, until=3),
            group(0.01, "unclear", since=3, until=6),
            group(0.0, "unclear", since=24, until=None),
        ],
        "merchant_histories": [group(0.02, "better", since=24, until=None)],
    }
    assert say_groups(compared, "product") == [
        f"By products of the merchant: 5 to 9 +2.0{SPACE}%*, 10 {MINUS}1.0{SPACE}% (* beyond its interval).",
        f"By history of the product: under 3 months +5.0{SPACE}%*, 3 to 6 months +1.0{SPACE}%, 24 months or more "
        f"0.0{SPACE}% (* beyond its interval).",
    ]


STOCK = {
    "fill_rate": 0.95,
    "lead_days": 7,
    "review_days": 14,
    "currency": "",
    "against": "weekday_mean",
    "pooled": {
        **{"amount": 1234.4, "low": -10.2, "high": 2500.0, "stock_share": -0.021, "stock_low": -0.03},
        **{"stock_high": -0.012, "stock_days": 14.52, "stock_days_against": 16.18},
    },
}


def test_joining_is_said_in_stock_or_where_there_are_prices_in_money():
    assert money(STOCK, "routed") == (
        f"As stock, ordering every 14 days with 7 days on the way and serving 95{SPACE}% of demand from the shelf, "
        f"routed keeps 14.5 days of sales instead of 16.2 with weekday_mean: 2.1{SPACE}% more stock (95{SPACE}% "
        f"interval {MINUS}3.0{SPACE}% to {MINUS}1.2{SPACE}%, + is saved)."
    )
    priced = money({**STOCK, "currency": "EUR"}, "routed")
    assert priced.endswith(f": saves 1,234 EUR a month (95{SPACE}% interval {MINUS}10 to +2,500, + is saved).")
    dear = {**STOCK["pooled"], "amount": -5.0, "low": None, "high": None}
    assert money({**STOCK, "currency": "EUR", "pooled": dear}, "routed").endswith(": costs 5 EUR a month.")


def test_a_saving_in_a_table_is_of_stock_or_where_there_are_prices_of_money():
    pooled = STOCK["pooled"]
    assert money_cell(pooled, "") == f"{MINUS}2.1{SPACE}% ({MINUS}3.0{SPACE}% to {MINUS}1.2{SPACE}%)"
    assert money_cell(pooled, "EUR") == f"+1,234 ({MINUS}10 to +2,500)"
    assert money_cell({**pooled, "low": None}, "EUR") == "+1,234"


def test_a_share_that_is_not_served_is_said_and_no_number():
    assert money({**STOCK, "pooled": None}, "routed") == (
        f"As stock: at none of the levels that were tried do routed and weekday_mean both serve 95{SPACE}% of demand."
    )


@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.05), (None, None)])
def test_an_interval_around_zero_or_none_at_all_is_undecided(make_plan, low, high):
    said = verdict(make_plan(), answer_of(0.02, low, high), "log_loss")
    assert (said.tone, said.word) == ("unclear", "Undecided.")
    assert "about as well as" in said.sentence


def test_what_is_compared_is_named_for_what_it_is(make_plan):
    for method, words in (
        ("federated", "the federation without noise forecast"),
        ("federated_eps0.5_personalised", "the federation at epsilon 0.5 per customer, personalised, forecast"),
        ("federated_eps2_sum", "the federation at epsilon 2 per customer, trusting the sum, forecast"),
        ("federated_eps2_sum_personalised", "per customer, trusting the sum, personalised, forecast"),
        ("gru_local", "past, gru_local forecast"),
    ):
        found = answer_of(0.02, 0.01, 0.03, method=method, against="anchor", chosen="asked")
        said = verdict(make_plan(), found, "log_loss")
        assert words in said.sentence
        assert "better than anchor:" in said.sentence


def test_without_anything_to_compare_it_says_what_to_run(make_plan):
    assert "--only anchor,federated_eps2" in verdict(make_plan(), None, "log_loss").ground
    found = {**answer_of(0, 0, 0), "metrics": {"log_loss": {"pooled": None}}}
    assert verdict(make_plan(), found, "log_loss").sentence == "Nothing happened in the horizon."


# History


def length(months, equal, low=1.0, high=None):
    return {"months": months, "equal_months": equal, "low": low, "high": high, "own_method": "gru_local"}


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (
            length(1.0, 6.0, 4.5, None),
            length(12.4, 9.0),
            f"as well as 6 months alone (95{SPACE}% interval 4.5 months to more than there is)",
        ),
        (
            length(1.0, 1.0),
            length(12.4, 9.0),
            "no better than the same history alone; with all 12.4 months as well as 9 months alone, where gru_local is "
            "the best.",
        ),
        (
            length(1.0, None),
            length(12.4, None),
            "better than any length of history alone; with all 12.4 months it is better than anything alone, the best "
            "of which is gru_local.",
        ),
    ],
)
def test_history_is_said_for_the_shortest_and_the_longest(first, last, words):
    said = history({"federated": "federated_eps2", "lengths": [first, last]})
    assert said.startswith("With 1 month of history the federation's model (federated_eps2) forecasts ")
    assert words in said


# Numbers


def test_numbers_are_written_as_they_are_read():
    assert [number(0.12345), number(None), number(0.931, "coverage80")] == ["0.1235", "–", f"93.1{SPACE}%"]
    assert [percent(0.5), percent(None)] == [f"50.0{SPACE}%", "–"]
    assert [signed_percent(0.051), signed_percent(-0.051)] == [f"+5.1{SPACE}%", f"{MINUS}5.1{SPACE}%"]
    assert [months(1.0), months(2.25), months(12.0)] == ["1 month", "2.2 months", "12 months"]
    assert [times(7.389), times(2980.9)] == ["7.39", "2,981"]


def test_every_metric_has_words():
    assert set(METRICS) == {metric for metrics in HEADLINE.values() for metric in metrics}
