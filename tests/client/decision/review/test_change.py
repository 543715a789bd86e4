"""What changed in the mood, and whether sales follow it: on worlds whose law is known."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from client.decision.review.change import find_changes
from client.decision.review.early import judge_sign
from client.decision.review.mood import read_reviews
from client.shop.calendar.kept import Tables
from shop_records import make_records

FIRST = date(2024, 1, 1)
NONE: dict[str, dict[date, float]] = {}


def write(product: str, moods: np.ndarray, words: list[str] | None = None, every: int = 4) -> list[dict[str, object]]:
    return [
        {
            "product": product,
            "day": FIRST + timedelta(days=every * place),
            "rating": float(rating),
            "text": words[place] if words else "",
        }
        for place, rating in enumerate(moods)
    ]


def read(rows: list[dict[str, object]]) -> pa.Table:
    return read_reviews(Tables(pa.table({}), {"reviews": make_records("reviews", *rows)})).table


def test_a_mood_that_fell_is_named_with_its_day_and_what_people_complain_of() -> None:
    draw = np.random.default_rng(1)
    ratings = np.concatenate([draw.integers(4, 6, 40), draw.integers(1, 4, 20)])
    words = ["nice cup, quick delivery"] * 40 + ["the handle broke, poor cup"] * 20
    units = {
        "cup": {FIRST + timedelta(days=day): 10.0 if day < 160 else 5.0 for day in range(300)},
        "tea": {FIRST + timedelta(days=day): 20.0 for day in range(300)},
    }
    steady = write("tea", draw.integers(3, 6, 60))
    (change,) = find_changes(read(write("cup", ratings, words) + steady), units)
    assert (change.product, change.num_before, change.num_after) == ("cup", 40, 20)
    assert change.since == FIRST + timedelta(days=160)
    assert change.after < 0 < change.before
    assert "handle" in change.about
    assert "cup" not in change.about
    assert change.sales == pytest.approx(0.5, abs=0.01)


def test_chinese_complaints_are_named() -> None:
    ratings = np.array([5] * 20 + [1] * 10)
    words = ["杯子很漂亮"] * 20 + ["杯子漏水"] * 10
    (change,) = find_changes(read(write("cup", ratings, words)), NONE)
    assert "漏水" in change.about


def test_moods_that_never_changed_are_hardly_ever_named() -> None:
    """60 shops of eight products; 5 % of shops may name one: more than 8 by chance in 2 of 1,000."""
    named = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        rows = [row for p in range(8) for row in write(f"P{p}", draw.choice([1, 3, 4, 5, 5], 30))]
        named += bool(find_changes(read(rows), NONE, seed=seed))
    assert named <= 8


RATINGS, SHARES = [1, 2, 3, 4, 5], [0.03, 0.04, 0.1, 0.3, 0.53]


def test_a_product_of_a_dozen_reviews_that_turned_is_told_by_what_the_others_are_like() -> None:
    """Of ten such products seven are found; by their own reviews alone it would be three."""
    found = 0
    for seed in range(10):
        draw = np.random.default_rng(seed)
        rows = [row for p in range(15) for row in write(f"P{p}", draw.choice(RATINGS, 20, p=SHARES))]
        rows += write("pot", np.concatenate([draw.choice([4, 5], 4), draw.choice([1, 2, 3], 9, p=[0.6, 0.3, 0.1])]))
        found += any(each.product == "pot" for each in find_changes(read(rows), NONE, seed=seed))
    assert found >= 6


def test_products_that_differ_and_never_changed_are_hardly_ever_named() -> None:
    """30 shops of twenty products, each of its own mood; 5 % may name one: more than 5 by chance in 1 of 100."""
    named = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        own = draw.dirichlet(np.array(SHARES) * 6, 20)
        rows = [row for p in range(20) for row in write(f"P{p}", draw.choice(RATINGS, 14, p=own[p]))]
        named += bool(find_changes(read(rows), NONE, seed=seed))
    assert named <= 5


def invent_sales(seed: int, effect: float) -> tuple[pa.Table, dict[str, dict[date, float]]]:
    """Draw products whose mood goes up and down, and whose sales follow it a week later by `effect`, or not."""
    draw, rows, units = np.random.default_rng(seed), [], {}
    for product in range(12):
        mood = np.repeat(draw.choice([-0.8, 0.2, 0.8], 10), 8)
        lagged = np.concatenate([mood[:2], mood[:-2]])
        weekly = draw.poisson(20 * np.exp(effect * lagged))
        units[f"P{product}"] = {FIRST + timedelta(days=7 * week): float(n) for week, n in enumerate(weekly)}
        for week in range(80):
            seen = float(np.clip(mood[week] + draw.normal(0, 0.3), -1, 1))
            rows.append({"product": f"P{product}", "day": FIRST + timedelta(days=7 * week), "mood": seen, "n": 1})
    return pa.Table.from_pylist(rows), units


def test_a_mood_that_sales_follow_is_an_early_sign_and_one_that_they_do_not_is_none() -> None:
    sign = judge_sign(*invent_sales(1, 0.5))
    assert sign.is_usable
    assert sign.slope > 0.05
    assert sum(judge_sign(*invent_sales(seed, 0.0)).is_usable for seed in range(2, 10)) <= 1


def test_few_reviews_are_no_sign() -> None:
    mood, units = invent_sales(1, 0.5)
    assert not judge_sign(mood.slice(0, 20), units).is_usable
    assert not judge_sign(mood, {}).is_usable
