"""What reviews say of a shop: the mood now and before, what changed since when, and whether sales follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float
from scipy.stats import t as student

from client.decision.review.change import Change, find_changes
from client.decision.review.early import Sign, judge_sign
from client.decision.review.mood import Reviews, read_mood, read_reviews
from client.shop.calendar.kept import Kept
from common.errors import DataError

RECENT_DAYS = 90
CONFIDENT = 0.95  # on either side of an interval of 90 %
LEAST_COMPARED = 5  # reviews on either side


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes
    ----------
    table
        A row for each product: product, name, reviews, mood, recent (mood of the last 90 days, null where none),
        recent_reviews, change, change_low, change_high (interval of 90 %, null where either side has fewer than five).
    last
        The last day with a sale or a review.
    """

    reviews: Reviews
    table: pa.Table
    changes: tuple[Change, ...]
    sign: Sign
    last: date

    @property
    def by_rating(self) -> int:
        """Reviews whose mood is their rating's."""
        return int(pc.sum(pc.equal(self.reviews.table["by"], "rating")).as_py() or 0)

    @property
    def by_text(self) -> int:
        """Reviews whose mood is their words'."""
        return int(pc.sum(pc.equal(self.reviews.table["by"], "text")).as_py() or 0)


def report_reviews(history: Kept) -> Report:
    """Say what a shop's reviews tell.

    Raises
    ------
    DataError
        There are none.
    """
    reviews = read_reviews(history)
    told = reviews.table.filter(pc.is_valid(reviews.table["mood"]))
    if not reviews.table.num_rows:
        raise DataError("The history has no reviews; bring them in: hansa-client init reviews.csv --add.")
    if not told.num_rows:
        why = reviews.reader.reason if reviews.reader else "None has words or a rating."
        raise DataError(f"The mood of none of the {reviews.table.num_rows} reviews can be told. {why}")
    span = history.span()
    last = max(pc.max(reviews.table["day"]).as_py(), span[1] if span else date.min)
    units: dict[str, dict[date, float]] = {}
    for row in history.daily().select(["product", "day", "units"]).to_pylist():
        units.setdefault(row["product"], {})[row["day"]] = row["units"] or 0.0
    names = {row["product"]: row["name"] or "" for row in history.products().to_pylist()}
    rows = list(_rows(told, names, last))
    sign = judge_sign(read_mood(history), units)
    return Report(reviews, pa.Table.from_pylist(rows, schema=_SCHEMA), find_changes(told, units), sign, last)


_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("name", pa.string()),
        ("reviews", pa.int64()),
        ("mood", pa.float64()),
        ("recent_reviews", pa.int64()),
        ("recent", pa.float64()),
        ("change", pa.float64()),
        ("change_low", pa.float64()),
        ("change_high", pa.float64()),
    ]
)


def _rows(told: pa.Table, names: dict[str, str], last: date) -> Iterator[dict[str, Any]]:
    """Give a row for each product, those with the most reviews first."""
    since = np.datetime64(last - timedelta(days=RECENT_DAYS - 1), "D")
    products, days = np.array(told["product"].to_pylist(), object), told["day"].to_numpy().astype("datetime64[D]")
    mood = told["mood"].to_numpy()
    counts = {name: int((products == name).sum()) for name in set(products)}
    for name in sorted(counts, key=lambda each: (-counts[each], each)):
        own = products == name
        new, old = mood[own & (days >= since)], mood[own & (days < since)]
        yield {
            "product": name,
            "name": names.get(name, ""),
            "reviews": counts[name],
            "mood": float(mood[own].mean()),
            "recent_reviews": len(new),
            "recent": float(new.mean()) if len(new) else None,
            **_compare(new, old),
        }


def _compare(new: Float[np.ndarray, " new"], old: Float[np.ndarray, " old"]) -> dict[str, float | None]:
    if min(len(new), len(old)) < LEAST_COMPARED:
        return {"change": None, "change_low": None, "change_high": None}
    change = float(new.mean() - old.mean())
    floor = 0.05  # reviews of one mood alone are not certain of the next one
    error = float(np.sqrt((new.var(ddof=1) + floor) / len(new) + (old.var(ddof=1) + floor) / len(old)))
    reach = float(student.ppf(CONFIDENT, df=min(len(new), len(old)) - 1)) * error
    return {"change": change, "change_low": change - reach, "change_high": change + reach}
