"""Make the parts of an edition, each by the functions that the commands use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any, cast

from client.language.speech import OTHERS, say_in
from client.serving.edition.part import Name, Part
from client.serving.making.source import Source
from client.shop.forecast.period import By
from common.errors import DataError

LETTERS, HELD_OUT = 100, 0.2
CUSTOMER_DAYS = 30
OFFERS, BEST_CUSTOMERS = 10, 100
TRENDS = 20
HORIZON = ""  # the usual one, so that what is served is what `hansa-client forecast` says


def make_part(name: Name, source: Source) -> Part:
    """Make a part, its sentences in every language.

    Raises
    ------
    HansaError
        It cannot be made of this shop; the text says why.
    """
    made = _make(name, source)
    return replace(made, spoken={each: say_in(each, made.document | made.spoken.get(each, {})) for each in OTHERS})


def _make(name: Name, source: Source) -> Part:
    match name:
        case "products":
            return Part({}, source.history.products())
        case "health":
            return _make_health(source)
        case "day" | "week":
            return _make_forecasts(cast("By", name), source)
        case "orders":
            return _make_orders(source)
        case "customers":
            return _make_customers(source)
        case "recommendations":
            return _make_recommendations(source)
        case "market":
            return _make_market(source)
        case "reviews":
            return _make_reviews(source)
        case "score":
            return _make_score(source)


def _make_health(source: Source) -> Part:
    from client.shop.readiness.inspection import inspect_shop

    return Part(inspect_shop(source.history, source.shop).as_json())


def _make_forecasts(by: By, source: Source) -> Part:
    from client.feedback.forecast import keep_forecast
    from client.shop.forecast.outlook import forecast_shop
    from client.shop.forecast.question import Question
    from client.shop.forecast.wording import describe_outlook, say_outlook

    question, span = Question(by, HORIZON), source.history.span()
    found = forecast_shop(source.history, source.shop, question, on_step=source.on_step, today=source.day)
    if span is not None:
        with suppress(DataError):  # it is served all the same
            keep_forecast(source.folder, found, question, last_sale=span[1], made=datetime.now(UTC))
    said = list(say_outlook(found, time_zone=source.shop.time_zone))
    return Part({**describe_outlook(found), "sentences": said}, found.table)


def _make_orders(source: Source) -> Part:
    from client.decision.order.keeping import keep_orders
    from client.decision.order.ordering import order_shop
    from client.decision.order.wording import describe_orders

    found = order_shop(source.history, source.shop, today=source.day, on_step=source.on_step)
    with suppress(DataError):  # they are served all the same
        keep_orders(source.folder, found.table, source.day)
    spoken = {language: {"whys": list(whys)} for language, whys in found.whys.items()}
    return Part(_without_rows(describe_orders(found, source.shop)), found.table, spoken)


def _make_customers(source: Source) -> Part:
    from client.decision.customer.letter import choose_letters
    from client.decision.customer.outlook import foresee_customers
    from client.decision.customer.reading import read_purchases
    from client.decision.customer.wording import describe_letters, describe_outlook, say_letters, say_outlook

    purchases, doubts = read_purchases(source.history, source.shop)
    first = purchases.date_of(purchases.num_days)
    found = foresee_customers(purchases, first, CUSTOMER_DAYS, on_step=source.on_step, doubts=doubts)
    letters = choose_letters(found, most=LETTERS, hold_out=HELD_OUT, uplift=None)
    said = list(say_outlook(found, source.shop.currency))
    listed = {**describe_letters(letters), "sentences": list(say_letters(letters, source.shop.currency))}
    document = {**describe_outlook(found), "currency": source.shop.currency, "letters": listed}
    return Part({**document, "sentences": said}, found.table)


def _make_recommendations(source: Source) -> Part:
    from client.decision.recommendation.opening import most_valuable, open_recommender
    from client.decision.recommendation.wording import describe

    ready = open_recommender(source.history, source.shop, on_step=source.on_step)
    currency, rates = source.shop.currency, source.shop.rates
    best = most_valuable(source.history, ready.purchases, BEST_CUSTOMERS, currency=currency, rates=rates)
    answers = [ready.for_everyone(OFFERS), *ready.for_customers(best, OFFERS)]
    return Part(describe(answers, ready))


def _make_market(source: Source) -> Part:
    from client.decision.market.market import read_market
    from client.decision.market.wording import (
        describe_finding,
        describe_surprises,
        say_finding,
        say_findings,
        say_notes,
        say_surprise,
        say_surprises,
    )
    from client.feedback.forecast import read_forecasts

    served = read_forecasts(source.folder)
    found = read_market(source.history, source.shop, served, products=(), most=TRENDS, on_step=source.on_step)
    told = list(say_surprises(found.surprises))
    groups = [
        {**describe_finding(found.past, finding), "sentences": list(say_finding(finding))} for finding in found.findings
    ]
    surprises = {
        **describe_surprises(found.surprises),
        "sentences": told,
        "lines": [say_surprise(each) for each in found.surprises.found],
    }
    document = {"until": str(found.past.last), "groups": groups, "surprises": surprises}
    document["notes"] = list(say_notes(found.findings))
    return Part({**document, "sentences": [*say_findings(found.findings), *told]})


def _make_reviews(source: Source) -> Part:
    from client.decision.review.report import report_reviews
    from client.decision.review.wording import describe_report

    found = report_reviews(source.history)
    return Part(_without_rows(describe_report(found)), found.table)


def _make_score(source: Source) -> Part:
    from client.feedback.drift import watch_shop
    from client.feedback.forecast import read_forecasts
    from client.feedback.kept import FORECAST, list_kinds, read_kept
    from client.feedback.past import read_past
    from client.feedback.proposal import judge_proposals
    from client.feedback.score import find_cases, score_cases
    from client.feedback.score_wording import describe_scores, say_outcome, say_scores
    from client.feedback.watch_wording import describe_watched, say_watched

    past, folder, money = read_past(source.history, source.shop), source.folder, source.shop.currency
    served = read_forecasts(folder)
    found = [(each, score_cases(past, each)) for each in find_cases(past, served, since=date.min)]
    kinds = [kind for kind in list_kinds(folder) if kind != FORECAST]
    outcomes = [judge_proposals(past, kind, read_kept(folder, kind, since=date.min)) for kind in kinds]
    said = [sentence for each, scores in found for sentence in say_scores(past, each, scores, currency=money)]
    said += [sentence for outcome in outcomes for sentence in say_outcome(outcome, currency=money)]
    document: dict[str, Any] = {"scores": describe_scores(past, found), "sentences": said}
    document |= {"proposals": [asdict(outcome) for outcome in outcomes]}
    try:
        watched = watch_shop(past, served)
    except DataError as error:
        return Part({**document, "watch": None, "watch_sentences": [str(error)]})
    told = list(say_watched(watched, currency=money))
    return Part({**document, "watch": describe_watched(watched), "watch_sentences": told})


def _without_rows(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "rows"}
