"""One law says what is sold no longer, and every command asks it."""

from collections.abc import Callable

import numpy as np
import pytest

from client.shop.calendar.life import Days, find_gone
from client.shop.forecast.life import tell_states
from common.data.panel import Panel

YEARS = 756


def days_of(sold: np.ndarray, out: np.ndarray | None = None) -> Days:
    out = np.zeros_like(sold) if out is None else out
    return Days(len(sold), *np.nonzero(sold), *np.nonzero(out))


def gone(sold: np.ndarray, out: np.ndarray | None = None) -> list[bool]:
    return find_gone(days_of(sold, out), np.ones(sold.shape[1], bool)).tolist()


def sold_on(*spans: tuple[int, int], every: int = 2) -> np.ndarray:
    row = np.zeros(YEARS, bool)
    for first, last in spans:
        row[first:last:every] = True
    return row


@pytest.mark.parametrize(
    ("spans", "is_gone"),
    [
        ([(0, YEARS - 150)], True),  # a year before it sold on the same days, so it has no season
        ([(0, YEARS - 40)], False),
        ([(YEARS - 464, YEARS - 400)], True),  # the season has come again without it
        ([(YEARS - 350, YEARS - 290)], False),  # sold a year before the days that come now
        ([(0, 90), (350, 450)], True),  # its season came a year ago, and it is later in the year now
        ([(100, 160), (464, 524)], False),  # two summers, and the third is near
        ([], False),
    ],
)
def test_what_is_silent_beyond_its_rhythm_and_has_no_season_is_gone(
    spans: list[tuple[int, int]], is_gone: bool
) -> None:
    assert gone(np.array([sold_on(*spans)])) == [is_gone]


def test_a_slow_seller_may_be_silent_for_longer_than_a_fast_one() -> None:
    assert gone(np.array([sold_on((0, 600)), sold_on((0, 600), every=60)])) == [True, False]


def test_a_product_that_was_only_missing_is_not_gone_for_half_a_year() -> None:
    sold = np.array([sold_on((0, YEARS - 100))] * 3 + [sold_on((0, YEARS - 250))])
    out = np.zeros_like(sold)
    out[1, YEARS - 90 :] = True  # every day of it is told
    out[2, YEARS - 10] = True  # one level of late
    out[3, YEARS - 240 :] = True  # nobody filled the shelf again
    assert gone(sold, out) == [True, False, False, True]


def test_the_forecast_says_gone_of_what_the_calendar_says_gone(make_panel: Callable[..., Panel]) -> None:
    generator = np.random.default_rng(0)
    rates, ends = generator.uniform(0.02, 0.9, 200), generator.integers(200, YEARS, 200)
    sold = (generator.random((200, YEARS)) < rates[:, None]) & (np.arange(YEARS) < ends[:, None])
    panel = make_panel(target=sold.astype(np.float32))
    said = [state == "gone" for state in tell_states(panel, YEARS, 0)]
    assert said == gone(sold)
    assert 50 < sum(said) < 190
