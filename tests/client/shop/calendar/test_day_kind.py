"""Kinds of days, guessed from shops whose truth is known. Draws are seeded; how often chance fails one is said."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from client.shop.calendar.closed_day import Closure
from client.shop.calendar.day_kind import DayKinds, guess_kinds
from client.shop.calendar.kept import Tables
from client.shop.record import schema_of
from client.shop.settings import Shop
from common.errors import DataError

FIRST = date(2023, 1, 2)  # a Monday
NUM_DAYS = 730


def shop(**settings: Any) -> Shop:
    return Shop.model_validate(
        {"name": "tea", "time_zone": "Europe/London", "currency": "GBP", **settings}, strict=False
    )


def history(lines: np.ndarray, out: np.ndarray | None = None, closures: tuple[dict[str, Any], ...] = ()) -> Tables:
    """Products `p0`, `p1`, … with these lines by product and day."""
    out = np.zeros(lines.shape, bool) if out is None else out
    product, day = np.nonzero((lines > 0) | out)
    names = np.array([f"p{number:04}" for number in range(len(lines))])
    daily = pa.table(
        {
            "product": names[product].tolist(),
            "day": pa.array([FIRST + timedelta(days=int(each)) for each in day], pa.date32()),
            "units": lines[product, day].astype(float),
            "lines": lines[product, day].astype(int),
            "out": out[product, day],
        }
    )
    told = pa.Table.from_pylist([{"name": "", **row} for row in closures], schema_of("closures"))
    return Tables(daily, {"closures": told})


def date_of(day: int) -> date:
    return FIRST + timedelta(days=int(day))


def busy(rng: np.random.Generator, num_products: int = 20, rate: float = 4.0) -> np.ndarray:
    return rng.poisson(rate, (num_products, NUM_DAYS))


def closure(kinds: DayKinds, why: str) -> Closure:
    (found,) = (each for each in kinds.closures if each.why == why)
    return found


def test_a_weekday_that_is_closed_on_most_of_its_days_is_noticed_and_its_open_days_are_named() -> None:
    rng = np.random.default_rng(1)
    lines = busy(rng)
    saturdays = np.arange(5, NUM_DAYS, 7)
    opened = rng.choice(saturdays, 12, replace=False)  # 12 of 104: silent on 88 %
    lines[:, np.setdiff1d(saturdays, opened)] = 0
    kinds = guess_kinds(history(lines), shop())
    found = closure(kinds, "Saturdays")
    assert set(found.exceptions) == set(map(date_of, opened))
    assert set(found.days) == set(map(date_of, np.setdiff1d(saturdays, opened)))
    assert found.evidence.startswith("92 of 104 Saturdays have no row of anything")
    assert found.setting == 'closed_weekdays = ["saturday"]'
    assert kinds.closed == frozenset(found.days)
    assert kinds.is_open(date_of(NUM_DAYS), date_of(NUM_DAYS + 6)).sum() == 6


def test_a_quiet_weekday_is_not_closed() -> None:
    """Poisson with .4 lines on Sundays: silent on two in three, by chance. Fails by chance in fewer than 1 in 1000."""
    lines = busy(np.random.default_rng(2))
    lines[:, 6::7] = 0
    lines[0, 6::7] = np.random.default_rng(3).poisson(0.4, lines[0, 6::7].shape)
    assert 0.5 < (lines[:, 6::7].sum(axis=0) == 0).mean() < 0.9
    kinds = guess_kinds(history(lines), shop())
    assert [each for each in kinds.closures if each.why == "Sundays"] == []


def test_a_weekday_that_is_closed_since_lately_goes_on_being_so_and_one_that_opened_again_does_not() -> None:
    lines = busy(np.random.default_rng(4))
    mondays, sundays = np.arange(0, NUM_DAYS, 7), np.arange(6, NUM_DAYS, 7)
    lines[:, mondays[-10:]] = 0
    lines[:, sundays[:-12]] = 0
    kinds = guess_kinds(history(lines), shop())
    assert f"since {date_of(mondays[-10])}" in closure(kinds, "Mondays").evidence
    assert kinds.weekdays == {0}
    assert closure(kinds, "Sundays").evidence.endswith("days ahead count as open.")


def test_public_holidays_on_which_nothing_is_sold_are_closed_by_name_also_ahead() -> None:
    lines = busy(np.random.default_rng(5))
    for day in ("2023-12-25", "2024-12-25", "2023-12-26", "2024-12-26", "2023-04-07", "2024-03-29"):
        lines[:, (date.fromisoformat(day) - FIRST).days] = 0
    kinds = guess_kinds(history(lines), shop(country="GB", subdivision="ENG"))
    assert kinds.holidays == {"Christmas Day", "Boxing Day", "Good Friday"}
    found = closure(kinds, "public holidays")
    assert len(found.days) == 6
    assert found.setting == ""  # it is open on others, as on May Day
    ahead = kinds.is_open(date(2025, 4, 14), date(2025, 4, 21))
    assert ahead.tolist() == [True] * 4 + [False] + [True] * 3  # Good Friday, and not Easter Monday


def test_days_in_a_row_without_any_row_are_one_closure() -> None:
    lines = busy(np.random.default_rng(6))
    lines[:, 6::7] = 0  # Sundays
    lines[:, 200:209] = 0
    found = closure(guess_kinds(history(lines), shop()), "a closure")
    silent = [date_of(day) for day in range(200, 209) if date_of(day).weekday() != 6]
    assert list(found.days) == silent
    assert "closed, or rows are missing" in found.evidence


@pytest.mark.parametrize("rate", [0.3, 1.0, 2.0, 8.0])
def test_a_shop_that_never_closes_is_silent_by_chance_alone(rate: float) -> None:
    """The stated rate is one closure in 20 shops; 5 of 25 come by chance in fewer than 1 of 100 draws."""
    found = 0
    for seed in range(25):
        lines = np.random.default_rng(seed).poisson(rate, (1, NUM_DAYS))
        found += bool(guess_kinds(history(lines), shop(country="GB", subdivision="ENG")).closures)
    assert found < 5


def test_a_shop_of_few_large_orders_is_silent_by_chance() -> None:
    """Three orders a day of some twenty lines each, and one every other Sunday."""
    rng = np.random.default_rng(16)
    orders = rng.poisson(np.where(np.arange(NUM_DAYS) % 7 == 6, 0.5, 3.0))
    lines = np.array([[rng.integers(5, 35, number).sum() for number in orders]])
    assert (lines[0] == 0).sum() > 60
    assert guess_kinds(history(lines), shop(country="GB", subdivision="ENG")).closures == ()


def test_one_wild_day_does_not_hide_a_closure() -> None:
    lines = busy(np.random.default_rng(8))
    lines[:, 200:209] = 0
    calm = guess_kinds(history(lines), shop()).closed
    assert len(calm) == 9
    lines[0, 100] = 10_000
    assert guess_kinds(history(lines), shop()).closed == calm


def test_a_guess_counts_unless_the_owner_says_that_only_what_is_told_does() -> None:
    lines = busy(np.random.default_rng(8))
    lines[:, 6::7] = 0
    kinds = guess_kinds(history(lines), shop(days={"closed": "told"}))
    assert not closure(kinds, "Sundays").taken
    assert kinds.closed == frozenset()
    assert kinds.is_open(date_of(NUM_DAYS), date_of(NUM_DAYS + 6)).all()


def test_what_is_told_counts_but_where_something_was_sold_all_the_same() -> None:
    lines = busy(np.random.default_rng(9))
    lines[:, 13::7] = 0  # but the first Sunday
    lines[:, 30] = 0
    told = shop(closed_weekdays=["sunday"], closed_dates=[str(date_of(31)), str(date_of(900))])
    kinds = guess_kinds(history(lines, closures=({"first_day": date_of(30), "last_day": None},)), told)
    sundays = closure(kinds, "Sundays")
    assert sundays.exceptions == (date_of(6),)
    assert "something was sold on 1 of these days" in sundays.evidence
    assert closure(kinds, "closed dates").days == (date_of(900),)
    assert closure(kinds, "a closure").days == (date_of(30),)
    assert not kinds.is_open(date_of(900), date_of(900)).any()


def test_the_first_and_the_last_sale_are_held_against_a_product_s_own_rhythm() -> None:
    """Fails by chance in fewer than 1 in 100."""
    rng = np.random.default_rng(10)
    lines = busy(rng, 5)
    lines[0, :300] = 0  # new
    lines[1, 500:] = 0  # ended
    lines[2] = 0
    lines[2, 20::90] = 1  # once in three months, lately too
    lines[3] = 0
    lines[3, [100, 400]] = 1
    new, ended, slow, rare, steady = guess_kinds(history(lines), shop()).lives
    assert (new.is_new, new.is_ended) == (True, False)
    assert new.first_sale == date_of(300 + int(np.flatnonzero(lines[0, 300:])[0]))
    assert (ended.is_new, ended.is_ended) == (False, True)
    for each in (slow, rare, steady):
        assert (each.is_new, each.is_ended) == (False, False)


def test_stock_levels_say_what_ran_out_and_are_taken() -> None:
    lines, out = busy(np.random.default_rng(11), 3), np.zeros((3, NUM_DAYS), bool)
    out[1, 40:44] = out[1, 50] = True
    lines[1, 41:44] = 0
    kinds = guess_kinds(history(lines, out), shop())
    assert [(each.product, each.first, each.last, each.source) for each in kinds.stock_outs] == [
        ("p0001", date_of(40), date_of(43), "told"),
        ("p0001", date_of(50), date_of(50), "told"),
    ]
    assert kinds.proposed == ()
    assert np.flatnonzero(kinds.is_out(["p0000", "p0001"], date_of(42), date_of(60))[1]).tolist() == [0, 1, 8]


def steady(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.poisson(rng.gamma(4, 1, (shape[0], 1)) + 0.3, shape)


def lumpy(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Negative binomial, and a level that changes from week to week."""
    weeks = rng.gamma(3, 1 / 3, (shape[0], shape[1] // 7 + 1)).repeat(7, axis=1)[:, : shape[1]]
    return rng.poisson(rng.gamma(1.0, rng.gamma(4, 1, (shape[0], 1)) * weeks))


def seasonal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    wave = np.exp(2.0 * np.sin(2 * np.pi * (np.arange(shape[1]) / 365 + rng.random((shape[0], 1)))))
    weekday = np.array([1, 1, 1, 1, 1, 0.3, 0.1])[np.arange(shape[1]) % 7]
    return rng.poisson(rng.gamma(4, 0.5, (shape[0], 1)) * wave * weekday)


def in_bulk(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """One order now and then."""
    return rng.poisson(0.4, shape)


@pytest.mark.parametrize("draw", [steady, lumpy, seasonal, in_bulk])
def test_products_that_never_ran_out_are_rarely_said_to_have(
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray],
) -> None:
    """The stated rate is one run in 100 products; more than 6 in 300 come by chance in fewer than 1 of 20 draws."""
    lines = np.vstack([draw(np.random.default_rng(12), (300, NUM_DAYS)), busy(np.random.default_rng(13), 5)])
    assert len(guess_kinds(history(lines), shop()).stock_outs) <= 6


def planted(draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Products with a fifth of their days out of stock, in runs of 3 to 21 days."""
    rng = np.random.default_rng(14)
    lines = draw(rng, (100, NUM_DAYS))
    out = np.zeros(lines.shape, bool)
    for row in out:
        while row.mean() < 0.2:
            begin = rng.integers(20, NUM_DAYS - 60)
            row[begin : begin + rng.integers(3, 22)] = True
    return np.where(out, 0, lines), out


@pytest.mark.parametrize(
    ("draw", "least_precision", "least_recall"), [(steady, 0.97, 0.7), (lumpy, 0.95, 0.1), (seasonal, 0.95, 0.1)]
)
def test_runs_out_of_stock_are_found_where_a_product_sells_fast(
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], least_precision: float, least_recall: float
) -> None:
    """Precision and recall by day; seeded, with room of several points to what was seen."""
    lines, out = planted(draw)
    lines = np.vstack([lines, busy(np.random.default_rng(13), 5)])
    kinds = guess_kinds(history(lines), shop(days={"out": "guess"}))
    found = kinds.is_out([f"p{number:04}" for number in range(100)], date_of(0), date_of(NUM_DAYS - 1))
    precision, recall = (found & out).sum() / found.sum(), (found & out).sum() / out.sum()
    assert precision >= least_precision
    assert recall >= least_recall


def test_a_guess_that_a_product_ran_out_is_proposed_and_not_taken_until_the_owner_says_so() -> None:
    lines = busy(np.random.default_rng(15), 5)
    lines[2, 300:310] = 0
    (guess,) = guess_kinds(history(lines), shop()).proposed
    assert (guess.product, guess.first, guess.last) == ("p0002", date_of(300), date_of(309))
    assert not guess_kinds(history(lines), shop()).is_out(["p0002"], date_of(300), date_of(309)).any()
    taken = guess_kinds(history(lines), shop(days={"out": "guess"}))
    assert taken.is_out(["p0002"], date_of(300), date_of(309)).all()
    assert taken.proposed == ()


def test_a_history_without_a_sale_has_no_days_to_tell_apart() -> None:
    with pytest.raises(DataError, match="Nothing was ever sold"):
        guess_kinds(history(np.zeros((1, NUM_DAYS), int)), shop())
