"""Worlds in which one thing alone moves demand: that thing has the credit, and in a world of chance nothing has any.

Demand is Poisson, so what is learned has chance in it; each test says what it allows for that.
"""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.explanation.asked import read_asked
from client.explanation.explaining import Explanation, Ready, explain, get_ready
from client.explanation.group import GROUPS, START
from client.shop.history.history import History
from client.shop.settings import read_shop
from shop_records import make_records
from small_shop import START as FIRST
from small_shop import Sold, make_shop

DAYS, PRODUCTS, LEVEL = 280, 10, 6.0
AHEAD = FIRST + timedelta(days=DAYS)  # a Monday
WEEK = slice(DAYS, DAYS + 7)
Effect = Callable[[int, np.ndarray], np.ndarray]  # product and days to a factor on its mean

OTHERS = tuple(group for group in GROUPS if group not in START)


def draw(effect: Effect, seed: int = 0) -> list[Sold]:
    generator, days = np.random.default_rng(seed), np.arange(DAYS)
    sold = []
    for product in range(PRODUCTS):
        units = generator.poisson(LEVEL * effect(product, days))
        sold += [(f"P{product}", FIRST + timedelta(days=int(day)), float(units[day])) for day in np.flatnonzero(units)]
    return sold


def make_ready(folder: Path, effect: Effect, period: str = "", settings: str = "", **records: object) -> Ready:
    made = make_shop(folder / "shop", draw(effect), settings, **records)  # type: ignore[arg-type]
    with History.open(made) as history:
        span = history.span()
        assert span is not None
        return get_ready(history, read_shop(made), read_asked(period, AHEAD, span[1]), today=AHEAD)


def nothing(product: int, days: np.ndarray) -> np.ndarray:
    return np.ones(len(days))


def largest(why: Explanation) -> str:
    return max(OTHERS, key=lambda group: abs(why.parts[group]))


def offers(product: int) -> list[int]:
    """Begin an offer of a week every five weeks, each product in a week of its own, one in the week ahead."""
    return list(range(7 * (product % 5), DAYS + 7, 35))


def on_offer(product: int, days: np.ndarray) -> np.ndarray:
    return np.isin(days, [day + more for day in offers(product) for more in range(7)])


def test_a_promotion_that_alone_moves_demand_has_the_credit(tmp_path: Path) -> None:
    """The truth: twice as much on offer, and one week in five is on offer, so an ordinary day has 1.2 of the plain one.

    P0 and P5 are on offer ahead: +0.8 of a plain week, against the usual. Half to one and a half of that is credited.
    """
    rows = [
        {
            "product": f"P{p}",
            "first_day": FIRST + timedelta(day),
            "last_day": FIRST + timedelta(day + 6),
            "discount": 0.2,
        }
        for p in range(PRODUCTS)
        for day in offers(p)
    ]
    ready = make_ready(tmp_path, lambda p, days: 1.0 + on_offer(p, days), promotions=make_records("promotions", *rows))
    whys = {why.product: why for why in explain(ready, ())}
    for product in ("P0", "P5"):
        why = whys[product]
        assert largest(why) == "promotion", why.parts
        assert 0.5 < why.parts["promotion"] / (0.8 * LEVEL * 7) < 1.5
    for product in ("P1", "P2", "P3"):
        assert whys[product].parts["promotion"] < 0, "its usual days have offers in them"


@pytest.mark.slow
def test_a_price_that_alone_moves_demand_has_the_credit(tmp_path: Path) -> None:
    """The truth: prices alternate, half the demand at the higher one; the week ahead is cheap for even products."""

    def is_high(product: int, days: np.ndarray) -> np.ndarray:
        return (days // 14 + product) % 2 == 1

    rows = [
        {"product": f"P{p}", "first_day": FIRST + timedelta(int(day)), "price": 3.0 if is_high(p, day) else 2.0}
        for p in range(PRODUCTS)
        for day in np.arange(0, DAYS + 14, 14)
    ]
    ready = make_ready(
        tmp_path, lambda p, days: np.where(is_high(p, days), 0.6, 1.2), prices=make_records("prices", *rows)
    )
    for why in explain(ready, ()):
        cheap = not is_high(int(why.product[1:]), np.array(DAYS))
        assert (why.parts["price"] > 0) == cheap, (why.product, why.parts)
    whole = {group: sum(abs(why.parts[group]) for why in explain(ready, ())) for group in OTHERS}
    assert whole["price"] > 0.5 * max(whole[group] for group in OTHERS if group != "price"), whole


def test_a_weekday_that_alone_moves_demand_has_the_credit_on_its_day(tmp_path: Path) -> None:
    """The truth: Saturdays sell three times as much as other days; a usual day is 9/7 of a plain one."""
    ready = make_ready(tmp_path, lambda p, days: np.where(days % 7 == 5, 3.0, 1.0), str(AHEAD + timedelta(days=5)))
    for why in explain(ready, ()):
        assert largest(why) == "weekday"
        assert 0.75 < why.parts["weekday"] / ((3 - 9 / 7) * LEVEL) < 1.25


def test_in_a_world_of_chance_nothing_has_any_credit(tmp_path: Path) -> None:
    """A week of 42 pieces is known from the past to about two; no part of any product is more than a tenth of it."""
    ready = make_ready(tmp_path, nothing)
    for why in explain(ready, ()):
        assert abs(why.parts[largest(why)] if largest(why) else 0.0) < 0.1 * LEVEL * 7, why.parts
        for group in ("promotion", "price", "holiday", "event", "season", "interest", "stock_out", "new", "override"):
            assert why.parts[group] == 0.0


@pytest.mark.slow
def test_a_rise_of_the_last_weeks_has_the_credit(tmp_path: Path) -> None:
    """The truth: half of the products sell twice as much since three weeks; the usual level has hardly seen it."""
    ready = make_ready(tmp_path, lambda p, days: 1.0 + (p % 2) * (days >= DAYS - 21))
    for why in explain(ready, ("P1", "P3", "P5")):
        assert largest(why) == "recent"
        assert why.parts["recent"] > 0.15 * LEVEL * 7


@pytest.mark.slow
@pytest.mark.parametrize("closed", [2, 3])
def test_a_closed_day_takes_what_its_weekday_usually_sells(closed: int, tmp_path: Path) -> None:
    day = AHEAD + timedelta(days=closed)
    ready = make_ready(tmp_path, nothing, settings=f"closed_dates = [{day}]\n")
    for why in explain(ready, ("P0", "P7")):
        assert why.open_days == 6
        assert 0.7 < -why.parts["closed"] / LEVEL < 1.4


@pytest.mark.slow
def test_days_sold_out_raise_what_is_usual(tmp_path: Path) -> None:
    """The truth: P0 runs out after two pieces on each third day; it would have sold six."""
    out = np.arange(0, DAYS, 3)
    stock = [{"product": "P0", "day": FIRST + timedelta(int(day)), "on_hand": 0.0, "out": True} for day in out]
    ready = make_ready(
        tmp_path,
        lambda p, days: np.where((p == 0) & np.isin(days, out), 1 / 3, 1.0),
        stock=make_records("stock", *stock),
    )
    sold_out, other = explain(ready, ("P0", "P1"))
    assert other.parts["stock_out"] == 0.0
    unseen = LEVEL * (2 / 3 + 1 / 9) * 7
    assert 0.5 < sold_out.parts["stock_out"] / (LEVEL * 7 - unseen) < 1.5


def test_nothing_that_came_later_changes_an_explanation(tmp_path: Path) -> None:
    origin = FIRST + timedelta(days=210)

    def at(folder: Path, sold: list[Sold]) -> tuple[Explanation, ...]:
        made = make_shop(folder, sold)
        with History.open(made) as history:
            span = history.span()
            assert span is not None
            asked = read_asked("", origin, span[1])
            return explain(get_ready(history, read_shop(made), asked, today=date(2024, 6, 1)), ("P0", "P4"))

    sold = draw(nothing)
    known = [each for each in sold if each[1] < origin]
    wild = [(product, day, units * 9) for product, day, units in sold if day >= origin]
    assert at(tmp_path / "one", known + wild) == at(tmp_path / "two", sold)
