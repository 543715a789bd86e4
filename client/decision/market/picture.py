"""Weeks of each group, and what is told of them, on one chart each: a drawing, or a page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape

from client.decision.market.survey import Finding
from client.decision.market.wording import say_finding
from client.feedback.past import Past
from common.command.page import allow, meta

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900.0, 230.0, 70.0, 20.0, 34.0, 30.0
MOST = 24
STYLE = "body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}svg{width:100%;height:auto}"


def draw(past: Past, findings: Sequence[Finding], *, name: str, page: bool) -> str:
    """Draw the first groups as an SVG, or write a page with their sentences."""
    shown = findings[:MOST]
    if not page:
        body = "\n".join(_chart(past, finding, place * HEIGHT) for place, finding in enumerate(shown))
        return _drawing(body, HEIGHT * max(len(shown), 1))
    parts = [
        f"<h1>{escape(name)}: what rises and falls</h1>",
        "<p>Grey: pieces of each week, as if every shelf had been full and every day open. Blue: what is told of them. "
        "Orange: the days between which a change came.</p>",
    ]
    for finding in shown:
        parts.append(_drawing(_chart(past, finding, 0.0), HEIGHT))
        parts += [f"<p>{escape(sentence.strip())}</p>" for sentence in say_finding(finding)]
    head = f"{meta(allow(styles=[STYLE]))}<title>{escape(name)}: trends</title><style>{STYLE}</style>"
    body = "\n".join(parts)
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n{body}\n</body></html>\n"


def _chart(past: Past, finding: Finding, top: float) -> str:
    mondays = finding.series.mondays(past)
    first, last = mondays[0], mondays[-1] + timedelta(days=6)
    most = max(float(finding.weeks.max()), float(finding.fitted.max())) or 1.0
    wide, high = (WIDTH - LEFT - RIGHT) / ((last - first).days + 1), HEIGHT - TOP - BOTTOM
    base = top + TOP + high

    def x(day: date) -> float:
        return LEFT + (day - first).days * wide

    marks = [_text(LEFT, top + 20, finding.series.name, size=14)]
    for step in finding.steps:
        width = max(x(step.last) - x(step.first), 2.0)
        title = f"<title>{step.since}: between {step.first} and {step.last}</title>"
        marks.append(
            f'<rect x="{x(step.first):.1f}" y="{top + TOP:.1f}" width="{width:.1f}" height="{high:.1f}" '
            f'fill="#d9822b" opacity="0.4">{title}</rect>'
        )
    for monday, value in zip(mondays, finding.weeks, strict=True):
        tall = high * float(value) / most
        title = f"<title>{monday}: {float(value):,.0f}</title>"
        marks.append(
            f'<rect x="{x(monday):.1f}" y="{base - tall:.1f}" width="{max(7 * wide - 1, 0.5):.1f}" '
            f'height="{tall:.1f}" fill="#9aa0a6">{title}</rect>'
        )
    points = " ".join(
        f"{x(monday) + 3.5 * wide:.1f},{base - high * float(value) / most:.1f}"
        for monday, value in zip(mondays, finding.fitted, strict=True)
    )
    marks.append(f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="2.5"/>')
    marks.append(f'<path d="M{LEFT:.1f} {base:.1f} H{WIDTH - RIGHT:.1f}" stroke="#888"/>')
    marks += [_text(LEFT - 8, top + TOP + 10, f"{most:,.0f}", anchor="end"), _text(LEFT - 8, base, "0", anchor="end")]
    marks += [_text(LEFT, base + 18, str(first)), _text(WIDTH - RIGHT, base + 18, str(last), anchor="end")]
    return "\n".join(marks)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _drawing(body: str, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" font-family="sans-serif" '
        f'role="img">\n<rect width="{WIDTH:.0f}" height="{height:.0f}" fill="white"/>\n{body}\n</svg>\n'
    )
