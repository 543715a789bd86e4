"""Sentences in the language of whoever listens."""

import asyncio
from datetime import date

from client.language.number import say_count, say_day, say_money, say_share, say_weekday
from client.language.speech import CHINESE, ENGLISH, PSEUDO, join, language, say_in, speaking, t, tn
from client.page.choice import choose_language


def test_english_is_what_the_source_says() -> None:
    assert t("{there} there", there=say_count(3.0)) == "3 there"
    assert tn("{number:,} product", "{number:,} products", 1) == "1 product"
    assert tn("{number:,} product", "{number:,} products", 1200) == "1,200 products"


def test_chinese_comes_from_the_catalogue_and_has_one_form() -> None:
    with speaking(CHINESE):
        assert t("{there} there", there="3") == "现有 3 件"
        assert [tn("{number:,} product", "{number:,} products", number) for number in (1, 2)] == [
            "1 种商品",
            "2 种商品",
        ]
    assert language() == ENGLISH


def test_what_is_in_no_catalogue_is_said_in_english() -> None:
    with speaking(CHINESE):
        assert t("A sentence that nobody wrote {here}", here=1) == "A sentence that nobody wrote 1"  # i18n: none
    with speaking("xx"):
        assert language() == ENGLISH


def test_two_listeners_at_once_each_hear_their_own() -> None:
    async def hear(spoken: str) -> list[str]:
        heard = []
        with speaking(spoken):
            for _ in range(5):
                await asyncio.sleep(0)
                heard.append(t("Today"))
        return heard

    async def both() -> list[list[str]]:
        return await asyncio.gather(hear(ENGLISH), hear(CHINESE))

    assert asyncio.run(both()) == [["Today"] * 5, ["今天"] * 5]


def test_a_sentence_is_said_again_with_all_that_is_in_it() -> None:
    day = say_day(date(2026, 12, 21), this_year=2026)
    asked = t("until {until} about {mean} will be asked for", until=day, mean=say_count(51.2))
    whole = join((t("{there}, which is enough: {asked}.", there=t("{there} there", there="60"), asked=asked), "!"))
    assert whole == "60 there, which is enough: until 21 Dec about 51 will be asked for.!"
    document = {"rows": [{"why": whole, "number": 3}], "plain": "x"}
    assert say_in(CHINESE, document) == {
        "rows": [{"why": "现有 60 件，已经够了：到 12月21日 大约需要 51 件。!", "number": 3}],
        "plain": "x",
    }
    with speaking(CHINESE):
        chinese = t("{there} there", there="60")
    assert say_in(ENGLISH, chinese) == "60 there"


def test_a_pseudo_language_shows_what_was_never_said() -> None:
    with speaking(PSEUDO):
        assert t("{there} there", there=say_count(3)) == "⟦3 there⟧"


def test_a_year_is_said_where_it_is_not_this_one() -> None:
    day = date(2027, 1, 2)
    assert [say_day(day, this_year=2025), say_day(day, this_year=2027), say_day(day, this_year=2026)] == [
        "2 Jan 2027",
        "2 Jan",
        "2 Jan 2027",
    ]
    with speaking(CHINESE):
        assert [say_day(day, this_year=2027), say_day(day, this_year=2026)] == ["1月2日", "2027年1月2日"]
        assert say_weekday(date(2026, 11, 30)) == "11月30日周一"
    assert say_weekday(date(2026, 11, 30)) == "Mon 30 Nov"


def test_money_has_the_sign_and_the_cents_of_its_currency() -> None:
    assert say_money(1234.5, "EUR") == "€1,234.50"
    assert say_money(1234.5, "JPY") == "¥1,234"
    assert say_money(1234.6, "EUR", cents=False) == "€1,235"
    with speaking(CHINESE):
        assert say_money(1234.5, "CNY") == "¥1,234.50"
    assert say_share(0.953) == "95%"


def test_the_language_is_the_chosen_one_or_the_one_that_a_browser_prefers() -> None:
    assert choose_language("zh", "en") == "zh"
    assert choose_language("", "de-DE,de;q=0.9,zh-CN;q=0.8,en;q=0.7") == "zh"
    assert choose_language("", "en-GB,en;q=0.9,zh;q=0.8") == "en"
    assert choose_language("xx", "fr, zh;q=0, *") == "en"
    assert choose_language("", "zh;q=nan, ;;;,q=1") in ("en", "zh")
