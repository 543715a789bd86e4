"""What a person expects is applied, kept, taken back and scored; what cannot be meant is refused in a sentence."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.shop.history.history import History
from client.shop.override.applying import Change
from client.shop.override.effect import score
from client.shop.override.override import Override, Overrides
from common.errors import ConfigError, DataError
from small_shop import START, draw_sales, make_shop

FIRST = date(2025, 12, 1)
OPEN = np.array([True, True, False, True])
BY = {"a": "tea", "b": "tea", "c": ""}


def made(of: str = "product", name: str = "a", **other: object) -> Override:
    rest = {"first": FIRST, "last": FIRST + timedelta(days=3), "author": "Anna", "reason": "market", "made": FIRST}
    return Override(number=1, of=of, name=name, **{**rest, **other})  # type: ignore[arg-type]


def apply(*overrides: Override, mean: float = 2.0) -> np.ndarray:
    return Change(overrides, FIRST, BY).apply(np.full((3, 4), mean) * OPEN, ["a", "b", "c"], OPEN)


def test_a_share_more_of_a_product_changes_that_product_on_these_days_alone() -> None:
    found = apply(made(factor=1.2, last=FIRST))
    np.testing.assert_allclose(found[0], [2.4, 2.0, 0.0, 2.0])
    np.testing.assert_allclose(found[1:], np.full((2, 4), 2.0) * OPEN)


def test_a_total_of_a_category_is_shared_out_as_the_forecasts_are_and_closed_days_stay_zero() -> None:
    found = apply(made("category", "tea", total=60.0))
    np.testing.assert_allclose(found[:2], np.full((2, 4), 10.0) * OPEN)
    np.testing.assert_allclose(found[2], np.full(4, 2.0) * OPEN)


def test_a_total_where_nothing_was_forecast_is_shared_out_alike() -> None:
    np.testing.assert_allclose(apply(made(total=6.0), mean=0.0)[0], [2.0, 2.0, 0.0, 2.0])


def test_overrides_follow_one_another() -> None:
    assert apply(made("shop", "", total=90.0), made(factor=0.5))[:, 0].tolist() == [5.0, 10.0, 10.0]


def test_a_total_of_which_the_forecast_has_half_the_days_gives_half() -> None:
    long = made(total=60.0, last=FIRST + timedelta(days=6))  # three open days of four ahead, and three beyond
    assert apply(long)[0].sum() == pytest.approx(30.0)


def test_what_was_said_later_is_not_known_earlier_and_what_was_taken_back_no_longer_holds() -> None:
    one = made(factor=2.0, removed=FIRST + timedelta(days=9))
    assert not one.was_active(None)
    assert one.was_active(FIRST)
    assert not one.was_active(FIRST - timedelta(days=1))


def test_nothing_of_the_file_is_forgotten(tmp_path: Path) -> None:
    kept = Overrides(tmp_path)
    assert [kept.add(made(factor=2.0)).number, kept.add(made(total=5.0)).number] == [1, 2]
    kept.remove(1, FIRST)
    assert [(each.number, each.removed) for each in kept.read()] == [(1, FIRST), (2, None)]
    with pytest.raises(ConfigError, match="taken back on"):
        kept.remove(1, FIRST)
    with pytest.raises(ConfigError, match="no override 7"):
        kept.remove(7, FIRST)


@pytest.mark.parametrize("text", ["", "{", '{"overrides": [{"number": 1}]}', '{"schema": 99}'])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "overrides.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"damaged|newer version"):
        Overrides(tmp_path).read()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shop"), draw_sales(days=60, products=2))


def call(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def test_it_is_added_heeded_by_the_forecast_and_taken_back(shop: Path) -> None:
    ahead = START + timedelta(days=60)
    days = ("--from", str(ahead), "--to", str(ahead + timedelta(days=6)))
    who = ("--author", "Anna", "--reason", "roadworks")
    added = call("override", "add", "--product", "P0", "--change", "-50%", *days, *who, "--folder", str(shop))
    assert added.exit_code == 0, added.output
    assert "-50%, says Anna (roadworks)" in added.output
    rows = json.loads(call("forecast", "--horizon", "7d", "--folder", str(shop), "--json").stdout)["rows"]
    for row in rows:
        assert row["mean"] == pytest.approx(row["without"] * (0.5 if row["product"] == "P0" else 1.0))
    assert call("override", "remove", "1", "--folder", str(shop)).exit_code == 0
    listed = json.loads(call("override", "list", "--folder", str(shop), "--json").stdout)["overrides"]
    assert listed[0]["removed"]
    assert listed[0]["forecast_with"] == pytest.approx(listed[0]["forecast_without"] / 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--change", "20"), "no share"),
        (("--change", "-120%"), "out of reach"),
        (("--change", "+5%", "--total", "3"), "either"),
        (("--change", "+5%", "--product", "X"), "No product 'X'"),
        (("--change", "+5%", "--category", "tea"), "no category 'tea'"),
        (("--change", "+5%", "--from", "2023-01-05"), "has passed"),
        (("--change", "+5%", "--from", "soon"), "no day"),
        (("--change", "+5%", "--to", "2023-01-01"), "lies before"),
        (("--change", "+5%", "--author", ""), "--author is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_do(shop: Path, words: tuple[str, ...], said: str) -> None:
    usual = {"--from": str(START + timedelta(days=61)), "--author": "Anna", "--reason": "market"}
    given = {**usual, **dict(zip(words[::2], words[1::2], strict=True))}
    pairs = [word for pair in given.items() for word in pair]
    found = call("override", "add", *pairs, "--folder", str(shop))
    assert isinstance(found.exception, ConfigError)
    assert said in str(found.exception)


def test_it_is_scored_once_its_days_are_known(shop: Path) -> None:
    past = made(name="P0", factor=1.0, first=START, last=START + timedelta(days=6))
    told = past.model_copy(update={"without": 0.0, "with_it": 20.0})
    found = score(History.open(shop), told)
    assert found is not None
    assert found.helped
    assert found.sold == pytest.approx(found.miss_without)
    assert score(History.open(shop), told.model_copy(update={"last": START + timedelta(days=400)})) is None
