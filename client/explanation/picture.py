"""A forecast from what is usual to what is said, step by step, as a drawing or as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from client.explanation.explaining import Explanation
from client.explanation.wording import (
    list_moves,
    say_change,
    say_group,
    say_lines,
    say_made,
    say_pieces,
    say_sentence,
    say_similar,
)
from common.command.page import allow, meta

WIDTH, LABEL, RIGHT, ROW, TOP = 760.0, 330.0, 70.0, 26.0, 44.0
USUAL, UP, DOWN, FORECAST, LINE = "#9aa0a6", "#2e7d32", "#b3541e", "#1f5fa8", "#d9822b"
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
svg { width: 100%; height: auto } pre { overflow-x: auto; background: #f6f6f4; padding: .6rem }
section { margin-bottom: 3rem }
"""


@dataclass(frozen=True)
class _Step:
    """A bar from one number to another."""

    words: str
    shown: str
    begin: float
    end: float
    fill: str


def draw(whys: Sequence[Explanation], *, name: str, page: bool) -> str:
    """Draw explanations: as a page with their words below, or as one drawing."""
    if page:
        return _page(whys, name)
    tops, height = list[float](), 0.0
    for why in whys:
        tops.append(height)
        height += _height(why)
    return _drawing("\n".join(_chart(why, top) for why, top in zip(whys, tops, strict=True)), height)


def _steps(why: Explanation) -> list[_Step]:
    steps = [_Step("usual for these days", say_pieces(why.start), 0.0, why.start, USUAL)]
    now = why.start
    for group, pieces in list_moves(why):
        words = say_group(group, why)
        steps.append(_Step(words, say_change(pieces), now, now + pieces, UP if pieces >= 0 else DOWN))
        now += pieces
    left = why.mean - now
    if abs(left) >= 0.05:
        steps.append(_Step("everything else", say_change(left), now, why.mean, UP if left >= 0 else DOWN))
    return [*steps, _Step("forecast", say_pieces(why.mean), 0.0, why.mean, FORECAST)]


def _height(why: Explanation) -> float:
    return TOP + ROW * len(_steps(why)) + 20.0


def _chart(why: Explanation, top: float) -> str:
    """Draw one bar below the other; the forecast's has its interval."""
    steps = _steps(why)
    ends = [end for step in steps for end in (step.begin, step.end)]
    low, high = min(0.0, *ends), max(why.high, *ends)
    wide = (WIDTH - LABEL - RIGHT) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return LABEL + (value - low) * wide

    title = why.product if why.name in ("", why.product) else f"{why.product} · {why.name}"
    marks = [_text(8.0, top + 22, f"{title}: {why.period.name}", size=14)]
    for number, step in enumerate(steps):
        y = top + TOP + ROW * number
        left, right = sorted((x(step.begin), x(step.end)))
        marks.append(
            f"<g><title>{escape(f'{step.words}: {step.shown}')}</title>"
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 1.0):.1f}" height="{ROW - 8:.1f}" '
            f'fill="{step.fill}"/></g>'
        )
        marks.append(_text(LABEL - 10, y + 13, _shorten(step.words), anchor="end"))
        end = x(why.high) if number == len(steps) - 1 else right
        marks.append(_text(max(end, right) + 6, y + 13, step.shown))
    y = top + TOP + ROW * (len(steps) - 1) + (ROW - 8) / 2
    marks.append(f'<path d="M{x(why.low):.1f} {y:.1f} H{x(why.high):.1f}" stroke="{LINE}" stroke-width="3"/>')
    marks.append(f'<path d="M{x(0.0):.1f} {top + TOP - 6:.1f} V{y + ROW / 2:.1f}" stroke="#888"/>')
    return "\n".join(marks)


def _shorten(words: str) -> str:
    return words if len(words) <= 48 else words[:47] + "…"


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _drawing(body: str, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" font-family="sans-serif" '
        f'role="img">\n<rect width="{WIDTH:.0f}" height="{height:.0f}" fill="white"/>\n{body}\n</svg>\n'
    )


def _page(whys: Sequence[Explanation], name: str) -> str:
    body = "\n".join(_section(why) for why in whys)
    head = f"{meta(allow(styles=[STYLE]))}<title>{escape(name)}: why</title><style>{STYLE}</style>"
    return (
        f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n<h1>{escape(name)}: why this is forecast</h1>\n"
        f"<p>Grey is what is usual, green and brown is what moves it, blue is the forecast; in four cases of five what "
        f"is sold comes to lie within the orange line.</p>\n{body}\n</body></html>\n"
    )


def _section(why: Explanation) -> str:
    lines = "\n".join(map(escape, say_lines(why)))
    similar = "\n".join(map(escape, say_similar(why)))
    return (
        f"<section><p>{escape(say_sentence(why))}</p>\n{_drawing(_chart(why, 0.0), _height(why))}"
        f"<pre>{lines}</pre>\n<pre>{similar}</pre>\n<p>{escape(say_made(why))}</p></section>"
    )
