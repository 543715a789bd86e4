"""Products of few days borrow from how others of their category sold after their first sale, and from nothing later."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from client.shop.forecast.birth import AGES, find_births
from client.shop.forecast.fit import fit
from client.shop.forecast.question import Question
from client.shop.forecast.serving import forecast_parts
from client.shop.forecast.setting import Setting, set_up
from client.shop.history.history import History
from client.shop.record import schema_of
from client.shop.settings import read_shop
from small_shop import START, Sold, draw_sales, make_shop

LEVEL = {"loud": 12.0, "quiet": 0.3}
DAYS, ORIGIN, NEWEST = 330, 302, 16


def day(number: int) -> date:
    return START + timedelta(days=number)


def make_births(folder: Path, *, after_origin: float = 1.0, categories: bool = True) -> Path:
    """Forty births of each category, one every six days, and sixteen in the two days before the origin."""
    generator, sold = np.random.default_rng(5), draw_sales(days=DAYS, products=3)
    of = {f"P{number}": "old" for number in range(3)}
    firsts = [*(40 + 6 * number for number in range(40)), *(ORIGIN - 1 - number % 2 for number in range(NEWEST))]
    for category, level in LEVEL.items():
        for number, first in enumerate(firsts):
            name = f"{category}{number:02d}"
            of[name] = category
            own = generator.gamma(8.0, level / 8.0)
            units = generator.poisson(own, DAYS - first).astype(float)
            units[0] = max(units[0], 1.0)
            units[max(ORIGIN - first, 0) :] *= after_origin
            sold += [(name, day(first + age), value) for age, value in enumerate(units) if value]
    return make_shop(folder, sold, products=describe(of if categories else dict.fromkeys(of, "")))


def describe(of: dict[str, str]) -> pa.Table:
    schema, names = schema_of("products"), list(of)
    columns = {field.name: pa.nulls(len(names), field.type) for field in schema} | {
        "row": pa.array(range(len(names)), pa.int64()),
        "product": pa.array(names),
        "name": pa.array(names),
        "category": pa.array(list(of.values())),
    }
    return pa.table({field.name: columns[field.name].cast(field.type) for field in schema}, schema=schema)


def set_up_shop(folder: Path) -> Setting:
    question = Question(by="day", horizon="28d", origin=day(ORIGIN))
    with History.open(folder) as history:
        return set_up(history, read_shop(folder), question, today=day(ORIGIN), on_step=lambda what, share: None)[0]


def serve(setting: Setting, *, borrows: bool) -> dict[str, float]:
    """Give what each product is to sell in 28 days."""
    fitted = fit(setting, ("weekday_mean", "moving_average"), lambda what, share: None, borrows=borrows)
    parts = forecast_parts(setting, fitted, np.arange(len(setting.sales.products)))
    return {
        str(name): float(sold.sum())
        for p in parts
        for name, sold in zip(p.batch.panel.entities, p.served[-1], strict=True)
    }


def newest(served: dict[str, float], category: str) -> np.ndarray:
    return np.array([served[f"{category}{number}"] for number in range(40, 40 + NEWEST)])


def came(folder: Path, category: str) -> np.ndarray:
    """Give what the newborn ones sold in the 28 days that were forecast."""
    names = [f"{category}{number}" for number in range(40, 40 + NEWEST)]
    with History.open(folder) as history:
        rows = [row for row in history.daily(names).to_pylist() if 0 <= (row["day"] - day(ORIGIN)).days < 28]
    return np.array([sum(row["units"] for row in rows if row["product"] == name) for name in names])


def test_births_of_categories_of_other_levels_are_forecast_by_their_own_category(tmp_path: Path) -> None:
    """Levels lie forty times apart: one factor for all of a state misses by more than the category's curve."""
    folder = make_births(tmp_path / "shop")
    setting = set_up_shop(folder)
    before, now = serve(setting, borrows=False), serve(setting, borrows=True)
    for category, level in LEVEL.items():
        sold = came(folder, category)
        assert np.abs(newest(now, category) - sold).sum() < 0.8 * np.abs(newest(before, category) - sold).sum()
        assert 0.5 * 28 * level < newest(now, category).mean() < 2.0 * 28 * level


def test_without_categories_the_births_of_the_whole_shop_are_borrowed_from(tmp_path: Path) -> None:
    setting = set_up_shop(make_births(tmp_path / "shop", categories=False))
    now = serve(setting, borrows=True)
    assert newest(now, "loud").mean() > newest(now, "quiet").mean(), "own days still tell"
    assert newest(now, "quiet").mean() > 28 * LEVEL["quiet"], "the shop's births sell more than the quiet ones"


def test_what_siblings_sell_after_the_origin_is_not_used(tmp_path: Path) -> None:
    """Two shops that differ only from the origin on, there a hundredfold, are served alike."""
    here, there = (
        serve(set_up_shop(make_births(tmp_path / name, after_origin=factor)), borrows=True)
        for name, factor in (("as it was", 1.0), ("a hundredfold", 100.0))
    )
    assert here == there


def test_the_curve_of_a_past_origin_knows_nothing_of_the_days_after_it(tmp_path: Path) -> None:
    setting = set_up_shop(make_births(tmp_path / "shop"))
    past = setting.origins[1]
    cut = setting.sales.before(setting.days.start + timedelta(days=past))
    whole, part = (
        find_births(sales, setting.days, setting.first_sale, (past,), setting.categories).curves[0]
        for sales in (setting.sales, cut)
    )
    assert whole is not None
    assert part is not None
    np.testing.assert_array_equal(whole.rate, part.rate)
    np.testing.assert_array_equal(whole.ratio, part.ratio)
    assert whole.births == part.births


def test_the_curve_is_the_rate_by_age_and_the_ratio_that_of_the_category(tmp_path: Path) -> None:
    setting = set_up_shop(make_births(tmp_path / "shop"))
    curve = find_births(setting.sales, setting.days, setting.first_sale, setting.origins, setting.categories).curves[-1]
    assert curve is not None
    assert curve.births == 2 * (40 + NEWEST)
    assert curve.rate[2:] == pytest.approx(np.full(len(AGES) - 2, np.mean(list(LEVEL.values()))), rel=0.25)
    loud, quiet = (curve.ratio[setting.categories.names.index(name)] for name in ("loud", "quiet"))
    assert 1.5 < loud < 2.0
    assert quiet < 0.5


def test_a_shop_of_few_births_is_served_as_before(tmp_path: Path) -> None:
    sold: list[Sold] = [*draw_sales(days=DAYS), ("late", day(ORIGIN - 3), 4.0)]
    setting = set_up_shop(make_shop(tmp_path / "shop", sold))
    assert serve(setting, borrows=True) == serve(setting, borrows=False)
