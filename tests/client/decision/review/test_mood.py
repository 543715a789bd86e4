"""The mood of reviews: the rating first, words only where rated reviews prove that they can be read."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from client.decision.review.mood import guess_scale, read_mood, read_reviews, scale_rating
from client.shop.calendar.kept import Tables
from client.shop.record import schema_of
from shop_records import make_records

FIRST = date(2024, 1, 1)
GOOD = ("arrived quickly and works", "lovely colour, thank you", "my children love it", "strong and well made")
BAD = ("broke after one day", "arrived damaged, no answer", "far too thin, tore at once", "never came, want money back")


def keep(*rows: dict[str, object]) -> Tables:
    table = make_records("reviews", *rows) if rows else schema_of("reviews").empty_table()
    return Tables(pa.table({}), {"reviews": table})


def write_reviews(number: int, *, seed: int, honest: bool) -> list[dict[str, object]]:
    """Write rated reviews whose words fit their rating, or have nothing to do with it, no wording twice."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for place in range(number):
        good = bool(draw.random() < 0.5)
        says_good = good if honest else bool(draw.random() < 0.5)
        words = " and ".join(draw.choice(GOOD if says_good else BAD, 2)) + f" ({place})"
        rows.append({"day": FIRST + timedelta(place), "rating": 5.0 if good else 1.0, "text": words})
    return rows


def test_a_rating_goes_from_minus_one_to_one_whatever_its_scale() -> None:
    assert scale_rating(np.array([1.0, 3.0, 5.0]), (1.0, 5.0)).tolist() == [-1.0, 0.0, 1.0]
    assert guess_scale(np.array([4.0, np.nan, 2.0])) == (1.0, 5.0)
    assert guess_scale(np.array([9.0, 2.0])) == (1.0, 10.0)
    assert guess_scale(np.array([88.0])) == (0.0, 100.0)
    assert guess_scale(np.array([np.nan])) == (1.0, 5.0)


def test_the_mood_of_a_day_is_the_mean_of_its_reviews() -> None:
    found = read_mood(keep({"rating": 5.0}, {"rating": 2.0}, {"product": "cup", "rating": 3.0}, {"day": None}))
    assert found.to_pylist() == [
        {"product": "cup", "day": FIRST, "mood": 0.0, "n": 1},
        {"product": "tea", "day": FIRST, "mood": 0.25, "n": 2},
    ]


def test_reviews_of_an_older_number_count_for_the_one_that_counts() -> None:
    table = make_records("reviews", {"product": "old", "rating": 5.0}, {"product": "new", "rating": 1.0})
    alias = make_records("aliases", {"product": "old", "stands_for": "new"})
    found = read_mood(Tables(pa.table({}), {"reviews": table, "aliases": alias}))
    assert found.to_pylist() == [{"product": "new", "day": FIRST, "mood": 0.0, "n": 2}]


def test_no_reviews_are_an_empty_table() -> None:
    assert read_mood(keep()).num_rows == 0


def test_words_without_a_rating_count_where_rated_reviews_prove_that_they_can_be_read() -> None:
    unrated = [{"rating": None, "text": "works and well made"}, {"rating": None, "text": "broke, damaged, money back"}]
    found = read_reviews(keep(*write_reviews(120, seed=1, honest=True), *unrated))
    assert found.reader is not None
    assert found.reader.usable
    moods = {row["text"]: row["mood"] for row in found.table.to_pylist() if row["by"] == "text"}
    assert moods["works and well made"] > 0.3
    assert moods["broke, damaged, money back"] < -0.3


def test_words_that_have_nothing_to_do_with_ratings_are_not_used() -> None:
    found = read_reviews(keep(*write_reviews(300, seed=2, honest=False), {"rating": None, "text": "works"}))
    assert found.reader is not None
    assert not found.reader.usable
    assert "too little" in found.reader.reason
    assert found.table.filter(pa.compute.equal(found.table["by"], "text")).num_rows == 0


def test_with_few_rated_reviews_nothing_is_read_and_that_is_said() -> None:
    found = read_reviews(keep(*write_reviews(10, seed=3, honest=True), {"rating": None, "text": "works"}))
    assert found.reader is not None
    assert "Only" in found.reader.reason


def test_a_review_that_was_copied_a_thousand_times_proves_nothing() -> None:
    rows = [{"rating": 5.0, "text": "good"}, {"rating": 1.0, "text": "bad"}] * 500
    found = read_reviews(keep(*rows, {"rating": None, "text": "good"}))
    assert found.reader is not None
    assert found.reader.rated == 2
    assert not found.reader.usable


@pytest.mark.parametrize("seed", range(3))
def test_reading_does_not_depend_on_the_order_in_which_days_came(seed: int) -> None:
    rows = [{"day": FIRST + timedelta(n), "rating": float(n % 5 + 1)} for n in range(30)]
    mixed = [rows[place] for place in np.random.default_rng(seed).permutation(30)]
    assert read_mood(keep(*mixed)).equals(read_mood(keep(*rows)))
