"""Past and future of a shop's products on one chart each, as a drawing or as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any

from client.shop.calendar.kept import Kept
from client.shop.forecast.category import read_categories
from client.shop.forecast.hierarchy import WITHOUT_CATEGORY
from client.shop.forecast.outlook import Outlook
from client.shop.forecast.period import By, Period, cut_periods
from client.shop.forecast.wording import say_amount
from common.command.page import allow, meta
from common.disk.file import require_place
from common.errors import ConfigError

SUFFIXES = (".svg", ".html")
MOST_PRODUCTS = 12
PAST_DAYS: dict[By, int] = {"day": 56, "week": 26 * 7, "month": 730}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 220.0, 56.0, 16.0, 34.0, 30.0
DATE_WIDTH = 72.0  # of a day as it is written, with some air
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
svg { width: 100%; height: auto } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd } details { margin-bottom: 2rem }
"""


def require_picture_file(path: Path) -> None:
    """Refuse a picture of another kind, or one that cannot be written.

    Raises
    ------
    ConfigError
        With what to do.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--picture {path} is neither .svg nor .html; choose one of them.")
    require_place(path)


@dataclass(frozen=True)
class _Bar:
    """Days, what was sold on them or is forecast, and of a forecast its interval."""

    first: date
    last: date
    value: float
    low: float
    high: float
    is_ahead: bool
    is_partial: bool
    words: str


def draw(outlook: Outlook, history: Kept, *, name: str, page: bool) -> str:
    """Draw the first products of the table: as a page with their numbers below, or as one drawing."""
    rows = _rows_by_product(outlook)
    sold = _sold_of(history, outlook, tuple(rows))
    bars = {product: _bars(outlook, own, sold[product]) for product, own in rows.items()}
    titles = {name: _title(own[0]) if outlook.of == "product" else name for name, own in rows.items()}
    if not page:
        charts = [_chart(titles[product], own, place * HEIGHT) for place, (product, own) in enumerate(bars.items())]
        return _drawing("\n".join(charts), max(len(charts), 1) * HEIGHT)
    return _page(name, outlook, titles, bars)


def _rows_by_product(outlook: Outlook) -> dict[str, list[dict[str, Any]]]:
    each = len(outlook.periods)
    rows = outlook.table.slice(0, MOST_PRODUCTS * each).to_pylist()
    return {rows[first][outlook.of]: rows[first : first + each] for first in range(0, len(rows), each)}


def _title(row: Mapping[str, Any]) -> str:
    return row["product"] if row["name"] in ("", row["product"]) else f"{row['product']} · {row['name']}"


def _sold_of(history: Kept, outlook: Outlook, names: Sequence[str]) -> dict[str, dict[date, float]]:
    """Give what was sold of each product, or of all products of each category or of the shop."""
    if outlook.of == "product":
        return _sold(history, names, outlook.origin)
    of = read_categories(history).of
    summed: dict[str, dict[date, float]] = {name: {} for name in names}
    for product, days in _sold(history, tuple(of), outlook.origin).items():
        own = summed.get(names[0] if outlook.of == "shop" else of[product] or WITHOUT_CATEGORY, {})
        for day, units in days.items():
            own[day] = own.get(day, 0.0) + units
    return summed


def _sold(history: Kept, products: Sequence[str], origin: date) -> dict[str, dict[date, float]]:
    """Give what was sold of each product on each day before the origin."""
    sold: dict[str, dict[date, float]] = {product: {} for product in products}
    daily = history.daily(products).select(["product", "day", "units"])
    for row in daily.to_pylist():
        if row["day"] < origin:
            sold[row["product"]][row["day"]] = row["units"] or 0.0
    return sold


def _bars(outlook: Outlook, rows: Sequence[Mapping[str, Any]], sold: Mapping[date, float]) -> list[_Bar]:
    """Give the whole periods of the past since the first sale, and those ahead."""
    before = outlook.origin - timedelta(days=1)
    since = max(min(sold, default=outlook.origin), outlook.origin - timedelta(days=PAST_DAYS[outlook.by]))
    past = cut_periods(outlook.by, since, before) if since <= before else ()
    return [*(_past_bar(period, sold) for period in past), *map(_bar_ahead, rows, outlook.periods)]


def _past_bar(period: Period, sold: Mapping[date, float]) -> _Bar:
    value = sum(sold.get(period.first + timedelta(days=day), 0.0) for day in range(period.days))
    words = f"{period.name}: {value:,.0f} sold"
    return _Bar(period.first, period.last, value, value, value, False, period.is_partial, words)


def _bar_ahead(row: Mapping[str, Any], period: Period) -> _Bar:
    words = f"{period.name}: {say_amount(dict(row), 'week')}"
    return _Bar(period.first, period.last, row["mean"], row["q10"], row["q90"], True, period.is_partial, words)


def _chart(title: str, bars: Sequence[_Bar], top: float) -> str:
    """Draw the bars of one product; what is ahead is blue with its interval, a period that is cut short is pale."""
    first, last = bars[0].first, bars[-1].last
    days = (last - first).days + 1
    most = max([bar.high for bar in bars] + [bar.value for bar in bars]) or 1.0
    wide, high = (WIDTH - LEFT - RIGHT) / days, HEIGHT - TOP - BOTTOM
    marks = [_text(LEFT, top + 20, title, size=14)]
    for bar in bars:
        x = LEFT + (bar.first - first).days * wide
        width = max(((bar.last - bar.first).days + 1) * wide - 1.0, 0.5)
        marks.append(_mark(bar, x, width, lambda value: top + TOP + high * (1 - value / most)))
    base = top + TOP + high
    marks.append(f'<path d="M{LEFT:.1f} {base:.1f} H{WIDTH - RIGHT:.1f}" stroke="#888"/>')
    now = next((bar.first for bar in bars if bar.is_ahead), last)
    marks.append(_text(LEFT - 8, top + TOP + 10, f"{most:,.0f}", anchor="end"))
    marks.append(_text(LEFT - 8, base, "0", anchor="end"))
    marks.append(_text(LEFT, base + 18, str(first)))
    begins = LEFT + (now - first).days * wide
    if begins + 1.5 * DATE_WIDTH < WIDTH - RIGHT:
        marks.append(_text(begins, base + 18, f"{now}", anchor="middle"))
    else:  # beside the last day, not over it
        marks.append(_text(min(begins, WIDTH - RIGHT - DATE_WIDTH), base + 18, f"{now}", anchor="end"))
    marks.append(_text(WIDTH - RIGHT, base + 18, str(last), anchor="end"))
    return "\n".join(marks)


def _mark(bar: _Bar, x: float, width: float, height_of: Any) -> str:
    pale = ' opacity="0.45"' if bar.is_partial else ""
    base, value = height_of(0.0), height_of(bar.value)
    fill = "#1f5fa8" if bar.is_ahead else "#9aa0a6"
    marks = [f'<rect x="{x:.1f}" y="{value:.1f}" width="{width:.1f}" height="{base - value:.1f}" fill="{fill}"/>']
    if bar.is_ahead:
        middle, low, high = x + width / 2, height_of(bar.low), height_of(bar.high)
        marks.append(f'<path d="M{middle:.1f} {low:.1f} V{high:.1f}" stroke="#d9822b" stroke-width="3"/>')
    return f"<g{pale}><title>{escape(bar.words)}</title>{''.join(marks)}</g>"


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _drawing(body: str, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" font-family="sans-serif" '
        f'role="img">\n<rect width="{WIDTH:.0f}" height="{height:.0f}" fill="white"/>\n{body}\n</svg>\n'
    )


def _page(name: str, outlook: Outlook, titles: Mapping[str, str], bars: Mapping[str, Sequence[_Bar]]) -> str:
    parts = [
        f"<h1>{escape(name)}: what will be sold</h1>",
        f"<p>By {outlook.by}, from {outlook.origin} to {outlook.last}. Grey was sold, blue is the forecast, and in "
        "four cases of five it comes to lie within the orange line. A pale bar is of a period that is cut short.</p>",
        *(f"<p>{escape(sentence)}</p>" for sentence in outlook.warnings),
        *(line for product, own in bars.items() for line in _section(titles[product], own)),
    ]
    body = "\n".join(parts)
    head = f"{meta(allow(styles=[STYLE]))}<title>{escape(name)}: forecast</title><style>{STYLE}</style>"
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n{body}\n</body></html>\n"


def _section(title: str, bars: Sequence[_Bar]) -> Iterator[str]:
    yield _drawing(_chart(title, bars, 0.0), HEIGHT)
    ahead = "".join(f"<tr><td>{escape(bar.words)}</td></tr>" for bar in bars if bar.is_ahead)
    yield f"<details><summary>In numbers</summary><table>{ahead}</table></details>"
