"""Paths of a small real store: whole, never negative, with the means and quantiles that are forecast."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from client.shop.forecast.outlook import Outlook, forecast_shop
from client.shop.forecast.path import Paths, draw_paths
from client.shop.forecast.question import Question
from client.shop.history.history import History
from client.shop.settings import read_shop
from common.errors import ConfigError
from shop_records import make_records
from small_shop import START, draw_sales, make_shop

DAYS = 230
ORIGIN = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five products that sell every day but Sunday, one that is gone, and two categories."""
    sold = [line for line in draw_sales(days=DAYS) if line[1].weekday() != 6]
    sold += [("gone", START + timedelta(days=number), 2.0) for number in range(100) if number % 7 != 6]
    named = [{"product": f"P{number}", "category": "tea" if number < 2 else "cake"} for number in range(5)]
    products = make_records("products", *named)
    return make_shop(tmp_path_factory.mktemp("paths"), sold, 'closed_weekdays = ["sunday"]\n', products=products)


def draw(folder: Path, **asked: object) -> Paths:
    (paths,) = draw_paths(History.open(folder), read_shop(folder), today=ORIGIN, **asked)  # type: ignore[arg-type]
    return paths


def ask(folder: Path, **asked: object) -> Outlook:
    question = Question(horizon="28d", **asked)  # type: ignore[arg-type]
    return forecast_shop(History.open(folder), read_shop(folder), question, today=ORIGIN)


@pytest.fixture(scope="module")
def paths(folder: Path) -> Paths:
    return draw(folder, days=28, num_draws=400)


@pytest.fixture(scope="module")
def weeks(folder: Path) -> Outlook:
    return ask(folder, by="week")


def column(table: pa.Table, name: str, products: int) -> np.ndarray:
    return table[name].to_numpy().reshape(products, -1)


def test_paths_are_whole_never_negative_and_zero_where_nothing_can_be_sold(paths: Paths) -> None:
    assert paths.first == ORIGIN
    assert paths.draws.shape == (400, 6, 28)
    assert paths.draws.dtype == np.float32
    assert (paths.draws == np.rint(paths.draws)).all()
    assert (paths.draws >= 0).all()
    sundays = [day for day in range(28) if (paths.first + timedelta(days=day)).weekday() == 6]
    assert not paths.draws[:, :, sundays].any()
    assert not paths.draws[:, paths.products.index("gone")].any()


def test_means_of_the_draws_are_those_of_the_forecast(paths: Paths, weeks: Outlook) -> None:
    """Over the horizon to rounding; of weeks as near as 400 draws can be."""
    said = column(weeks.table, "mean", 6)
    np.testing.assert_allclose(paths.draws.sum(axis=2).mean(axis=0), said.sum(axis=1), atol=0.01)
    lengths = [period.days for period in weeks.periods]
    ends = np.cumsum(lengths)
    drawn = np.stack(
        [paths.draws[:, :, end - days : end].sum(axis=2).mean(axis=0) for end, days in zip(ends, lengths, strict=True)],
        axis=1,
    )
    np.testing.assert_allclose(drawn, said, rtol=0.08, atol=0.2)


def test_quantiles_of_weeks_are_near_those_that_are_reported(paths: Paths, weeks: Outlook) -> None:
    """Reported ones are measured on weeks, those of paths follow from the horizon: seeded, within a quarter."""
    whole = [place for place, period in enumerate(weeks.periods) if period.days == 7]
    for name, level in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9)):
        said = column(weeks.table, name, 6)[:5, whole]
        first = [(weeks.periods[place].first - paths.first).days for place in whole]
        drawn = [np.quantile(paths.draws[:, :5, begin : begin + 7].sum(axis=2), level, axis=0) for begin in first]
        assert np.median(np.abs(np.stack(drawn, axis=1) / said - 1)) < 0.25


def test_the_same_question_has_the_same_draws_and_a_part_of_the_products_has_their_means(
    folder: Path, paths: Paths
) -> None:
    again = draw(folder, days=28, num_draws=400)
    assert (again.draws == paths.draws).all()
    one = draw(folder, days=28, num_draws=400, products=["P1"])
    assert one.products == ("P1",)
    assert one.draws.sum(axis=2).mean() == pytest.approx(paths.draws[:, 1].sum(axis=1).mean(), abs=0.01)


def test_means_of_categories_and_of_the_shop_are_the_sums_of_their_products(folder: Path, weeks: Outlook) -> None:
    categories, shop = ask(folder, of="category"), ask(folder, of="shop")
    said = column(weeks.table, "mean", 6)
    assert categories.table["category"].unique().to_pylist() == ["cake", "tea", "no category"]
    expected = np.stack([said[2:5].sum(axis=0), said[:2].sum(axis=0), said[5]])
    np.testing.assert_allclose(column(categories.table, "mean", 3), expected, rtol=1e-9)
    np.testing.assert_allclose(column(shop.table, "mean", 1)[0], said.sum(axis=0), rtol=1e-9)
    low, high = (column(shop.table, name, 1)[0] for name in ("q10", "q90"))
    assert (low[1:] < said.sum(axis=0)[1:]).all(), "the first day is a Sunday"
    assert (high[1:] > said.sum(axis=0)[1:]).all()


def test_a_product_nobody_knows_and_a_horizon_without_days_are_one_sentence(folder: Path) -> None:
    with pytest.raises(ConfigError, match="No product 'X'"):
        draw(folder, days=7, products=["X"])
    with pytest.raises(ConfigError, match="between 1 and 400"):
        draw(folder, days=0)
