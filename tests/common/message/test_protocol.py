import pytest

from common.message.protocol import FIRST, SPOKEN, choose_protocol, read_spoken, write_spoken


@pytest.mark.parametrize(
    "header",
    [None, "", "1", "2", "1-", "-2", "0-2", "2-1", "1-2-3", "1 - 2", "1-2\n", "a-b", "1-99999", "١-٢", "1-2; x"],
)
def test_who_says_nothing_that_can_be_read_speaks_protocol_1(header: str | None) -> None:
    assert read_spoken(header) == FIRST


@pytest.mark.parametrize("spoken", [range(1, 2), range(1, 3), range(3, 5), range(12, 9999)])
def test_what_is_spoken_is_read_as_it_was_written(spoken: range) -> None:
    assert read_spoken(write_spoken(spoken)) == spoken


@pytest.mark.parametrize(
    ("theirs", "highest"), [("1-1", 1), ("1-2", 2), ("1-7", 2), ("2-2", 2), ("2-7", 2), ("3-7", None)]
)
def test_both_speak_the_highest_that_both_know(theirs: str, highest: int | None) -> None:
    assert choose_protocol(read_spoken(theirs), range(1, 3)) == highest


def test_this_version_still_speaks_as_the_first_one_did() -> None:
    assert 1 in SPOKEN
