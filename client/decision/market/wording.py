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
from client.language.number import say_day
from client.language.speech import join, t, tn

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
    yield from say_notes(findings)


def say_notes(findings: Sequence[Finding]) -> Iterator[str]:
    """Say how far all of it can be trusted."""
    if findings and not any(finding.has_season for finding in findings):
        yield (
            t(
                "The history is shorter than two years, so what every year brings again (Christmas, summer) "
                "cannot be told from a change."
            )
        )
    if any(finding.steps for finding in findings):
        yield (
            t(
                "Intervals hold nine of ten. Where nothing changed in truth, at most one report in twenty "
                "tells of a change of the shop, one of a category, and one of a product."
            )
        )


def say_finding(finding: Finding) -> Iterator[str]:
    """Say one group."""
    name = t("The whole shop") if finding.series.level == "shop" else _capital(finding.series.name)
    amount = t(
        "{name} sells about {now} a week ({range})",
        name=name,
        now=_pieces(finding.now),
        range=_range(finding.now_low, finding.now_high),
    )
    yield t("{said}.", said=join((amount, _say_trend(finding))))
    for step in finding.steps[-1:]:
        yield join(("  ", _say_step(step, finding)))
    if len(finding.steps) > 1:
        before = join(
            (
                t("{ratio} about {day}", ratio=_percent(step.ratio), day=say_day(step.since))
                for step in reversed(finding.steps[:-1])
            ),
            "; ",
        )
        yield t("  Before that: {before}.", before=before)
    if finding.is_short:
        yield t("  Its history is shorter than half a year, too short to look for changes.")


def _say_trend(finding: Finding) -> str:
    if not np.isfinite(finding.trend):
        return ""
    if not is_sure(finding.trend_low, finding.trend_high):
        return t(", with no clear trend")
    way = t("rising") if finding.trend > 1 else t("falling")
    ends = (finding.trend_low, finding.trend_high)
    low, high = sorted(abs(end - 1) for end in ends)
    return t(
        ", {way} by {trend} a month (between {low} and {high}) since {day}",
        way=way,
        trend=_share(finding.trend - 1),
        low=_share(low),
        high=_share(high),
        day=say_day(finding.trend_since),
    )


def _say_step(step: Step, finding: Finding) -> str:
    than = t("than its trend") if finding.steadily else t("than before")
    when = t(
        "since about {day} (between {first} and {last})",
        day=say_day(step.since),
        first=say_day(step.first),
        last=say_day(step.last),
    )
    if step.first == step.last:
        when = t("since {day}", day=say_day(step.since))
    said = t(
        "It sells {size}, {when}: {after} a week instead of {before}",
        size=_say_size(step, than),
        when=when,
        after=_pieces(step.after),
        before=_number(step.before),
    )
    if abs(step.from_range) >= NEW_SHARE and (step.from_range > 0) == (step.ratio > 1):
        kind = t("new products") if step.from_range > 0 else t("products that are sold no longer")
        more = t("; {kind} make {share} of the level before", kind=kind, share=_share(step.from_range))
        said = join((said, more))
    return t("{said}.", said=said)


def _say_size(step: Step, than: str) -> str:
    """Say by how much, as 18 % more or, from twice as much on, as times."""
    if step.ratio >= DOUBLE:
        return t(
            "{ratio:.1f} times as much as before ({low:.1f} to {high:.1f} times)",
            ratio=step.ratio,
            low=step.low,
            high=step.high,
        )
    way = t("more") if step.ratio > 1 else t("less")
    near, far = sorted((step.low, step.high), reverse=step.ratio < 1)
    crossed = is_sure(step.low, step.high)
    ends = (
        t("{low} to {high}", low=_share(near - 1), high=_share(far - 1))
        if crossed
        else t("up to {far}", far=_share(far - 1))
    )
    return t("{share} {way} {than} ({ends})", share=_share(step.ratio - 1), way=way, than=than, ends=ends)


def say_surprises(surprises: Surprises) -> Iterator[str]:
    """Say which products sold more, and which less, than expected."""
    if surprises.first is None or surprises.looked_at == 0:
        yield t("No product sells enough, over enough weeks, to say what was not expected of it.")
        return
    span = (
        t("from {first} to {last}", first=say_day(surprises.first), last=say_day(surprises.last))
        if surprises.last
        else ""
    )
    for more, words in ((True, t("More than expected")), (False, t("Less than expected"))):
        own = [each for each in surprises.found if (each.sold > each.expected) == more]
        if own:
            yield t("{words}, {span}:", words=words, span=span)
            yield from (join(("  ", say_surprise(each))) for each in own[:SHOWN_PRODUCTS])
            if len(own) > SHOWN_PRODUCTS:
                yield t("  … and {number} more, all in --json.", number=len(own) - SHOWN_PRODUCTS)
    if surprises.found:
        yield tn(
            "Of 1 product that sell enough; at most a tenth of those named are chance.",
            "Of {number:,} products that sell enough; at most a tenth of those named are chance.",
            surprises.looked_at,
        )
    else:
        yield tn(
            "None of 1 product that sell enough sold clearly more or less than expected {span}.",
            "None of {number:,} products that sell enough sold clearly more or less than expected {span}.",
            surprises.looked_at,
            span=span,
        )


def say_surprise(each: Surprise) -> str:
    """Say one product."""
    by = t("by its forecast") if each.by_forecast else t("by what it sold before")
    name = each.name if each.name == each.product else f"{each.product} {each.name}"
    return t(
        "{name}: {sold:,.0f} sold, {expected:,.0f} expected {by}, since about {day} (between {first} and {last})",
        name=name,
        sold=each.sold,
        expected=each.expected,
        by=by,
        day=say_day(each.since),
        first=say_day(each.first),
        last=say_day(each.last),
    )


def _capital(name: str) -> str:
    return f"{name[:1].upper()}{name[1:]}"


def _pieces(value: float) -> str:
    return t("{pieces} pieces", pieces=_number(value))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _range(low: float, high: float) -> str:
    ends = (f"{low:,.0f}", f"{high:,.0f}") if high >= 10 else (f"{low:.1f}", f"{high:.1f}")
    return t("{low} to {high}", low=ends[0], high=ends[1])


def _share(change: float) -> str:
    change = abs(change)
    return f"{change:.0%}" if change >= 0.0095 else f"{change:.1%}"


def _percent(ratio: float) -> str:
    if ratio >= DOUBLE:
        return t("{ratio:.1f} times as much", ratio=ratio)
    if ratio > 1:
        return t("{share} more", share=_share(ratio - 1))
    return t("{share} less", share=_share(ratio - 1))
