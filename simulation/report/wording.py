"""What the page says in words: metrics, the verdict, and numbers as a reader reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from client.decision.stock.wording import say_amount
from common.forecast.gain import say_share
from common.forecast.method import Method
from common.plan.schema import Plan
from simulation.evaluation.kept import Kept
from simulation.evaluation.summary import CONTROL_WORDS


@dataclass(frozen=True)
class MetricWords:
    """A metric's name, and what it measures in half a sentence."""

    name: str
    meaning: str


METRICS = {
    "wape": MetricWords("WAPE", "sum of absolute errors over sum of demand; lower is better"),
    "rmsse": MetricWords("RMSSE", "error in units of the series' own day-to-day change; lower is better"),
    "rmspe": MetricWords("RMSPE", "typical relative error where something was sold; lower is better"),
    "wql": MetricWords("quantile loss", "how far off the whole forecast with its intervals was; lower is better"),
    "coverage80": MetricWords("80 % covers", "how often demand fell inside the 80 % interval; 80 % is honest"),
    "coverage80_mid": MetricWords(
        "80 % covers, by the middle",
        "the same, its ends counted only for the part inside: judge counts by it",
    ),
    "bias": MetricWords("bias", "sum of errors over sum of demand; zero is best"),
    "auc": MetricWords("AUC", "how well buyers are ranked above the others; higher is better, 0.5 is a coin"),
    "log_loss": MetricWords("log-loss", "how surprised the forecast was by what happened; lower is better"),
    "brier": MetricWords("Brier", "mean squared error of the probability; lower is better"),
    "accuracy": MetricWords("accuracy", "share of right answers at a probability of one half"),
    "precision": MetricWords("precision", "of those said to buy, the share that did"),
    "recall": MetricWords("recall", "of those who bought, the share said to"),
}
PERCENT = "\N{NO-BREAK SPACE}%"
TRUST = {False: "noise of one's own", True: "trusting the sum"}  # whose noise a private federation rests on
WORTH = {"better": "yes", "worse": "no", "unclear": "unclear"}
WORD = {"yes": "Yes.", "no": "No.", "unclear": "Undecided.", "not shown": "Not shown."}
TONE = {"yes": "better", "no": "worse", "unclear": "unclear", "not shown": "unclear"}
IN_PERCENT = ("coverage80", "coverage80_mid", "accuracy", "precision", "recall")


@dataclass(frozen=True)
class Verdict:
    """The answer in a word, in a sentence, and what it rests on."""

    tone: str
    word: str
    sentence: str
    ground: str


def verdict(plan: Plan, found: Mapping[str, Any] | None, headline: str) -> Verdict:
    """Say whether it was worth joining."""
    if found is None:
        return Verdict(
            "unclear",
            "This run cannot tell.",
            "It does not hold both a method of the federation and one that a merchant can use alone.",
            "Run the plan with --only anchor,federated_eps2, or with routed and routed_own where they can run.",
        )
    pooled = found["metrics"][headline]["pooled"]
    if pooled is None:
        return Verdict("unclear", "This run cannot tell.", "Nothing happened in the horizon.", _ground(found))
    method, against, said = _method(plan, found), _against(found), pooled["verdict"]
    worth = found.get("worth", WORTH[said])  # an answer of an older version has the gain's own verdict alone
    how = "about as well as" if said == "unclear" else f"{said} than"
    doubt = f"; but {say_doubt(found, headline)}" if worth == "not shown" else ""
    sentence = (
        f"On these merchants' own past, {method} forecast {how} {against}: {gain_words(pooled, headline)}{doubt}."
    )
    return Verdict(TONE[worth], WORD[worth], sentence, _ground(found))


def _method(plan: Plan, found: Mapping[str, Any]) -> str:
    method = found["method"]
    if method == "routed":
        return "merchants who could also draw on the federation's forecasts"
    named = Method.parse(method)
    if not (named.is_federated and named.is_real):
        return method
    privacy = "without noise" if named.epsilon is None else f"at epsilon {named.epsilon:g} per {plan.privacy.unit}"
    trust = ", trusting the sum," if named.trusts_sum else ""
    return f"the federation {privacy}{trust or ',' * named.personalised}{' personalised,' * named.personalised}"


def _against(found: Mapping[str, Any]) -> str:
    if found["against"] == "routed_own":
        return "with the best of what each could do alone"
    return f"{found['against']}" if found["chosen"] == "asked" else f"the best method of their own ({found['against']})"


def gain_words(gain: Mapping[str, Any], metric: str) -> str:
    """Say how much better or worse by a metric, with the interval where there is one."""
    words = f"{METRICS[metric].name} {percent(abs(gain['gain']))} {'better' if gain['gain'] >= 0 else 'worse'}"
    return f"{words}{span_words(gain)}"


def span_words(gain: Mapping[str, Any]) -> str:
    """Write the interval of a gain in brackets; empty where there is none."""
    if gain["low"] is None:
        return ""
    return f" (95{PERCENT} interval {signed_percent(gain['low'])} to {signed_percent(gain['high'])})"


def say_doubt(found: Mapping[str, Any], metric: str) -> str:
    """Say in a clause why a gain is not shown to be the federation's doing."""
    for name, gain in found["controls"].items():
        if gain["verdict"] == "better":
            return (
                f"with a federation that {CONTROL_WORDS[name]} in its place it is {percent(gain['gain'])} better as "
                "well, so not all of it, if any, is the federation's doing"
            )
    unclear = {name: gain["over"] for name, gain in found["controls"].items() if not _is_better(gain["over"])}
    name, over = next(iter(unclear.items()))
    said = f"it is not clearly better than with a federation that {CONTROL_WORDS[name]} in its place"
    return f"{said}, over which it is {gain_words(over, metric)}" if over else said


def _is_better(gain: Mapping[str, Any] | None) -> bool:
    return gain is not None and gain["verdict"] == "better"


def kept_words(kept: Mapping[str, Kept], metric: str, *, over: str = "anchor") -> str:
    """Say what each private federation keeps of the gain without noise; empty where that is not known.

    Parameters
    ----------
    over
        What the gain is over, see `simulation.evaluation.kept`.
    """
    said = [
        f"`{name}` {found.share:.0%}{f' ± {found.spread:.0%}' if found.spread else ''}".replace("%", PERCENT)
        for name, found in kept.items()
    ]
    start = f"Of what `federated` gains over `{over}` in {METRICS[metric].name} remain"
    return f"{start}: {', '.join(said)}" if said else ""


def _ground(found: Mapping[str, Any]) -> str:
    if found["chosen"] == "routers":
        return "Each merchant's choice was made on its own recent past, before the days that are scored."
    if found["chosen"] == "asked":
        return "The two methods were asked for by hand."
    if found["chosen"] == "own":
        return (
            "Which method of their own is the best is chosen in hindsight; nobody knows it beforehand, so it favours "
            "staying alone."
        )
    return (
        "This run does not hold both routed and routed_own, which choose for each merchant on its own past. Instead "
        "the federation is held against the own method that came out best; nobody knows that beforehand, so it "
        "favours staying alone."
    )


def history(found: Mapping[str, Any]) -> str:
    """Say how many months of own history the shortest and the longest history in the federation are worth."""
    first, last = found["lengths"][0], found["lengths"][-1]
    start = f"With {months(first['months'])} of history the federation's model ({found['federated']}) forecasts"
    whole = f"with all {months(last['months'])}"
    if last["equal_months"] is None:
        whole += f" it is better than anything alone, the best of which is {last['own_method']}"
    else:
        whole += f" as well as {months(last['equal_months'])} alone, where {last['own_method']} is the best"
    return f"{start} {_worth(first)}; {whole}."


def _worth(length: Mapping[str, Any]) -> str:
    if length["equal_months"] is None:
        return "better than any length of history alone"
    if length["equal_months"] <= length["months"]:
        return "no better than the same history alone"
    low, high = ("more than there is" if length[end] is None else months(length[end]) for end in ("low", "high"))
    return f"as well as {months(length['equal_months'])} alone (95{PERCENT} interval {low} to {high})"


def money(found: Mapping[str, Any], method: str) -> str:
    """Say what joining is worth as stock, over all merchants."""
    share = f"{found['fill_rate']:.0%}".replace("%", PERCENT)
    pooled, against = found["pooled"], found["against"]
    if pooled is None:
        return (
            f"As stock: at none of the levels that were tried do {method} and {against} both serve {share} of demand."
        )
    start = (
        f"As stock, ordering every {found['review_days']} days with {found['lead_days']} days on the way and serving "
        f"{share} of demand from the shelf, {method} keeps {pooled['stock_days']:.1f} days of sales instead of "
        f"{pooled['stock_days_against']:.1f} with {against}"
    )
    return f"{start}: {money_words(pooled, found['currency'])}."


def money_words(saving: Mapping[str, Any], currency: str) -> str:
    """Say a saving: in money a month where prices are known, in stock else."""
    if currency:
        verb = "saves" if saving["amount"] >= 0 else "costs"
        words = f"{verb} {abs(saving['amount']):,.0f} {currency} a month"
        ends = [_signed_amount(saving[end]) for end in ("low", "high") if saving[end] is not None]
    else:
        words = f"{percent(abs(saving['stock_share']))} {'less' if saving['stock_share'] >= 0 else 'more'} stock"
        ends = [signed_percent(saving[end]) for end in ("stock_low", "stock_high") if saving[end] is not None]
    return f"{words} (95{PERCENT} interval {ends[0]} to {ends[1]}, + is saved)" if ends else words


def money_cell(saving: Mapping[str, Any], currency: str) -> str:
    """Write a saving for a table: in money a month where prices are known, as a share of stock else; + is saved."""
    keys = ("amount", "low", "high") if currency else ("stock_share", "stock_low", "stock_high")
    write = _signed_amount if currency else signed_percent
    value, *ends = (None if saving[key] is None else write(saving[key]) for key in keys)
    return f"{value}" if None in ends else f"{value} ({ends[0]} to {ends[1]})"


def _signed_amount(amount: float) -> str:
    return say_amount(amount).replace("-", "−")


def months(value: float) -> str:
    """Write a length of history."""
    text = f"{value:.1f}".removesuffix(".0")
    return f"{text} month" + ("" if text == "1" else "s")


def number(value: float | None, metric: str = "") -> str:
    """Write a metric."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.1%}".replace("%", PERCENT) if metric in IN_PERCENT else f"{value:.4f}"


def times(value: float) -> str:
    """Write a factor."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percent(value: float | None) -> str:
    """Write a share."""
    return "–" if value is None else say_share(value).replace("%", PERCENT)


def signed_percent(value: float | None) -> str:
    """Write a gain with its sign."""
    return "–" if value is None else say_share(value, signed=True).replace("%", PERCENT).replace("-", "−")
