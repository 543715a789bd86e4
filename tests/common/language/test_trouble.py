"""Errors in another language: every pattern found, translated, and told apart again with its values."""

import re
from pathlib import Path

import pytest

from client.language.speech import CHINESE, ENGLISH, PSEUDO, speaking, t
from client.language.trouble import say_trouble
from common.errors import ConfigError
from common.language.extraction import NAMES, read_words
from common.language.trouble import CATALOGUE, LONGEST, read_pattern
from common.language.trouble_extraction import find_in, find_patterns

ROOT = Path(__file__).parents[3]
CHINESE_SIGN = re.compile(r"[\u3400-\u9fff]")
PLACE = re.compile(r"(?<!\{)\{\d+\}")


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return find_patterns(ROOT)


@pytest.mark.parametrize("language", NAMES)
def test_every_sentence_that_reaches_the_page_is_translated_and_no_translation_is_left_over(
    found: dict[str, str], language: str
) -> None:
    words = read_words(ROOT / "client", language, name=CATALOGUE)
    assert len(found) > 400
    assert sorted(found.keys() - words.keys()) == []
    assert sorted(words.keys() - found.keys()) == []
    wrong = [
        pattern
        for pattern, said in words.items()
        if not CHINESE_SIGN.search(said) or set(PLACE.findall(str(pattern))) != set(PLACE.findall(said))
    ]
    assert wrong == []


def test_each_pattern_filled_with_values_is_said_with_them(found: dict[str, str]) -> None:
    with speaking(CHINESE):
        for pattern in found:
            values = [f"value-{number}" for number in range(9)]
            said = say_trouble(pattern.format(*values))
            assert CHINESE_SIGN.search(said), pattern
            for place in PLACE.findall(pattern):
                assert values[int(place[1:-1])] in said, pattern


SOURCE = """
CRASHED = "It ended ({code}); another one tries again."
def fail(path, error, number):
    sentence = f"{number} imports are waiting already."
    raise Refusal(429, "too_many", sentence)
    raise ConfigError(f"Cannot write {path}: {error!r}; make {{room}}." if path else "There is no path.")
    self.trouble = told or CRASHED.format(code=1)
    raise DataError(t("This is said by t already."))
    raise KeyError(f"This is no error of {path}.")
    raise ConfigError(f"No product of {path} was sold; " + (f"there are {number}." if path else "it has none."))
    raise DataError(explain(path))
    hold(path, taken=f"Another import into {path} is under way.")
def explain(path):
    return f"Nothing can be seen in {path}."
"""


def test_a_pattern_is_found_however_its_sentence_is_written() -> None:
    assert set(find_in(SOURCE)) == {
        "{0} imports are waiting already.",
        "Cannot write {0}: {1}; make {{room}}.",
        "There is no path.",
        "It ended ({0}); another one tries again.",
        "No product of {0} was sold; there are {1}.",
        "No product of {0} was sold; it has none.",
        "Nothing can be seen in {0}.",
        "Another import into {0} is under way.",
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Cannot write a: b: full; make room.", {"0": "a", "1": "b: full"}),
        ("Cannot write : ; make room.", {"0": "", "1": ""}),
        ("Cannot write a; make room.", None),
        ("Cannot write a: b; make room", None),
    ],
)
def test_a_text_is_taken_apart_where_its_pattern_fits(text: str, values: dict[str, str] | None) -> None:
    assert read_pattern("Cannot write {0}: {1}; make room.", "").match(text) == values


def test_an_error_within_an_error_and_the_system_s_words_are_said_too() -> None:
    with speaking(CHINESE):
        said = say_trouble("Cannot write /shop/chosen.json: No space left on device; make room.")
        assert said == "无法写入 /shop/chosen.json：磁盘没有空间；请腾出空间。"
        faults = say_trouble(
            "shop.toml: currency = 3: input should be a valid string; unknown key nam (did you mean name?)"
        )
        assert faults == "shop.toml：currency = 3：应为文本；未知的键 nam（是否指 name？）"


def test_an_error_without_its_full_stop_is_said_without_one() -> None:
    with speaking(CHINESE):
        assert say_trouble("There is no customer abc") == "没有顾客 abc"


def test_what_has_no_pattern_or_was_said_already_stays_as_it_is() -> None:
    text = "There is no customer abc."
    for language in (ENGLISH, PSEUDO):
        with speaking(language):
            assert say_trouble(text) == text
    with speaking(CHINESE):
        ready = str(ConfigError(t("This is no hash of a plan or key.")))
        assert say_trouble(ready) == ready
        assert say_trouble("Nobody ever wrote this sentence") == "Nobody ever wrote this sentence"
        assert say_trouble("") == ""
        long = "Cannot write " + ": ; make " * LONGEST
        assert say_trouble(long) == long


def test_a_hostile_text_takes_no_time() -> None:
    with speaking(CHINESE):
        say_trouble("Cannot write " + ": " * 1900 + "; make room.!")
