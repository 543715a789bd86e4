"""Free text without what names or reaches a person, and otherwise as it was."""

import pytest

from client.shop.history.mask import mask


@pytest.mark.parametrize(
    "personal",
    [
        "anna.muster+shop@mail.example.co.uk",
        "ANNA@EXAMPLE.COM",
        "anna @ example.com",
        "王小明@例子.中国",
        "anna＠example.com",
        "+49 170 1234567",
        "0049-170-1234567",
        "0170/1234567",
        "(030) 123456-78",
        "(555) 123-4567",
        "555-123-4567",
        "01 23 45 67 89",
        "01.23.45.67.89",
        "13812345678",
        "138 1234 5678",
        "138-1234-5678",
        "+86 138 1234 5678",
        "１３８１２３４５６７８",
        "010-62345678",
        "11010519491231002X",
        "11010519491231002x",
        "110105491231002",
    ],
)
def test_what_reaches_a_person_is_masked_alone_in_a_sentence_and_glued_to_chinese(personal: str) -> None:
    assert mask(personal) == "[…]"
    assert mask(f"Call me: {personal}, thank you.") == "Call me: […], thank you."
    assert mask(f"很好，电话：{personal}。") == "很好，电话：[…]。"


@pytest.mark.parametrize("glued", ["电话13812345678好", "tel13812345678", "身份证11010519491231002X"])
def test_digits_glued_to_letters_are_masked(glued: str) -> None:
    assert not any(digits in mask(glued) for digits in ("1381234", "1101051"))


@pytest.mark.parametrize(
    "harmless",
    [
        "Bought on 2024-05-31, broke on 31.12.2024 and again on 5/31/24.",
        "Cost 12.50 EUR, not 1.250.000 as it said; order 100123.",
        "5 stars, 100 % cotton, size 38-40, 2 x 250 g",
        "很好，用了3天，買了2個，12.5元",
        "",
    ],
)
def test_other_numbers_stay(harmless: str) -> None:
    assert mask(harmless) == harmless


def test_who_wrote_it_is_masked_too() -> None:
    assert mask("I am Anna Muster.", "Anna Muster") == "I am […]."
    assert mask("Regards, anna", "Anna Muster") == "Regards, […]"
    assert mask("我是王明", "王明") == "我是[…]"
    assert mask("user c-17 says so", "c-17") == "user […] says so"
    assert mask("good tea", "tea@example.com") == "good tea", "a word is not an address"
