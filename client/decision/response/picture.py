"""What each price would bring, as a drawing or as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from client.decision.response.answer import Answer
from client.decision.response.scenario import Amount, Curve
from client.decision.response.wording import say_answer
from client.shop.forecast.picture import STYLE
from common.command.page import allow, meta

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 260.0, 72.0, 20.0, 36.0, 34.0


def draw_answer(found: Answer, *, name: str, currency: str, page: bool) -> str:
    """Draw the curves of units and of money over the price."""
    curve = found.curve
    if curve is None:
        body = _text(LEFT, 40, "Prices hardly moved, so there is no curve.")
    else:
        single = len(found.goods.products) == 1
        labels = [f"{p:,.2f}" if single else f"{p - 1:+.0%}" for p in (curve.price[0], curve.price[-1])]
        now = float(found.goods.now[0]) if single else 1.0
        money = f"{'profit' if found.has_cost else 'revenue'} in {currency}"
        charts = (("units", curve.units), (money, curve.money))
        body = "\n".join(
            _chart(
                f"{title} by price: {found.who}",
                curve,
                values,
                top=place * HEIGHT,
                labels=labels,
                now=now,
                show_best=not found.is_doubtful,
            )
            for place, (title, values) in enumerate(charts)
        )
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {2 * HEIGHT:.0f}" font-family="sans-serif" '
        f'role="img"><title>{escape(found.who)}</title>\n'
        f'<rect width="{WIDTH:.0f}" height="{2 * HEIGHT:.0f}" fill="white"/>\n{body}\n</svg>\n'
    )
    return _page(found, drawing, name) if page else drawing


def _chart(
    title: str,
    curve: Curve,
    values: Sequence[Amount],
    *,
    top: float,
    labels: Sequence[str],
    now: float,
    show_best: bool,
) -> str:
    low, high = min(0.0, *(v.low for v in values)), max(v.high for v in values)
    high = high if high > low else low + 1.0
    first, last = float(curve.price[0]), float(curve.price[-1])

    def across(price: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (price - first) / (last - first)

    def up(value: float) -> float:
        return top + TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))

    points = [(across(float(price)), value) for price, value in zip(curve.price, values, strict=True)]
    band = [f"{x:.1f},{up(v.low):.1f}" for x, v in points] + [f"{x:.1f},{up(v.high):.1f}" for x, v in points[::-1]]
    line = [f"{x:.1f},{up(v.middle):.1f}" for x, v in points]
    marks = [
        _text(LEFT, top + 20, title, size=14),
        f'<polygon points="{" ".join(band)}" fill="#1f5fa8" opacity="0.2"/>',
        f'<polyline points="{" ".join(line)}" fill="none" stroke="#1f5fa8" stroke-width="2"/>',
        f'<path d="M{LEFT:.1f} {up(low):.1f} H{WIDTH - RIGHT:.1f}" stroke="#888"/>',
        f'<path d="M{across(now):.1f} {top + TOP:.1f} V{up(low):.1f}" stroke="#9aa0a6" stroke-dasharray="4 3"/>',
        _text(across(now), top + TOP - 2, "now", anchor="middle"),
        _text(LEFT - 8, top + TOP + 10, f"{high:,.0f}", anchor="end"),
        _text(LEFT - 8, up(low), f"{low:,.0f}", anchor="end"),
        _text(LEFT, up(low) + 18, labels[0]),
        _text(WIDTH - RIGHT, up(low) + 18, labels[1], anchor="end"),
    ]
    if show_best:
        best = points[curve.best]
        marks.append(f'<circle cx="{best[0]:.1f}" cy="{up(best[1].middle):.1f}" r="5" fill="#d9822b"/>')
    return "\n".join(marks)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _page(found: Answer, drawing: str, name: str) -> str:
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in say_answer(found))
    head = f"{meta(allow(styles=[STYLE]))}<title>{escape(name)}: what if</title><style>{STYLE}</style>"
    legend = "<p>The line is what is expected, and in nine cases of ten it comes to lie within the shade.</p>"
    body = f"<h1>{escape(name)}: what if</h1>{legend}{drawing}{sentences}"
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n{body}\n</body></html>\n"
