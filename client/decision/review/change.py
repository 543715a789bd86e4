"""Whether the mood about a product changed, and since when; what is written since then; how it sold since then.

The day is the one that parts its reviews into the two most different halves. Whether that is chance is told in two
ways, each of which may err in half of the cases allowed: by shuffling the product's reviews among its days, and by
products that `client.decision.review.usual` draws from what reviews of this shop are like. The first needs nothing but
the product's own reviews, and many of them; the second sees a product of a dozen turn that few others of the shop
resemble. In a shop whose moods never change any product is named in at most `FALSE_ALARMS` of cases.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from client.decision.review.mood import BAD
from client.decision.review.usual import Usual, count_moods

FALSE_ALARMS = 0.05  # products named by chance in a whole shop
SHUFFLES = 999
LEAST_REVIEWS = 12  # of a product
LEAST_SIDE = 4  # reviews before and after
LEAST_CHANGE = 0.2  # of the mood; a smaller one is not worth a word
AFTER_DAYS = 28
LEAST_MENTIONS, SURE, MOST_WORDS = 3, 2.0, 3
WORD = re.compile(r"[^\W\d_]{3,}")
CHINESE = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True)
class Change:
    """A product whose mood changed.

    Attributes
    ----------
    since
        Day of the first review of the new mood.
    before, after
        Mood, -1 to 1, of so many reviews each.
    chance
        How often so clear a change comes by chance.
    about
        Words that are in bad reviews since then, and were not before.
    sales
        Units of the four weeks after over those of the four weeks before, over the same of the rest of the shop; NaN
        where it cannot be told.
    """

    product: str
    since: date
    before: float
    after: float
    num_before: int
    num_after: int
    chance: float
    about: tuple[str, ...]
    sales: float


def find_changes(reviews: pa.Table, units: Mapping[str, Mapping[date, float]], *, seed: int = 0) -> tuple[Change, ...]:
    """Find the products whose mood changed, the worst change first.

    Parameters
    ----------
    reviews
        As `client.decision.review.mood.Reviews.table` is, of which mood is told.
    units
        By product and day.
    """
    draw, found = np.random.default_rng(seed), []
    rows = {name: _of(reviews, name) for name in sorted(set(reviews["product"].to_pylist())) if name}
    long = {name: table for name, table in rows.items() if table.num_rows >= LEAST_REVIEWS}
    everything, counts = _sum_up(units), count_moods([table["mood"].to_numpy() for table in rows.values()])
    places = {name: place for place, name in enumerate(rows)}
    for name, table in long.items():
        mood = table["mood"].to_numpy()
        place, size = find_split(mood)
        usual = counts.usual_without(places[name])
        chance = _chance(mood, size, usual, enough=FALSE_ALARMS / 2 / len(long), draw=draw)
        if chance > FALSE_ALARMS / len(long):
            continue
        before, after = float(mood[:place].mean()), float(mood[place:].mean())
        if abs(after - before) < LEAST_CHANGE:
            continue
        since = table["day"][place].as_py()
        about = find_words(table.slice(0, place), table.slice(place)) if after < before else ()
        sales = _compare_sales(units.get(name, {}), everything, since)
        found.append(Change(name, since, before, after, place, len(mood) - place, chance, about, sales))
    return tuple(sorted(found, key=lambda each: each.after - each.before))


def _of(reviews: pa.Table, product: str) -> pa.Table:
    return reviews.filter(pc.equal(reviews["product"], product))


def find_split(mood: Float[np.ndarray, " review"]) -> tuple[int, float]:
    """Give the place that parts reviews into the two most different halves, and how different they are."""
    size = _differences(mood[None])[0]
    place = int(size.argmax())
    return place + 1, float(size[place])


def _differences(mood: Float[np.ndarray, "series review"]) -> Float[np.ndarray, "series place"]:
    number = mood.shape[1]
    total, sums = mood.sum(axis=1, keepdims=True), np.cumsum(mood, axis=1)[:, :-1]
    left = np.arange(1, number)
    size = np.abs(sums / left - (total - sums) / (number - left)) * np.sqrt(left * (number - left) / number)
    size[:, : LEAST_SIDE - 1] = size[:, number - LEAST_SIDE :] = 0.0
    return size


def _chance(
    mood: Float[np.ndarray, " review"], seen: float, usual: Usual | None, *, enough: float, draw: np.random.Generator
) -> float:
    """Give twice the smaller of the two chances, or that of the shuffled alone where no product can be drawn."""
    shuffled = _count_larger(lambda number: draw.permuted(np.tile(mood, (number, 1)), axis=1), seen, enough)
    if usual is None:
        return shuffled
    drawn = _count_larger(lambda number: usual.draw(number, len(mood), draw), seen, enough)
    return min(2 * min(shuffled, drawn), 1.0)


def _count_larger(make: Callable[[int], Float[np.ndarray, "series review"]], seen: float, enough: float) -> float:
    """Tell in which share a difference is as large; of more where it is close."""
    more, done = 0, 0
    for number in (SHUFFLES, max(int(2 / enough) - SHUFFLES, 0)):
        for first in range(0, number, SHUFFLES):
            made = make(min(SHUFFLES, number - first))
            more += int((_differences(made).max(axis=1) >= seen - 1e-12).sum())
            done += len(made)
        if (1 + more) / (1 + done) > max(enough, 1 / (1 + SHUFFLES)):
            break
    return (1 + more) / (1 + done)


def find_words(before: pa.Table, after: pa.Table) -> tuple[str, ...]:
    """Find words that bad reviews have since then and that no more than chance had before.

    Notes
    -----
    Logarithm of the odds of a review naming the word, half a review added everywhere, over its standard error (Woolf
    1955, Haldane 1956).
    """
    bad = after.filter(pc.less_equal(after["mood"], BAD))
    new, old = (_count(table["text"].to_pylist()) for table in (bad, before))
    found = []
    for word, number in new.items():
        cells = np.array([number, bad.num_rows - number, old[word], before.num_rows - old[word]]) + 0.5
        odds = np.log(cells[0] * cells[3] / (cells[1] * cells[2])) / np.sqrt((1 / cells).sum())
        if number >= LEAST_MENTIONS and odds >= SURE:
            found.append((-odds, -number, word))
    chosen: list[str] = []
    for _, _, word in sorted(found):
        if not any(word in other or other in word for other in chosen):
            chosen.append(word)
    return tuple(chosen[:MOST_WORDS])


def _count(texts: Sequence[str | None]) -> Counter[str]:
    """Count in how many texts each word is; of Chinese each pair of characters is one."""
    counts = Counter[str]()
    for text in texts:
        words = {word.lower() for word in WORD.findall(text or "") if not CHINESE.search(word)}
        for run in CHINESE.findall(text or ""):
            words |= {run[place : place + 2] for place in range(len(run) - 1)}
        counts.update(words)
    return counts


def _sum_up(units: Mapping[str, Mapping[date, float]]) -> dict[date, float]:
    total: dict[date, float] = {}
    for own in units.values():
        for day, number in own.items():
            total[day] = total.get(day, 0.0) + number
    return total


def _compare_sales(own: Mapping[date, float], everything: Mapping[date, float], since: date) -> float:
    days = [timedelta(days=day) for day in range(AFTER_DAYS)]
    if not everything or since + days[-1] > max(everything):
        return float("nan")
    mine, all_ = (
        np.array(
            [[units.get(since + day, 0.0) for day in days], [units.get(since - day - days[1], 0.0) for day in days]]
        )
        for units in (own, everything)
    )
    after, before = mine.sum(axis=1)
    rest = (all_ - mine).sum(axis=1)
    if min(after, before) < 0 or before < 10 or rest.min() < 10:
        return float("nan")
    return float(after / before / (rest[0] / rest[1]))
