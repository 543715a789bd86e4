"""What will not sell for long: means that go on after the forecast, by open days and by the season of a year before."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.decision.order.dead import Outlasting, look_beyond
from client.shop.forecast.category import Categories
from client.shop.forecast.question import Question
from client.shop.forecast.setting import Setting, set_up
from client.shop.history.history import History
from client.shop.settings import read_shop
from shop_records import make_records
from small_shop import START, make_shop

DAYS, HORIZON = 500, 28
LAST = START + timedelta(days=DAYS - 1)


def season(day: int) -> float:
    """Gifts sell four times as much from 28 to 112 days after the origin, and a year before that."""
    return 4.0 if HORIZON <= (day - DAYS) % 364 < 112 else 1.0


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A shop that is closed on Sundays and sells two of its goods ten a day, evenly, and gifts by their season."""
    days = [day for day in range(DAYS) if (START + timedelta(days=day)).weekday() != 6]
    sold = [(name, START + timedelta(days=day), 10.0) for name in ("tea", "bread") for day in days]
    sold += [("gift", START + timedelta(days=day), 10.0 * season(day)) for day in days]
    named = [{"product": name, "category": kind} for name, kind in (("tea", "food"), ("gift", "gifts"))]
    products = make_records("products", *named)
    folder = make_shop(tmp_path_factory.mktemp("shop"), sold, 'closed_weekdays = ["sunday"]\n', products=products)
    question = Question(by="day", horizon=f"{HORIZON}d")
    with History.open(folder) as history:
        return set_up(history, read_shop(folder), question, today=LAST, on_step=lambda what, share: None)[0]


def test_after_the_forecast_goods_go_on_by_open_days_and_their_category_by_its_season(setting: Setting) -> None:
    assert setting.known.origin == LAST + timedelta(days=1)
    found = look_beyond(setting, 112)
    assert (found.open_ahead, found.open_later) == (24, 72)
    mean = np.full((3, HORIZON), 10.0 * 24 / HORIZON)
    bread, gift, tea = found.expect(["bread", "gift", "tea"], mean)
    assert gift == pytest.approx(240 + 72 * 40, rel=0.1)
    assert tea == pytest.approx(240 + 72 * 10, rel=0.1)
    assert bread == pytest.approx(tea, rel=0.1)


def test_what_a_product_sold_a_year_before_counts_for_as_much_as_how_it_goes_on(setting: Setting) -> None:
    """A new tea of the same category is known by the forecast alone."""
    mean = np.full((2, HORIZON), 20.0 * 24 / HORIZON)
    new, old = look_beyond(setting, 112).expect(["new tea", "tea"], mean)
    goes_on, again = 2 * (240 + 72 * 10), 240 + 72 * 10
    assert new == pytest.approx(goes_on, rel=0.1)
    assert old == pytest.approx((goes_on + again) / 2, rel=0.1)


def test_of_what_is_sold_no_longer_nothing_comes_again(setting: Setting) -> None:
    assert look_beyond(setting, 112).expect(["tea", "gift"], np.zeros((2, HORIZON))).tolist() == [0.0, 0.0]


def test_within_the_forecast_its_days_are_summed(setting: Setting) -> None:
    mean = np.arange(2 * HORIZON, dtype=float).reshape(2, HORIZON)
    np.testing.assert_allclose(look_beyond(setting, 7).expect(["tea", "gift"], mean), mean[:, :7].sum(axis=1))


def test_nothing_is_called_dead_where_the_shop_is_closed_on_every_day_that_is_forecast() -> None:
    closed = Outlasting(182, 0, 130, Categories({}, ()), np.ones(1), {})
    assert np.isinf(closed.expect(["tea"], np.zeros((1, HORIZON)))).all()


def test_a_shop_of_less_than_a_year_has_no_season(tmp_path: Path) -> None:
    sold = [("tea", date(2023, 1, 2) + timedelta(days=day), 10.0 * season(day)) for day in range(300)]
    with History.open(make_shop(tmp_path, sold)) as history:
        question = Question(by="day", horizon="28d")
        young = set_up(
            history, read_shop(tmp_path), question, today=date(2023, 10, 29), on_step=lambda what, share: None
        )[0]
    assert look_beyond(young, 182).season.tolist() == [1.0]
