"""Why so many, in words that a shop owner would use."""

import re
from datetime import date
from typing import Any

import pytest

from client.decision.order.reason import give_reason
from client.language.speech import speaking
from client.shop.settings import Shop

SHOP = Shop(name="corner shop", time_zone="Europe/Berlin", currency="EUR")


def say(*, spoils: bool = False, life: float = 30.0, **more: Any) -> str:
    row = {
        "on_hand": 2.0,
        "on_order": 0.0,
        "quantity": 0.0,
        "reorder_point": 0.0,
        "demand": 0.1,
        "demand_high": 0.0,
        "cut": 0.0,
        "next_arrives": date(date.today().year, 6, 30),
    }
    return give_reason(
        {**row, **more}, pack=1.0, block=1.0, spoils=spoils, life=life, level=0.95, ended=False, shop=SHOP
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "2 there, which is enough: until 30 Jun hardly any will be asked for."),
        ({"demand": 0.0}, "2 there, and nothing will be asked for until 30 Jun."),
        (
            {"demand": 0.3, "demand_high": 1.0},
            "2 there, which is enough: until 30 Jun most likely none will be asked for, in one case of ten 1 or more.",
        ),
        ({"demand": 0.6}, "2 there, which is enough: until 30 Jun about 0.6 will be asked for."),
        (
            {"on_hand": 0.0, "quantity": 1.0},
            "0 there; until 30 Jun hardly any will be asked for; to serve 95% 1 more.",
        ),
    ],
)
def test_nobody_is_told_of_a_tenth_of_a_piece(row: dict[str, Any], said: str) -> None:
    assert say(**row) == said


def test_what_keeps_for_one_day_keeps_for_1_day() -> None:
    assert "in the 1 day that it keeps" in say(spoils=True, life=1.0, demand=3.0)
    assert "in the 2 days that it keeps" in say(spoils=True, life=2.0, demand=3.0)


def test_chinese_says_the_same() -> None:
    with speaking("zh"):
        said = say()
        assert "6月30日 几乎没有需求" in said
        assert not re.search("[a-z]", said)
