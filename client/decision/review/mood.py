"""The mood of reviews by product and day: the rating where there is one, the words only where they can be read.

The mood goes from -1 (the worst rating) over 0 (the middle one) to 1 (the best). It is the shop's own, and it is known
of the past alone: nobody knows tomorrow's reviews.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from client.decision.review.text import Reader, learn_to_read
from client.shop.calendar.kept import Kept
from client.shop.history.view import resolve

SCALES = ((1.0, 5.0), (1.0, 10.0), (0.0, 100.0))  # worst and best; the first one that all ratings fit into
GOOD, BAD = 0.25, -0.25  # moods from which on a rating is good or bad; 4 and 2 of 5 are ±0.5


@dataclass(frozen=True)
class Reviews:
    """Reviews one by one, oldest first, and who reads those without a rating.

    Attributes
    ----------
    table
        product, day, text, rating (null where none), mood (null where it cannot be told), by ("rating", "text" or "").
    scale
        The worst and the best rating.
    reader
        None where no review lacks a rating.
    """

    table: pa.Table
    scale: tuple[float, float]
    reader: Reader | None


def read_mood(history: Kept) -> pa.Table:
    """Give the mood of each product on each day with a review of which it can be told.

    Returns
    -------
    Table
        product ("" of the whole shop), day, mood (mean of that day's reviews, -1 to 1), n (how many); sorted by product
        and day.
    """
    table = read_reviews(history).table.filter(pc.is_valid(pc.field("mood")))
    sums = table.group_by(["product", "day"], use_threads=False).aggregate([("mood", "mean"), ("mood", "count")])
    found = sums.select(["product", "day", "mood_mean", "mood_count"]).rename_columns(["product", "day", "mood", "n"])
    return found.sort_by([("product", "ascending"), ("day", "ascending")])


def read_reviews(history: Kept) -> Reviews:
    """Read every review that has a day, and tell its mood where that can be told."""
    records = history.records("reviews").select(["product", "day", "text", "rating"])
    records = _by_the_number_that_counts(records, history)
    records = records.filter(pc.is_valid(pc.field("day"))).sort_by([("day", "ascending"), ("product", "ascending")])
    rating = records["rating"].to_numpy().astype(np.float64)
    texts = np.array([text or "" for text in records["text"].to_pylist()], dtype=object)
    scale = guess_scale(rating)
    mood = scale_rating(rating, scale)
    by = np.where(np.isfinite(mood), "rating", "").astype(object)
    reader = None
    unrated = ~np.isfinite(mood) & np.array([bool(text.strip()) for text in texts], bool)
    if unrated.any():
        reader = _learn(texts, mood)
        if reader.usable:
            mood[unrated] = reader.read(list(texts[unrated]))
            by[unrated] = "text"
    columns = {"mood": pa.array(mood, pa.float64(), from_pandas=True), "by": pa.array(by, pa.string())}
    for name, column in columns.items():
        records = records.append_column(name, column)
    return Reviews(records, scale, reader)


def _by_the_number_that_counts(records: pa.Table, history: Kept) -> pa.Table:
    """Give reviews of a product that goes on under another number to that number."""
    pairs = history.records("aliases").select(["product", "stands_for"]).to_pylist()
    final = resolve([(row["product"], row["stands_for"]) for row in pairs])
    if not final:
        return records
    products = [final.get(name, name) for name in records["product"].to_pylist()]
    return records.set_column(0, "product", pa.array(products, pa.string()))


def guess_scale(rating: Float[np.ndarray, " review"]) -> tuple[float, float]:
    """Guess the worst and the best rating that can be given, by the best one that was."""
    most = np.nanmax(rating) if np.isfinite(rating).any() else 0.0
    return next((scale for scale in SCALES if most <= scale[1]), (0.0, float(most)))


def scale_rating(rating: Float[np.ndarray, " review"], scale: tuple[float, float]) -> Float[np.ndarray, " review"]:
    """Lay ratings between -1 and 1; NaN where there is none."""
    worst, best = scale
    return np.clip((2 * rating - worst - best) / (best - worst), -1.0, 1.0)


def _learn(texts: np.ndarray, mood: Float[np.ndarray, " review"]) -> Reader:
    clear: Bool[np.ndarray, " review"] = (mood >= GOOD) | (mood <= BAD)
    return learn_to_read(list(texts[clear]), mood[clear] >= GOOD)
