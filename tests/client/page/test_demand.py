"""Demand on the page: searched, in pages, and past and future of one product week by week."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from client.page.view.demand import PAGE, lay_out_weeks, show_demand, show_moves
from client.serving.edition.forecasts import Forecasts, arrange
from common.forecast.table import QUANTILES

WEDNESDAY = date(2026, 12, 2)
STARTS = (WEDNESDAY, date(2026, 12, 7), date(2026, 12, 14))


def make_forecasts(number: int) -> Forecasts:
    """Products P0, P1 … of which each sells more than the one before; the first week is begun."""
    ends = [each - timedelta(days=1) for each in (*STARTS[1:], date(2026, 12, 21))]
    rows = [
        {
            "product": f"P{product}", "name": f"Tea {product}", "period": str(first), "first": first, "last": last,
            "open_days": 6, "partial": first == WEDNESDAY, "mean": float(product), "probability": 0.5, "state": "sold",
            "without": float(product), **{name: float(product + place) for place, name in enumerate(QUANTILES)},
        }
        for product in range(number)
        for first, last in zip(STARTS, ends, strict=True)
    ]  # fmt: skip
    return arrange(pa.Table.from_pylist(rows), {"periods": STARTS})


def test_those_with_the_most_demand_come_first_and_the_rest_on_later_pages() -> None:
    forecasts = make_forecasts(PAGE + 3)
    first = show_demand(forecasts, categories={}, today=WEDNESDAY)
    assert (first["number"], first["last_page"], len(first["rows"])) == (PAGE + 3, 2, PAGE)
    assert first["rows"][0]["product"] == f"P{PAGE + 2}"
    assert len(first["periods"]) == 2  # the week that is begun is no column
    last = show_demand(forecasts, categories={}, today=WEDNESDAY, page=99)
    assert [row["product"] for row in last["rows"]] == ["P2", "P1", "P0"]


@pytest.mark.parametrize(("asked", "found"), [("p11", 1), ("TEA 1", 3), ("tea 11", 1), ("nothing", 0), ("", 12)])
def test_a_search_looks_at_number_and_name(asked: str, found: int) -> None:
    shown = show_demand(make_forecasts(12), categories={}, today=WEDNESDAY, asked=asked)
    assert shown["number"] == found


def test_a_category_is_kept_from_page_to_page() -> None:
    categories = {f"P{number}": "green" if number % 2 else "black" for number in range(4)}
    shown = show_demand(make_forecasts(4), categories=categories, today=WEDNESDAY, category="green")
    assert [row["product"] for row in shown["rows"]] == ["P3", "P1"]
    assert shown["link"](2) == "/demand?q=&category=green&page=2"


def test_a_week_that_has_begun_is_one_week_with_its_sold_days() -> None:
    sold = {WEDNESDAY - timedelta(days=back): 2.0 for back in range(1, 16)}  # from 17 November
    weeks = lay_out_weeks(sold, make_forecasts(8), 7, WEDNESDAY)
    mondays = [week["first"] for week in weeks]
    assert mondays == [
        date(2026, 11, 16),
        date(2026, 11, 23),
        date(2026, 11, 30),
        date(2026, 12, 7),
        date(2026, 12, 14),
    ]
    assert [week["sold"] for week in weeks] == [12.0, 14.0, None, None, None]
    assert weeks[0]["partial"]
    assert (weeks[2]["mean"], weeks[2]["low"], weeks[2]["high"]) == (7 + 4.0, 7 + 4.0, 15 + 4.0)  # Monday and Tuesday
    assert (weeks[3]["mean"], weeks[3]["low"], weeks[3]["high"]) == (7.0, 7.0, 15.0)


def test_the_bars_of_an_explanation_add_up_to_the_forecast() -> None:
    parts = {"usual": 40.0, "stock_out": 2.0, "season": 15.0, "price": -6.0, "weekday": 0.01, "rest": 0.4}
    why = {
        "forecast": sum(parts.values()),
        "start": 42.0,
        "parts": [{"group": group, "pieces": pieces, "words": group} for group, pieces in parts.items()],
    }
    moves = show_moves(why)
    assert [move["words"] for move in moves] == [
        "usual for these days",
        "season",
        "price",
        "for everything else",
        "forecast",
    ]
    assert [move["shown"] for move in moves] == ["42", "+15", "−6.0", "+0.4", "51"]
    ends = [move["left"] + move["width"] for move in moves]
    assert ends[1] == pytest.approx(100.0)  # 57 is the widest
    assert moves[2]["left"] + moves[2]["width"] == pytest.approx(ends[1])
    assert ends[-1] == pytest.approx(100 * 51.41 / 57)
