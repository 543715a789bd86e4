"""Say how good forecasts were, in plain words, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from client.feedback.past import Past
from client.feedback.proposal import Outcome
from client.feedback.score import ALL, BAND, Cases, Score, days_between
from client.language.count import count_lines, count_products
from client.language.speech import mark, t

CLEAR = 0.1  # of the sales, from which on a lean is said
OFF = 0.05  # from four in five, from which on the band is said to be off
SAY = {"day": mark("days"), "week": mark("weeks"), "month": mark("months")}
ONE = (mark("day"), mark("week"), mark("month"), mark("order"))


def describe_scores(past: Past, found: Sequence[tuple[Cases, Sequence[Score]]]) -> list[dict[str, Any]]:
    """Say everything for programs, for each length of period."""
    return [
        {
            "by": cases.by,
            "first": str(days_between(past, cases)[0]),
            "last": str(days_between(past, cases)[1]),
            "periods": len(np.unique(cases.first)),
            "left_out_of_stock": cases.out,
            "groups": [{**asdict(score), "group": score.group or None} for score in scores],
        }
        for cases, scores in found
    ]


def lay_out_cases(past: Past, found: Sequence[Cases]) -> pa.Table:
    """Lay out every case: what was said and sold of which product, when."""

    def days(cases: Cases, column: np.ndarray) -> list[date]:
        return [past.first + timedelta(days=int(day)) for day in column]

    parts = [
        pa.table(
            {
                "by": [cases.by] * len(cases.row),
                "product": [past.products[row] for row in cases.row],
                "name": [past.names[row] for row in cases.row],
                "category": [past.category[row] for row in cases.row],
                "first": pa.array(days(cases, cases.first), pa.date32()),
                "last": pa.array(days(cases, cases.last), pa.date32()),
                "said": cases.said,
                "q10": cases.low,
                "q90": cases.high,
                "sold": cases.sold,
                **dict(cases.rules),
                "price": past.price[cases.row],
            }
        )
        for cases in found
    ]
    return pa.concat_tables(parts)


def say_scores(past: Past, cases: Cases, scores: Sequence[Score], *, currency: str) -> Iterator[str]:
    """Say the whole shop's score to its owner."""
    score, (first, last) = scores[0], days_between(past, cases)
    number = len(np.unique(cases.first))
    periods = t(SAY[cases.by] if number > 1 else cases.by)
    yield (
        t(
            "Forecasts of {number} {periods}, from {first} to {last}, {products}: {said:,.0f} "
            "pieces were forecast, {sold:,.0f} were sold.",
            number=number,
            periods=periods,
            first=first,
            last=last,
            products=count_products(score.products),
            said=score.said,
            sold=score.sold,
        )
    )
    if score.sold > 0:
        yield from _say_missed(score)
    yield _say_money(score, currency)
    yield _say_band(score)
    lean = score.said / score.sold - 1 if score.sold > 0 else 0.0
    if abs(lean) >= CLEAR:
        yield (
            t(
                "All together they said {lean:.0%} too {way}; if that goes on, see: hansa-client watch",
                lean=abs(lean),
                way=t("much") if lean > 0 else t("little"),
            )
        )
    if cases.out:
        yield t(
            "{out} cases are left out: the product was out of stock, and what it would have sold is unknown.",
            out=cases.out,
        )


def _say_missed(score: Score) -> Iterator[str]:
    own, plain, again = (
        round(100 * missed / score.sold)
        for missed in (score.missed, score.rules["weekday_mean"], score.rules["seasonal_naive"])
    )
    yield (
        t(
            "For every 100 pieces sold, {own} were forecast wrongly, product by product; by the plain "
            "mean of the last four same weekdays it would have been {plain}, and by the week before "
            "{again}.",
            own=own,
            plain=plain,
            again=again,
        )
    )
    if np.isfinite(score.gain):
        way = t("less") if score.gain >= 0 else t("more")
        low, high = sorted((abs(score.gain_low), abs(score.gain_high)))
        if score.gain_low > 0 or score.gain_high < 0:
            yield t(
                "That is {gain:.0%} {way} than by that mean (between {low:.0%} and {high:.0%}).",
                gain=abs(score.gain),
                way=way,
                low=low,
                high=high,
            )
        else:
            yield t("That is no clear difference from that mean: more periods will tell.")


def _say_money(score: Score, currency: str) -> str:
    over, under = (
        _say_worth(pieces, money, currency)
        for pieces, money in ((score.over, score.over_money), (score.under, score.under_money))
    )
    return t(
        "Too much was forecast by {over}, too little by {under}, at the prices they are sold for.",
        over=over,
        under=under,
    )


def _say_worth(pieces: float, money: float, currency: str) -> str:
    if np.isfinite(money):
        return t("{pieces:,.0f} pieces ({money:,.0f} {currency})", pieces=pieces, money=money, currency=currency)
    return t("{pieces:,.0f} pieces", pieces=pieces)


def _say_band(score: Score) -> str:
    inside = t(
        "In {inside:.0f} of 100 cases the sales came to lie in the band that should hold 80 of 100",
        inside=100 * score.inside,
    )
    if score.inside < BAND - OFF:
        return t("{inside}: the bands are too narrow, so keep more in reserve than they say.", inside=inside)
    if score.below <= 1 - BAND and score.above <= (1 - BAND) / 2 + OFF / 2:
        return t("{inside}; {above:.0f} lay above it, where 10 should at most.", inside=inside, above=100 * score.above)
    return t(
        "{inside}; {above:.0f} lay above and {below:.0f} below it.",
        inside=inside,
        above=100 * score.above,
        below=100 * score.below,
    )


def make_table(cases: Cases, scores: Sequence[Score], *, currency: str) -> Table:
    """Lay out the groups, a row for each."""
    table = Table(title=f"by {cases.by}", box=SIMPLE)
    for name in (
        "group",
        "products",
        "sold",
        "forecast",
        "wrong of 100",
        "plain mean",
        "too much",
        "too little",
        "in band",
    ):
        table.add_column(name, justify="left" if name == "group" else "right")
    for score in scores:
        cells = (
            "all" if score.group == ALL else score.group,
            f"{score.products:,}",
            f"{score.sold:,.0f}",
            f"{score.said:,.0f}",
            _say_share(score.missed, score.sold),
            _say_share(score.rules["weekday_mean"], score.sold),
            _say_amount(score.over, score.over_money, currency),
            _say_amount(score.under, score.under_money, currency),
            f"{score.inside:.0%}",
        )
        table.add_row(*(Text(cell) for cell in cells))  # a name in brackets is no markup
    return table


def _say_share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f}" if whole > 0 else "–"


def _say_amount(pieces: float, money: float, currency: str) -> str:
    return f"{money:,.0f} {currency}" if np.isfinite(money) else f"{pieces:,.0f} pieces"


def say_outcome(outcome: Outcome, *, currency: str) -> Iterator[str]:
    """Say what came of proposals."""
    if outcome.lines == 0:
        yield t(
            "Kept of {kind}: {waiting} whose days have not come yet.",
            kind=t(outcome.kind),
            waiting=count_lines(outcome.waiting),
        )
        return
    short, left = (
        _say_worth(pieces, money, currency)
        for pieces, money in ((outcome.short, outcome.short_money), (outcome.left, outcome.left_money))
    )
    yield (
        t(
            "Of {kind}: {lines} whose days have come; {needed:,.0f} pieces were sold, "
            "{covered:,.0f} would have been there; {short} short, {left} left over.",
            kind=t(outcome.kind),
            lines=count_lines(outcome.lines),
            needed=outcome.needed,
            covered=outcome.covered,
            short=short,
            left=left,
        )
    )
