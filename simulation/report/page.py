"""The page that answers: one HTML file that asks nothing of any other place.

What the sentences say is decided here, what they look like in `page.html`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from common.forecast.method import Method
from simulation.evaluation.kept import kept_of_gain, name_unshared
from simulation.evaluation.learned import choose_federated
from simulation.evaluation.results import Record, Results
from simulation.evaluation.summary import HEADLINE, say_privacy
from simulation.report import chart, learning, wording
from simulation.report.calibration import Point, demand_points, purchase_points
from simulation.report.example import choose_examples, choose_odds
from simulation.report.figure import Picture
from simulation.report.serving import list_served

TEMPLATES = Environment(
    loader=PackageLoader("simulation.report", ""),
    autoescape=True,  # names of merchants and methods are somebody's text
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(
    percent=wording.percent, signed=wording.signed_percent, number=wording.number, times=wording.times
)


def make_page(results: Results) -> str:
    """Write the page of a run whose summary holds its answer."""
    summary, found = results.summary, results.summary["answer"]
    headline = results.metrics[0]
    compared = found["metrics"][headline] if found else None
    return TEMPLATES.get_template("page.html").render(
        plan=results.plan,
        summary=summary,
        answer=found,
        compared=compared,
        headline=headline,
        metric=wording.METRICS[headline],
        metrics=wording.METRICS,
        unit=results.plan.privacy.unit,
        verdict=wording.verdict(results.plan, found, headline),
        added=learning.say_added(found, headline) if found else [],
        controls=learning.say_controls(found, headline) if found else [],
        noise=learning.say_noise(found, summary, headline) if found else [],
        groups=_groups(found, compared, results.plan.privacy.unit) if found and compared else [],
        served=list_served(summary, found["method"]) if found else [],
        history=wording.history(found["history"]) if found and found["history"] else None,
        money=_say_money(found),
        money_words=wording.money_words,
        money_cell=wording.money_cell,
        shown=_shown_methods(results)[0],
        methods=_methods(results),
        columns=HEADLINE[results.plan.evaluation.task],
        privacy=summary["privacy"],
        odds_factor={name: math.exp(stated["epsilon"]) for name, stated in summary["privacy"].items()},
        kept=_say_kept(summary, headline),
        pictures=_pictures(results, compared),
    )


def _say_kept(summary: Mapping[str, Any], headline: str) -> str:
    """Say what privacy leaves of the gain; empty where that is not known."""
    over = name_unshared(summary, headline)
    return wording.kept_words(kept_of_gain(summary, headline), headline, over=over).replace("`", "")


def _groups(found: Mapping[str, Any], compared: Mapping[str, Any], unit: str) -> list[dict[str, Any]]:
    """Lay out the gain by size and by history: a table each, in money where that can be told."""
    money = found.get("money") or {}
    kinds = {
        "sizes": (f"size, in {unit}s of the merchant", f"{unit}s", learning.name_size),
        "histories": (f"history of the {unit}", f"{unit}'s history", learning.name_history),
        "merchant_histories": ("history of the merchant", "merchant's history", learning.name_history),
    }
    return [
        {
            "title": title,
            "column": column,
            "rows": [
                {**group, "name": name(group), "saving": _saving_of(group, money.get(kind, []))} for group in groups
            ],
            "has_money": bool(money.get(kind)),
            "worst": min(group["gain"] for group in groups),
        }
        for kind, (title, column, name) in kinds.items()
        if (groups := [group for group in compared.get(kind, []) if "gain" in group])
    ]


def _saving_of(group: Mapping[str, Any], savings: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Find what a group saves as stock; None where it cannot be told."""
    bounds = {key: group[key] for key in ("smallest", "largest", "since", "until") if key in group}
    return next(
        (saving for saving in savings if "amount" in saving and bounds.items() <= saving.items()),
        None,
    )


def _say_money(found: Mapping[str, Any] | None) -> str | None:
    """Say what joining is worth as stock; None where the run is of purchases, or older."""
    if not found or not found.get("money"):
        return None
    return wording.money(found["money"], found["method"])


def make_comparison_page(compared: Mapping[str, Any], labels: Sequence[str]) -> str:
    """Write the page of several runs side by side."""
    return TEMPLATES.get_template("comparison.html").render(**compared, labels=labels, metrics=wording.METRICS)


def _methods(results: Results) -> list[dict[str, Any]]:
    """Lay out the table of methods: one row each, its privacy, its metrics and its seconds."""
    summary = results.summary
    return [
        {
            "name": name,
            "privacy": say_privacy(name, summary),
            "scores": scores,
            "seconds": summary["timing_seconds"][name],
        }
        for name, scores in summary["methods"].items()
    ]


def _pictures(results: Results, compared: Mapping[str, Any] | None) -> dict[str, Markup]:
    """Draw what the run can show; a picture whose methods are absent is left out."""
    shown = _shown_methods(results)
    records = {name: list(results.records(name)) for name in shown}
    private = _global_models(results)
    drawn = {
        "gains": chart.draw_gains(compared["merchants"], compared["sizes"], results.plan.privacy.unit)
        if compared and compared["counts"]["merchants"]
        else None,
        "epsilons": _epsilons(results),
        "spending": chart.draw_spending(private) if private else None,
        "history": _history(results),
        "examples": _examples(results, records[shown[0]]),
        "calibration": _calibration(results, records),
    }
    return {name: picture.to_svg() for name, picture in drawn.items() if picture is not None}


def _shown_methods(results: Results) -> list[str]:
    """Name the methods whose forecasts are shown: the two that are compared, else the federation or the first."""
    found = results.summary["answer"]
    if found:
        return [found["method"], found["against"]]
    return [choose_federated(results.methods) or results.methods[0]]


def _global_models(results: Results) -> dict[str, Any]:
    """Give what is stated of each private model; one that is personalised afterwards spends nothing of its own."""
    stated = results.summary["privacy"]
    methods = {name: Method.parse(name) for name in stated}
    return {name: stated[name] for name, method in methods.items() if method.is_private and not method.personalised}


def _epsilons(results: Results) -> Picture | None:
    """Draw the federation at every epsilon of the run, beside the best own method and those without privacy."""
    headline, scores = results.metrics[0], results.summary["methods"]
    points: dict[str, list[tuple[float, float, float]]] = {}
    for name, stated in _global_models(results).items():
        if scores[name][headline] is not None:
            spread = results.summary["spread"].get(name, {}).get(headline) or 0.0
            points.setdefault(wording.TRUST[Method.parse(name).trusts_sum], []).append(
                (stated["epsilon"], scores[name][headline], spread)
            )
    known = {name: metrics[headline] for name, metrics in scores.items() if metrics[headline] is not None}
    own = {name: value for name, value in known.items() if Method.parse(name).is_own}
    best = min(own, key=lambda name: own[name], default=None)
    references = {
        name: value
        for name, value in known.items()
        if name not in results.summary["privacy"]  # as what is routed among candidates of a private federation
        and (name in (best, "anchor", "warm", "federated", "routed") or name.endswith("_pooled"))
    }
    if not points:
        return None
    return chart.draw_epsilons(points, references, wording.METRICS[headline].name, results.plan.privacy.unit)


def _history(results: Results) -> Picture | None:
    found = results.summary["answer"]
    if not found or not found["history"]:
        return None
    return chart.draw_history(found["history"]["lengths"], wording.METRICS[results.metrics[0]].name)


def _examples(results: Results, records: list[Record]) -> Picture | None:
    last = records[-1]
    if results.plan.evaluation.task == "purchase":
        odds = choose_odds(last)
        return chart.draw_odds(odds, results.plan.privacy.unit) if odds else None
    examples = choose_examples(last)
    return chart.draw_examples(examples) if examples else None


def _calibration(results: Results, records: Mapping[str, list[Record]]) -> Picture | None:
    measure = purchase_points if results.plan.evaluation.task == "purchase" else demand_points
    points: dict[str, list[Point]] = {name: measure(found) for name, found in records.items()}
    known = {name: found for name, found in points.items() if found}
    return chart.draw_reliability(known) if known else None
