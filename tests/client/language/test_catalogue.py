"""The catalogue of the merchant's side: every sentence translated, none left over, every name in it."""

import re
import string
from collections import Counter

import pytest

from client.language.extraction import Message, list_messages, read_words
from client.language.speech import OTHERS

CHINESE_SIGN = re.compile(r"[\u3400-\u9fff]")


def placeholders(text: str) -> Counter[tuple[str, str]]:
    return Counter((name, form or "") for _, name, form, _ in string.Formatter().parse(text) if name is not None)


def forms(message: Message) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else message


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_and_no_translation_is_left_over(language: str) -> None:
    found, words = list_messages(), read_words(language)
    assert found
    assert sorted(map(str, found - words.keys())) == []
    assert sorted(map(str, words.keys() - found)) == []
    assert sorted(str(message) for message, text in words.items() if not text.strip()) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_names_of_its_sentence(language: str) -> None:
    wrong = {
        str(message): text
        for message, text in read_words(language).items()
        if placeholders(forms(message)[-1]) != placeholders(text)  # "1 day" needs no number, "{number} days" does
    }
    assert wrong == {}


def test_chinese_is_chinese() -> None:
    words = read_words("zh")
    same = [message for message, text in words.items() if text in forms(message) and CHINESE_SIGN.search(text)]
    assert same == []
    bare = [text for text in words.values() if not CHINESE_SIGN.search(re.sub(r"\{.*?\}", "", text))]
    assert [text for text in bare if re.search(r"[A-Za-z]{3}", re.sub(r"\{.*?\}", "", text))] == []


def test_a_name_that_a_translation_lost_would_be_noticed() -> None:
    assert placeholders("{there} there") != placeholders("现有 {here} 件")
    assert placeholders("{share:.0%} are done.") != placeholders("已完成 {share}。")
