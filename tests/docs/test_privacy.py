"""The privacy page is held against the code: a field without a row, or a row without its test, fails."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from client.transparency.sent_log import OTHER_MEANINGS
from client.transparency.sent_messages import MEANINGS, SUM_MEANINGS
from common.message import sum_round
from common.message.proposal import TERMS_FIELDS
from common.message.receipt import RECEIPT_FIELDS
from common.message.round import REPLY_FIELDS, RoundReply
from common.message.welcome import RECEIPT_FIELDS as WELCOME_RECEIPT_FIELDS
from planted.fault import Severity

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "privacy.md").read_text()
LEAKS = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)


def rows_of(title: str) -> list[str]:
    """First cells of the first table below a title."""
    table = PAGE.split(f"\n## {title}\n")[1].split("\n\n|")[1].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def rows_of_words(head: str) -> list[str]:
    """First cells of the table whose head begins like this."""
    return re.findall(r"^\| (\w+) \|", PAGE.split(head)[1].split("\n\n")[0], re.MULTILINE)


def test_every_field_that_may_leave_has_its_row() -> None:
    allowed = {field.name for field in fields(RoundReply)}
    assert allowed == set(REPLY_FIELDS) | {"total"}
    assert rows_of("What leaves") == [field.name for field in fields(RoundReply)]
    assert set(MEANINGS) == allowed


def test_every_other_field_that_may_leave_is_named() -> None:
    said = PAGE.split("\n## What leaves\n")[1].split("\n## ")[0]
    assert set(SUM_MEANINGS) == sum_round.REPLY_FIELDS | {"total"}
    for name in TERMS_FIELDS | RECEIPT_FIELDS | WELCOME_RECEIPT_FIELDS | set(OTHER_MEANINGS) | set(SUM_MEANINGS):
        assert f"`{name}`" in said


def test_every_leak_has_a_row() -> None:
    assert [int(number) for number, *_ in LEAKS] == list(range(1, 43))


def test_every_leak_that_is_closed_or_open_has_a_severity_of_the_scale() -> None:
    scale, leaks, still_open = (
        rows_of_words(title) for title in ("| severity | what an", "| # | severity", "\n| severity | the leak")
    )
    assert scale == list(get_args(Severity))
    assert {severity for _, severity, *_ in LEAKS} == set(scale)
    assert len(LEAKS) == len(leaks)
    assert still_open
    assert set(still_open) <= set(scale)


@pytest.mark.parametrize(("number", "tests"), [(number, tests) for number, *_, tests in LEAKS])
def test_every_test_that_closes_a_leak_exists(number: str, tests: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
    assert named or "audit" in tests
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(), f"row {number}: {file} has no {name}"
