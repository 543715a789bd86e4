"""What each share of demand served costs with each method, as a drawing or as a page that needs no other file."""

from __future__ import annotations

from html import escape

from client.decision.stock.worth import DRAWN, OURS
from common.command.page import allow, meta
from simulation.experiment.worth import Worth

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 340.0, 76.0, 190.0, 40.0, 44.0
COLOURS = ("#1f5fa8", "#d9822b", "#5b8c3e", "#9aa0a6", "#8e5ea2", "#444444")
STYLE = "body { font: 16px/1.5 sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222 }"


def draw_frontier(worth: Worth, *, page: bool) -> str:
    """Draw one chart of all products; hansa's line is thick."""
    drawing = _drawing(worth)
    if not page:
        return drawing
    title = escape(f"Cost of stock: {worth.plan}")
    head = f"{meta(allow(styles=[STYLE]))}<title>{title}</title><style>{STYLE}</style>"
    body = (
        f"<h1>{title}</h1>\n{drawing}<p>{worth.products} products, {worth.first} to {worth.last}. The lower a line, "
        "the less the same share of demand costs.</p>"
    )
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n{body}\n</body></html>\n"


def _drawing(worth: Worth) -> str:
    lines = worth.groups[0].frontier if worth.groups else {}
    most = max((cost for line in lines.values() for cost in line if cost is not None), default=1.0) or 1.0
    marks = [_text(LEFT, 22.0, f"Cost a month, {worth.currency or 'in pieces'}, by share of demand served", size=14)]
    for place, share in enumerate(DRAWN):
        marks.append(_text(_x(place), HEIGHT - BOTTOM + 20, f"{share * 100:g} %", anchor="middle"))
    marks += [
        _text(LEFT - 8, _y(part * most, most) + 4, f"{part * most:,.0f}", anchor="end") for part in (0.0, 0.5, 1.0)
    ]
    marks.append(f'<path d="M{LEFT} {_y(0.0, most)} H{WIDTH - RIGHT}" stroke="#888"/>')
    for place, (name, line) in enumerate(lines.items()):
        points = [(_x(at), _y(cost, most)) for at, cost in enumerate(line) if cost is not None]
        if points:
            marks += _line(name, points, COLOURS[place % len(COLOURS)], TOP + 18 * place)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" font-family="sans-serif" '
        f'role="img" aria-label="Cost of stock by share of demand served">\n'
        f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="white"/>\n{chr(10).join(marks)}\n</svg>\n'
    )


def _line(name: str, points: list[tuple[float, float]], colour: str, top: float) -> list[str]:
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    wide, x = (3 if name == OURS else 1.5), WIDTH - RIGHT + 16
    return [
        f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{wide}"><title>{escape(name)}</title></path>',
        f'<path d="M{x:.1f} {top:.1f} h20" stroke="{colour}" stroke-width="{wide}"/>',
        _text(x + 26, top + 4, name),
    ]


def _x(place: int) -> float:
    return LEFT + place * (WIDTH - LEFT - RIGHT) / (len(DRAWN) - 1)


def _y(cost: float, most: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - cost / most)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
