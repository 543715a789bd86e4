"""Say what the market does, in plain words, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from client.decision.market.surprise import Surprise, Surprises
from client.decision.market.survey import NEW_SHARE, Finding, Step, is_sure
from client.feedback.past import Past
from client.shop.calendar.day_word import say_day

SHOWN_PRODUCTS = 10
DOUBLE = 2.0  # from which on times are said


def describe_finding(past: Past, finding: Finding) -> dict[str, Any]:
    """Say everything of one group for programs."""
    series = finding.series
    trend = {name: getattr(finding, name) for name in ("trend", "trend_low", "trend_high")}
    return {
        "level": series.level,
        "name": series.name,
        "product": past.products[series.rows[0]] if series.level == "product" else None,
        "weeks": len(series.pace),
        "pieces_per_week": finding.now,
        "pieces_low": finding.now_low,
        "pieces_high": finding.now_high,
        **{f"{name}_per_month": value - 1 for name, value in trend.items()},
        "trend_since": str(finding.trend_since),
        "steadily": finding.steadily,
        "season_taken_out": finding.has_season,
        "steps": [_describe_step(step) for step in finding.steps],
    }


def _describe_step(step: Step) -> dict[str, Any]:
    told = asdict(step)
    change = {f"change{end}": told.pop(name) - 1 for end, name in (("", "ratio"), ("_low", "low"), ("_high", "high"))}
    days = {name: str(told.pop(name)) for name in ("since", "first", "last", "until")}
    return {**days, **change, **told}


def describe_surprises(surprises: Surprises) -> dict[str, Any]:
    """Say everything of what was not expected for programs."""
    found = [
        {**asdict(each), **{day: str(getattr(each, day)) for day in ("since", "first", "last")}}
        for each in surprises.found
    ]
    first, last = (None if day is None else str(day) for day in (surprises.first, surprises.last))
    return {"first": first, "last": last, "looked_at": surprises.looked_at, "products": found}


def lay_out(past: Past, findings: Sequence[Finding]) -> pa.Table:
    """Lay every week of every group out: what a usual week would have sold at its pace, and what is told of it."""
    parts = []
    for finding in findings:
        series, number = finding.series, len(finding.weeks)
        columns = {
            "level": [series.level] * number,
            "name": [series.name] * number,
            "week": pa.array(series.mondays(past), pa.date32()),
            "pieces": finding.weeks,
            "told": finding.fitted,
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def say_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Say all groups: each in one sentence, with the last change of it, if any, in another."""
    for finding in findings:
        yield from say_finding(finding)
    if findings and not any(finding.has_season for finding in findings):
        yield (
            "The history is shorter than two years, so what every year brings again (Christmas, summer) cannot be told "
            "from a change."
        )
    if any(finding.steps for finding in findings):
        yield (
            "Intervals hold nine of ten. Where nothing changed in truth, at most one report in twenty tells of a "
            "change of the shop, one of a category, and one of a product."
        )


def say_finding(finding: Finding) -> Iterator[str]:
    """Say one group."""
    name = _capital(finding.series.name)
    amount = f"{name} sells about {_pieces(finding.now)} a week ({_range(finding.now_low, finding.now_high)})"
    yield f"{amount}{_say_trend(finding)}."
    for step in finding.steps[-1:]:
        yield f"  {_say_step(step, finding)}"
    if len(finding.steps) > 1:
        before = "; ".join(
            f"{_percent(step.ratio)} about {say_day(step.since)}" for step in reversed(finding.steps[:-1])
        )
        yield f"  Before that: {before}."
    if finding.is_short:
        yield "  Its history is shorter than half a year, too short to look for changes."


def _say_trend(finding: Finding) -> str:
    if not np.isfinite(finding.trend):
        return ""
    if not is_sure(finding.trend_low, finding.trend_high):
        return ", with no clear trend"
    way, ends = "rising" if finding.trend > 1 else "falling", (finding.trend_low, finding.trend_high)
    low, high = sorted(abs(end - 1) for end in ends)
    return (
        f", {way} by {_share(finding.trend - 1)} a month (between {_share(low)} and {_share(high)}) since "
        f"{say_day(finding.trend_since)}"
    )


def _say_step(step: Step, finding: Finding) -> str:
    than = "than its trend" if finding.steadily else "than before"
    when = f"since about {say_day(step.since)} (between {say_day(step.first)} and {say_day(step.last)})"
    if step.first == step.last:
        when = f"since {say_day(step.since)}"
    said = f"It sells {_say_size(step, than)}, {when}: {_pieces(step.after)} a week instead of {_number(step.before)}"
    if abs(step.from_range) >= NEW_SHARE and (step.from_range > 0) == (step.ratio > 1):
        kind = "new products" if step.from_range > 0 else "products that are sold no longer"
        said += f"; {kind} make {_share(step.from_range)} of the level before"
    return f"{said}."


def _say_size(step: Step, than: str) -> str:
    """Say by how much, as 18 % more or, from twice as much on, as times."""
    if step.ratio >= DOUBLE:
        return f"{step.ratio:.1f} times as much as before ({step.low:.1f} to {step.high:.1f} times)"
    way = "more" if step.ratio > 1 else "less"
    near, far = sorted((step.low, step.high), reverse=step.ratio < 1)
    crossed = is_sure(step.low, step.high)
    ends = f"{_share(near - 1)} to {_share(far - 1)}" if crossed else f"up to {_share(far - 1)}"
    return f"{_share(step.ratio - 1)} {way} {than} ({ends})"


def say_surprises(surprises: Surprises) -> Iterator[str]:
    """Say which products sold more, and which less, than expected."""
    if surprises.first is None or surprises.looked_at == 0:
        yield "No product sells enough, over enough weeks, to say what was not expected of it."
        return
    span = f"from {say_day(surprises.first)} to {say_day(surprises.last)}" if surprises.last else ""
    for more, words in ((True, "More than expected"), (False, "Less than expected")):
        own = [each for each in surprises.found if (each.sold > each.expected) == more]
        if own:
            yield f"{words}, {span}:"
            yield from (f"  {_say_surprise(each)}" for each in own[:SHOWN_PRODUCTS])
            if len(own) > SHOWN_PRODUCTS:
                yield f"  … and {len(own) - SHOWN_PRODUCTS} more, all in --json."
    if surprises.found:
        yield f"Of {_products(surprises)} that sell enough; at most a tenth of those named are chance."
    else:
        yield f"None of {_products(surprises)} that sell enough sold clearly more or less than expected {span}."


def _products(surprises: Surprises) -> str:
    return "1 product" if surprises.looked_at == 1 else f"{surprises.looked_at:,} products"


def _say_surprise(each: Surprise) -> str:
    by = "by its forecast" if each.by_forecast else "by what it sold before"
    name = each.name if each.name == each.product else f"{each.product} {each.name}"
    return (
        f"{name}: {each.sold:,.0f} sold, {each.expected:,.0f} expected {by}, since about {say_day(each.since)} "
        f"(between {say_day(each.first)} and {say_day(each.last)})"
    )


def _capital(name: str) -> str:
    return f"{name[:1].upper()}{name[1:]}"


def _pieces(value: float) -> str:
    return f"{_number(value)} pieces"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _range(low: float, high: float) -> str:
    return f"{low:,.0f} to {high:,.0f}" if high >= 10 else f"{low:.1f} to {high:.1f}"


def _share(change: float) -> str:
    change = abs(change)
    return f"{change:.0%}" if change >= 0.0095 else f"{change:.1%}"


def _percent(ratio: float) -> str:
    if ratio >= DOUBLE:
        return f"{ratio:.1f} times as much"
    return f"{_share(ratio - 1)} {'more' if ratio > 1 else 'less'}"
