"""From a real small store to forecasts: each kind of shop gets numbers that can be trusted, or one clear sentence."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.shop.forecast.outlook import Outlook, forecast_shop, take_top
from client.shop.forecast.question import Question
from client.shop.history.history import History
from client.shop.settings import read_shop
from common.errors import ConfigError, DataError
from common.forecast.table import QUANTILES
from small_shop import START, Sold, draw_sales, make_shop

Forecast = Callable[..., Outlook]


def day(number: int) -> date:
    return START + timedelta(days=number)


def numbers(outlook: Outlook) -> np.ndarray:
    return np.stack([outlook.table[name].to_numpy() for name in ("mean", *QUANTILES, "probability")], axis=1)


def require_sound(outlook: Outlook) -> None:
    said = numbers(outlook)
    assert np.isfinite(said).all()
    assert (said >= 0).all()
    assert (np.diff(said[:, 1:-1], axis=1) >= 0).all()
    assert (said[:, -1] <= 1).all()


def mean_of(outlook: Outlook, product: str) -> float:
    rows = outlook.table.to_pylist()
    return sum(float(row["mean"]) for row in rows if row["product"] == product)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five products over 230 days, one of them gone, one rare, one that came yesterday."""
    sold = draw_sales(days=230)
    sold += [("gone", day(number), 2.0) for number in range(100)]
    sold += [("rare", day(120), 4.0), ("rare", day(180), 1.0), ("newborn", day(229), 30.0)]
    return make_shop(tmp_path_factory.mktemp("plain"), sold)


def ask(folder: Path, **asked: object) -> Outlook:
    question = Question(**asked)  # type: ignore[arg-type]
    return forecast_shop(History.open(folder), read_shop(folder), question, today=day(230))


@pytest.fixture(scope="module")
def weeks(plain: Path) -> Outlook:
    return ask(plain)


def test_weeks_after_the_last_sale_are_forecast_by_an_average_weighed_on_past_horizons(weeks: Outlook) -> None:
    require_sound(weeks)
    assert weeks.origin == day(230)
    assert [period.days for period in weeks.periods] == [1, 7, 7, 7, 7]
    assert abs(sum(weeks.weighed.weights.values()) - 1) < 1e-9
    assert all(first < last < weeks.origin for first, last in weeks.weighed_on)
    assert weeks.measured
    truth = 3.0 * (1.0 + 0.8 + 0.9 + 1.0 + 1.4 + 1.6 + 0.3)
    whole = [row for row in weeks.table.to_pylist() if row["product"] == "P0" and not row["partial"]]
    assert all(0.8 * truth < row["mean"] < 1.2 * truth for row in whole), "seeded; the mean's own error is under 10 %"


def test_days_add_up_to_weeks_and_to_months(plain: Path, weeks: Outlook) -> None:
    last = f"{(weeks.last - weeks.origin).days + 1}d"
    by_week, by_day, by_month = (
        ask(plain, by=by, horizon=last, method="weekday_mean") for by in ("week", "day", "month")
    )
    assert mean_of(by_day, "P1") == pytest.approx(mean_of(by_week, "P1"), rel=1e-9)
    assert mean_of(by_month, "P1") == pytest.approx(mean_of(by_week, "P1"), rel=1e-9)


def test_a_product_that_is_gone_is_forecast_zero_and_said_to_be(weeks: Outlook) -> None:
    rows = [row for row in weeks.table.to_pylist() if row["product"] == "gone"]
    assert {row["state"] for row in rows} == {"gone"}
    assert not any(row["mean"] or row["q90"] or row["probability"] for row in rows)
    assert weeks.states["gone"] == 1


def test_a_product_of_one_or_two_sales_and_one_of_yesterday_have_a_forecast(weeks: Outlook) -> None:
    assert 0 < mean_of(weeks, "rare") < 5
    assert 0 < mean_of(weeks, "newborn") < 33 * 30, "the first day's 30 are no rate"
    assert weeks.states["rare"] == weeks.states["newborn"] == 1


def test_nothing_after_the_origin_is_looked_at(plain: Path, tmp_path: Path) -> None:
    """Two shops alike up to the origin get the same bytes, whatever came after."""
    origin = day(150)
    other = make_shop(tmp_path, [*_before(plain, origin), ("P0", day(160), 500.0), ("late", day(170), 3.0)])
    here, there = (ask(folder, origin=origin, products=("P0", "P1")) for folder in (plain, other))
    assert here.table.equals(there.table)


def _before(folder: Path, origin: date) -> list[Sold]:
    daily = History.open(folder).daily().to_pylist()
    return [(row["product"], row["day"], row["units"]) for row in daily if row["day"] < origin]


def test_the_top_products_come_first(weeks: Outlook) -> None:
    two = take_top(weeks, 2)
    names = list(dict.fromkeys(two.table["product"].to_pylist()))
    assert len(names) == 2
    assert mean_of(two, names[0]) >= mean_of(two, names[1])
    assert mean_of(two, names[1]) >= max(mean_of(weeks, name) for name in ("gone", "rare", "P0"))


SHORT: dict[str, Sequence[Sold]] = {
    "one sale ever": [("A", START, 1.0)],
    "two sales": [("A", START, 1.0), ("A", day(200), 2.0)],
    "three days": draw_sales(days=3),
    "forty days of one product": draw_sales(days=40, products=1),
    "eighty days": draw_sales(days=80),
    "a hundred milliards a day": [("A", day(number), 1e11) for number in range(90)],
    "one product of zeros beside others": [
        *draw_sales(days=90),
        *(("zero", day(number), 0.0) for number in range(90)),
    ],
    "kilograms": [(name, when, units * 0.37) for name, when, units in draw_sales(days=90)],
}


QUICK = ("one sale ever", "three days", "kilograms")


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in SHORT]
)
def test_every_history_however_short_has_a_sound_forecast(kind: str, forecast: Forecast) -> None:
    outlook = forecast(SHORT[kind])
    require_sound(outlook)
    assert outlook.table["mean"].to_numpy().sum() > 0


def test_two_sales_in_two_hundred_days_are_no_two_sales_a_week(forecast: Forecast) -> None:
    assert mean_of(forecast(SHORT["two sales"], method="moving_average"), "A") < 4


def test_a_closed_weekday_is_forecast_zero_and_said(forecast: Forecast) -> None:
    outlook = forecast(draw_sales(days=90), 'closed_weekdays = ["sunday"]', by="day", horizon="14d", method="anchor")
    require_sound(outlook)
    closed = [row for row in outlook.table.to_pylist() if row["first"].weekday() == 6]
    assert len(closed) == 10
    assert not any(row["open_days"] or row["mean"] or row["q90"] for row in closed)
    assert any("closed on 2 of the 14 days ahead" in sentence for sentence in outlook.warnings)


def test_a_history_that_ended_long_ago_is_said_to(forecast: Forecast) -> None:
    outlook = forecast(draw_sales(days=60), today=day(400), method="moving_average")
    assert outlook.origin == day(60)
    assert any(f"the forecast begins on {day(60)}" in sentence for sentence in outlook.warnings)


def test_days_without_rows_before_a_later_start_are_looked_over_and_are_no_days_without_demand(
    forecast: Forecast, tmp_path: Path
) -> None:
    outlook = forecast(draw_sales(days=90, products=1), origin=day(120), method="moving_average")
    require_sound(outlook)
    assert outlook.periods[0].first == day(120)
    assert mean_of(outlook, "P0") > 0.6 * 28 * 3.0
    assert any("Nothing is known of the 30 days" in sentence for sentence in outlook.warnings)


@pytest.mark.parametrize(
    ("sold", "asked", "kind", "said"),
    [
        ([], {}, DataError, "Nothing was ever sold"),
        ([("A", day(number), 0.0) for number in range(90)], {}, DataError, "Nothing but quantities of 0"),
        (SHORT["three days"], {"origin": START}, ConfigError, "before the first sale"),
        (SHORT["three days"], {"origin": date(2030, 1, 1)}, ConfigError, "too long after"),
        (SHORT["three days"], {"products": ("Z",)}, ConfigError, "No product 'Z' was ever sold"),
        (SHORT["three days"], {"method": "magic"}, ConfigError, "There is no method 'magic'"),
        (SHORT["three days"], {"method": "lightgbm"}, ConfigError, "needs a longer history"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(
    sold: Sequence[Sold], asked: dict[str, object], kind: type[Exception], said: str, forecast: Forecast
) -> None:
    with pytest.raises(kind, match=said) as error:
        forecast(sold, **asked)
    assert str(error.value).count("\n") == 0


def test_one_method_alone_is_served_where_it_is_asked_for(plain: Path) -> None:
    outlook = ask(plain, method="weekday_mean", products=("P0",))
    assert outlook.weighed.weights == {"weekday_mean": 1.0}
    require_sound(outlook)
