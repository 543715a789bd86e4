"""One of anything is one, in every sentence that counts."""

import re
from collections.abc import Callable

import pytest

from client.language.count import (
    count_customers,
    count_days,
    count_lines,
    count_products,
    count_rows,
    count_weeks,
)
from client.language.speech import speaking

COUNTS = (count_customers, count_days, count_lines, count_products, count_rows, count_weeks)


@pytest.mark.parametrize("count", COUNTS)
def test_one_has_no_s_and_more_have(count: Callable[[int], str]) -> None:
    assert not count(1).endswith("s")
    assert count(0) == count(2).replace("2", "0")
    assert count(1200).startswith("1,200 ")
    with speaking("zh"):
        assert count(1)[:2] == "1 "
        assert not re.search("[a-z]", count(1))
