"""`hansa-client recommend`, as a shop's owner calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.decision.customer_word import find_customer
from client.decision.recommendation.wording import ROW_FIELDS
from common.errors import ConfigError
from sheet import read_sheet
from taste_world import START, draw_rows, make_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [*draw_rows(customers=40), ("guest", "=1+1", START, "g"), ("guest", "[b]", START, "g")]
    return make_shop(tmp_path_factory.mktemp("shop"), rows)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["recommend", *words])


def test_without_a_question_everyone_and_the_best_customers_are_answered(shop: Path) -> None:
    found = call("--folder", str(shop))
    assert found.exit_code == 0
    assert "for everyone" in found.output
    assert "spent most" in found.output
    assert "Learned from what 41 customers bought" in found.output
    assert "No stock levels are known" in found.output


def test_each_question_has_its_lists_and_a_reason_in_every_line(shop: Path) -> None:
    top = json.loads(call("--folder", str(shop), "--json").stdout)
    assert len(top["answers"]) == 11
    customer = top["answers"][1]["customer"]
    one = json.loads(call("--folder", str(shop), "--customer", customer, "--number", "3", "--json").stdout)
    assert {offer["kind"] for offer in one["answers"][0]["offers"]} <= {"again", "new"}
    basket = json.loads(call("--folder", str(shop), "--basket", "tea01", "--basket", "tea02", "--json").stdout)
    page = json.loads(call("--folder", str(shop), "--product", "tea01", "--least", "2", "--json").stdout)
    for said in (top, one, basket, page):
        offers = [offer for answer in said["answers"] for offer in answer["offers"]]
        assert offers
        assert all(offer["reason"] for offer in offers)
    assert all(offer["lift"] > 1 and offer["both"] >= 2 for offer in page["answers"][0]["offers"])
    assert "often bought together with tea01" in call("--folder", str(shop), "--product", "tea01").output
    assert "to offer customer" in call("--folder", str(shop), "--customer", customer).output


def test_the_digits_that_are_shown_are_taken_as_well_as_all_of_them(shop: Path) -> None:
    said = json.loads(call("--folder", str(shop), "--json").stdout)
    customer = said["answers"][1]["customer"]
    shown = call("--folder", str(shop)).output
    assert customer[:12] in shown
    assert customer not in shown
    by_all, by_some = (
        json.loads(call("--folder", str(shop), "--customer", asked, "--json").stdout)["answers"]
        for asked in (customer, customer[:12])
    )
    assert by_all == by_some


def test_digits_of_two_customers_are_refused_and_those_of_nobody_too() -> None:
    customers = ["abcdef01", "abcd2345", "12345678", "1234"]
    assert find_customer(" ABCDEF ", customers) == 0
    assert find_customer("1234", customers) == 3, "all of one customer's"
    with pytest.raises(ConfigError, match="2 customers begin with 'abcd'; give more digits"):
        find_customer("abcd", customers)
    for text in ("abc", "", "ffff"):
        with pytest.raises(ConfigError, match="No customer"):
            find_customer(text, customers)


def test_every_customer_is_in_the_file_and_a_product_is_no_formula(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.xlsx"
    found = call("--folder", str(shop), "--customer", "all", "--number", "40", "--out", str(out))
    assert "they are yours alone" in found.output
    name, (head, *rows) = read_sheet(out)
    assert name == "offers"
    assert list(head) == list(ROW_FIELDS)
    assert len({row[0] for row in rows}) == 41
    assert "=1+1" in {row[3] for row in rows}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--customer", "ann@example.com"], "give the digits that hansa-client customers"),
        (["--customer", "all"], "name a file for it with --out"),
        (["--basket", "soap"], "was ever sold in this shop"),
        (["--product", "soap"], "was ever sold in this shop"),
        (["--product", "tea01", "--basket", "tea02"], "ask one of them"),
        (["--out", "next.docx"], "choose one of them"),
        (["--folder", "nowhere"], "hansa-client"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str, shop: Path) -> None:
    folder = [] if "--folder" in words else ["--folder", str(shop)]
    error = call(*folder, *words).exception
    assert isinstance(error, Exception)
    assert isinstance(error, ConfigError), error
    assert said in str(error)
    assert "\n" not in str(error)
