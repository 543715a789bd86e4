"""How far to trust it, on one drawing: what was said at past days against who then bought; and the segments' money."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from client.decision.customer.calibration import Point, judge
from client.decision.customer.outlook import Outlook, Sum
from common.command.page import allow, meta

SIZE, LEFT, TOP, GAP, BARS = 360.0, 60.0, 40.0, 60.0, 300.0
HEIGHT = TOP + SIZE + GAP
WIDTH = LEFT + SIZE + 170.0 + BARS + 20.0
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
svg { width: 100%; height: auto } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd }
"""


def draw(outlook: Outlook, *, name: str, currency: str, page: bool) -> str:
    """Draw a picture of calibration and of money at risk: as a page with the numbers below, or alone."""
    points = judge(outlook.ahead.judged)
    drawing = _drawing([*_calibration(points), *_money(outlook.sums[:-1], currency)])
    return _page(outlook, points, drawing, name, currency) if page else drawing


def _calibration(points: Sequence[Point]) -> list[str]:
    """Draw each group of customers; on the grey line what was said came true."""
    most = max([point.high for point in points] + [point.said for point in points] + [0.1])

    def place(said: float, seen: float) -> tuple[float, float]:
        return LEFT + SIZE * said / most, TOP + SIZE * (1 - seen / most)

    marks = [_text(LEFT, 22.0, "What was said at past days, and who then bought", size=14)]
    marks.append(f'<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#bbb"/>')
    marks.append(f'<path d="M{LEFT} {TOP + SIZE} L{LEFT + SIZE} {TOP}" stroke="#999" stroke-dasharray="4 4"/>')
    for share in (0.0, most / 2, most):
        x, y = place(share, share)
        marks.append(_text(x, TOP + SIZE + 18, f"{share:.0%}", anchor="middle"))
        marks.append(_text(LEFT - 6, y + 4, f"{share:.0%}", anchor="end"))
    marks.append(_text(LEFT + SIZE / 2, TOP + SIZE + 38, "chance that was said", anchor="middle"))
    for point in points:
        x, y = place(point.said, point.seen)
        low, high = place(0.0, point.low)[1], place(0.0, point.high)[1]
        words = f"{point.customers:,} customers: {point.said:.1%} was said, {point.seen:.1%} bought"
        marks.append(
            f"<g><title>{escape(words)}</title>"
            f'<path d="M{x:.1f} {low:.1f} V{high:.1f}" stroke="#d9822b" stroke-width="3"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="#1f5fa8"/></g>'
        )
    if not points:
        marks.append(_text(LEFT + SIZE / 2, TOP + SIZE / 2, "no past day to judge by yet", anchor="middle"))
    return marks


def _money(sums: Sequence[Sum], currency: str) -> list[str]:
    left, most = LEFT + SIZE + 170.0, max([each.at_risk for each in sums] + [1.0])
    marks = [_text(left - 100, 22.0, f"Money at risk in the next 90 days, {currency}", size=14)]
    for place, each in enumerate(sums):
        y, width = TOP + 10 + place * 46.0, BARS * 0.7 * each.at_risk / most
        words = f"{each.segment}: {each.customers:,} customers, {each.at_risk:,.0f} {currency} at risk"
        marks.append(
            f'<g><title>{escape(words)}</title><rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="26" '
            f'fill="#1f5fa8"/></g>'
        )
        marks.append(_text(left - 8, y + 18, each.segment, anchor="end"))
        marks.append(_text(left + width + 6, y + 18, _risk(each)))
    return marks


def _risk(each: Sum) -> str:
    return "not known" if each.segment in ("new", "came once") else f"{each.at_risk:,.0f}"


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _drawing(marks: Sequence[str]) -> str:
    body = "\n".join(marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" font-family="sans-serif" '
        f'role="img">\n<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="white"/>\n{body}\n</svg>\n'
    )


def _page(outlook: Outlook, points: Sequence[Point], drawing: str, name: str, currency: str) -> str:
    rows = "".join(
        f"<tr><td>{point.customers:,}</td><td>{point.said:.1%}</td><td>{point.seen:.1%}</td>"
        f"<td>{point.low:.1%} to {point.high:.1%}</td></tr>"
        for point in points
    )
    segments = "".join(
        f"<tr><td>{escape(each.segment)}</td><td>{each.customers:,}</td><td>{each.orders:,.0f}</td>"
        f"<td>{each.money:,.0f} ({each.low:,.0f} to {each.high:,.0f})</td><td>{each.at_risk:,.0f}</td></tr>"
        for each in outlook.sums
    )
    words = (
        "Each blue point is a tenth of the customers, sorted by the chance that was said of them at past days. On the "
        "dashed line what was said came true; the orange line is what chance alone allows in 19 of 20 cases."
    )
    body = (
        f"<h1>{escape(name)}: customers</h1>\n<p>From {outlook.origin}, {outlook.horizon_days} days ahead. {words}</p>"
        f"\n{drawing}\n<h2>Segments</h2><table><tr><th>segment</th><th>customers</th><th>purchases expected</th>"
        f"<th>{escape(currency)} expected (four cases of five)</th><th>at risk in 90 days</th></tr>{segments}</table>\n"
        "<h2>Said and seen</h2><table><tr><th>customers</th><th>said</th><th>bought</th><th>19 of 20</th></tr>"
        f"{rows}</table>"
    )
    head = f"{meta(allow(styles=[STYLE]))}<title>{escape(name)}: customers</title><style>{STYLE}</style>"
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n{body}\n</body></html>\n"
