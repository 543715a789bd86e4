"""`hansa-client whatif`, as a shop's owner calls it."""

import json
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from common.errors import ConfigError, DataError
from sheet import read_sheet
from shop_records import make_records
from small_shop import START, make_shop

DAYS = 168
COLUMNS = {"product", "price_now", "price_new", "units_before", "units_after", "units_low", "units_high", "elasticity"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a shop of four products whose prices move at random each week; 1 % dearer is 2 % fewer."""
    draw, sold, prices = np.random.default_rng(1), [], []
    for product in ("tea", "cup", "pot", "can"):
        factor = draw.choice([0.9, 1.0, 1.1], DAYS // 7)
        for week, each in enumerate(factor):
            prices.append({"first_day": START + timedelta(days=7 * week), "product": product, "price": 10.0 * each})
        units = draw.poisson(6.0 * np.repeat(factor, 7) ** -2.0)
        sold += [(product, START + timedelta(days=day), float(n)) for day, n in enumerate(units) if n]
    sold.append(("rare", START, 1.0))
    goods = [{"product": p, "name": f"the {p}", "category": "kitchen"} for p in ("tea", "cup", "pot", "can", "rare")]
    return make_shop(
        tmp_path_factory.mktemp("shop"),
        sold,
        prices=make_records("prices", *prices),
        products=make_records("products", *goods),
    )


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["whatif", *map(str, words)])


def test_one_price_in_json_with_its_table_and_picture(shop: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "rows.xlsx", tmp_path / "curve.svg"
    found = call(
        *("--folder", shop, "--product", "tea", "--price", "9.20", "--unit-cost", "4", "--json"),
        *("--out", out, "--picture", picture),
    )
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert not said["is_cause"]
    assert said["response"]["price"]["low"] < -2.0 < said["response"]["price"]["high"]
    assert said["after"]["units"]["low"] > 0.95 * said["before"]["units"]
    assert said["before"]["profit"] < said["before"]["revenue"]
    assert said["best"]["of"] == "profit"
    (row,) = said["rows"]
    assert set(row) >= COLUMNS
    assert row["price_new"] == 9.2
    name, rows = read_sheet(out)
    assert (name, len(rows)) == ("what-if", 2)
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")  # noqa: S314  our own


def test_a_promotion_of_a_category_in_plain_words(shop: Path, tmp_path: Path) -> None:
    page = tmp_path / "curve.html"
    found = call("--folder", shop, "--category", "kitchen", "--change", "-8%", "--picture", page)
    assert found.exit_code == 0, found.output
    assert "the 5 products of kitchen" in found.output
    assert "A price that is 1 % higher goes with" in found.output
    assert "not proof of what a price does" in found.output
    assert "this is revenue, not profit" in found.output
    assert "Traceback" not in found.output
    assert "<script" not in page.read_text()


def test_an_experiment_is_planned_and_comes_back_as_one_that_has_not_run(shop: Path, tmp_path: Path) -> None:
    plan, table = tmp_path / "plan.json", tmp_path / "plan.xlsx"
    found = call("--folder", shop, "--category", "kitchen", "--discount", "10%", "--experiment", plan, "--out", table)
    assert found.exit_code == 0, found.output
    assert "in an order drawn by chance" in found.output
    name, rows = read_sheet(table)
    assert (name, len(rows)) == ("schedule", 1 + 4 * 12)
    later = call("--folder", shop, "--category", "kitchen", "--schedule", plan)
    assert isinstance(later.exception, DataError)
    assert "has 0 of its weeks" in str(later.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--product", "tea", "--category", "kitchen"), "leave one of them out"),
        (("--price", "9"), "--price is of one product"),
        (("--product", "tea", "--price", "0"), "is no price"),
        (("--product", "tea", "--price", "9", "--discount", "10%"), "give one of them"),
        (("--discount", "20"), "is no share; write it with its sign, as 20%"),
        (("--discount", "100%"), "is not between 1% and 90%"),
        (("--change", "0%"), "is no change of a price"),
        (("--product", "nothing"), "No product 'nothing' was ever sold"),
        (("--category", "nothing"), "there are kitchen"),
        (("--from", "soon"), "is no day"),
        (("--unit-cost", "dear"), "neither money"),
        (("--unit-cost", "4"), "give a share of the price for several"),
        (("--product", "tea", "--to", "2020-01-01"), "lies before the first day"),
        (("--schedule", "nowhere.json"), "Cannot read nowhere.json"),
        (("--experiment", "plan.csv"), "is no .json file"),
        (("--picture", "curve.png"), "neither .svg nor .html"),
        (("--out", "rows.txt"), "choose one of them"),
    ],
)
def test_mistakes_are_one_sentence(shop: Path, words: tuple[str, ...], said: str) -> None:
    found = call("--folder", shop, *words)
    assert isinstance(found.exception, ConfigError | DataError)
    assert said in str(found.exception)


def sell(tmp_path: Path, days: int = 90, **kinds: object) -> Path:
    sold = [("tea", START + timedelta(days=day), float(1 + day % 5)) for day in range(days)]
    return make_shop(tmp_path / "shop", sold, **kinds)  # type: ignore[arg-type]


def test_where_nothing_can_be_said_that_is_said(tmp_path: Path) -> None:
    price = make_records("prices", {"first_day": START, "price": 10.0})
    free = make_records("prices", {"first_day": START, "price": 0.0})
    for name, kinds, days, words in (
        ("still", {"prices": price}, 90, "No price moved 2 times"),
        ("free", {"prices": free}, 90, "No price is known of any product"),
        ("unknown", {}, 90, "No price is known of any product"),
        ("short", {"prices": price}, 30, "from 56 days on"),
    ):
        found = call("--folder", sell(tmp_path / name, days, **kinds))
        assert isinstance(found.exception, DataError), name
        assert words in str(found.exception)
    found = call("--folder", make_shop(tmp_path / "few", [("a", START, 1.0), ("a", START + timedelta(days=80), 1.0)]))
    assert "No product was sold on 15 days or more" in str(found.exception)


def test_promotions_alone_answer_for_promotions_alone(tmp_path: Path) -> None:
    draw, sold, offers = np.random.default_rng(2), [], []
    for week in range(30):
        offer = week % 3 == 1
        if offer:
            first = START + timedelta(days=7 * week)
            offers.append({"first_day": first, "last_day": first + timedelta(days=6), "discount": 0.2})
        for day in range(7):
            sold.append(("tea", START + timedelta(days=7 * week + day), float(1 + draw.poisson(15 if offer else 5))))
    price = make_records("prices", {"first_day": START, "price": 10.0})
    folder = make_shop(tmp_path / "shop", sold, prices=price, promotions=make_records("promotions", *offers))
    found = call("--folder", folder, "--product", "tea", "--discount", "20%", "--json")
    said = json.loads(found.stdout)
    assert 2.0 < said["response"]["promotion"]["middle"] < 3.5
    assert said["best"] is None
    assert said["rows"][0]["price_new"] == 8.0
