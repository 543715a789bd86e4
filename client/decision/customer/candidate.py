"""Who says how probable it is that a customer buys: the candidates, each fitted on what was known before a day.

    base       the share of customers that bought, for everybody
    simple     logistic regression on recency and number of purchases
    bg_nbd     the model of `buy_till_die`, fitted on the purchases themselves
    logistic   logistic regression on everything in `Past.features` and on what BG/NBD says
    trees      boosted trees on the same

The learned ones learn from snapshots 30 days apart, each of which ended before the day. `base` and `simple` are the
simple ones, than which nothing that is served may be worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, logit

from client.decision.customer.buy_till_die import BuyTillDie, fit_past, times_of
from client.decision.customer.level import YEAR, Level, foresee, measure_level
from client.decision.customer.past import SIMPLE, Past, look_back, see
from client.decision.customer.purchase import Purchases
from client.forecast.method.logistic import fit_logistic

CANDIDATES = ("base", "simple", "bg_nbd", "logistic", "trees")
SIMPLE_ONES = ("base", "simple", "bg_nbd")
STEP_DAYS, SNAPSHOTS = 30, 12
LEAST_LEARNING = 200  # purchases of snapshots that trees want to see
FIRST_DAY = 60  # before it, nobody's rhythm is known
BUSY = 0.6  # share of days with a sale from which on a day without one is a closed day
EDGE = 1e-4  # no probability is nearer to 0 or 1

Chance = Float[np.ndarray, " some"]


class Pasts:
    """A shop's purchases with what is known before each day kept, since horizons and origins share days."""

    def __init__(self, purchases: Purchases) -> None:
        self.purchases = purchases
        self.past = lru_cache(maxsize=None)(self._past)
        self.model = lru_cache(maxsize=None)(self._model)

    def _past(self, day: int) -> Past:
        return look_back(self.purchases, day)

    def _model(self, day: int) -> BuyTillDie:
        return fit_past(self.past(day))


class Book:
    """What was worked out of the pasts for one horizon, kept, since origins share snapshots."""

    def __init__(self, pasts: Pasts, horizon_days: int) -> None:
        self.purchases, self.horizon_days = pasts.purchases, horizon_days
        self._usual_share = float(self.purchases.selling.mean()) if self.purchases.num_days else 0.0
        self.past, self.model = pasts.past, pasts.model
        self.learning_rows = lru_cache(maxsize=None)(self._learning_rows)
        self.level_seen = lru_cache(maxsize=None)(self._level_seen)
        self.level_ahead = lru_cache(maxsize=None)(self._level_ahead)

    def bg_nbd(self, day: int, horizon_days: float) -> Chance:
        """Give what BG/NBD says without any level."""
        return _keep_off(self.model(day).buys(*times_of(self.past(day)), horizon_days))

    def live_days(self, day: int, horizon_days: int) -> float:
        """Count the days of a past horizon on which the shop sold, in days of usual weeks."""
        if self._usual_share < BUSY:
            return float(horizon_days)
        return float(max(self.purchases.selling[day : day + horizon_days].sum() / self._usual_share, 1.0))

    def _level_seen(self, day: int, horizon_days: int) -> float:
        bought = see(self.past(day), horizon_days).bought
        return measure_level(self.bg_nbd(day, self.live_days(day, horizon_days)), bought)

    def _level_ahead(self, day: int) -> Level:
        days = [each for each in self.snapshots(day, SNAPSHOTS) if each >= FIRST_DAY]
        signs = np.array([self._signs(each) for each in days]).reshape(-1, 2)
        seen = np.array([self.level_seen(each, self.horizon_days) for each in days])
        return foresee(signs[:, 0], signs[:, 1], seen, self._signs(day))

    def _signs(self, day: int) -> tuple[float, float]:
        """Give the level of the weeks before a day, and how it moved from such weeks on a year ago."""
        weeks = min(self.horizon_days, STEP_DAYS)
        before, year_ago = day - weeks, day - YEAR
        last = self.level_seen(before, weeks) if before >= FIRST_DAY else 0.0
        if year_ago - weeks < FIRST_DAY or self.horizon_days >= YEAR:
            return last, 0.0
        return last, self.level_seen(year_ago, self.horizon_days) - self.level_seen(year_ago - weeks, weeks)

    def features(self, past: Past, level: float, live_days: float) -> Float[np.ndarray, "some feature"]:
        """Give what is known of every customer, and what BG/NBD says of her at a level and for so many days."""
        model, times = self.model(past.day), times_of(past)
        said = logit(_keep_off(model.buys(*times, live_days))) + level
        return np.column_stack([past.features(self.horizon_days), said, logit(_keep_off(model.alive(*times)))])

    def _learning_rows(self, day: int) -> Float[np.ndarray, "some feature"]:
        """Give the features at a past day, at the level and for the days that then came."""
        level, live_days = self.level_seen(day, self.horizon_days), self.live_days(day, self.horizon_days)
        return self.features(self.past(day), level, live_days)

    def bought(self, day: int) -> Bool[np.ndarray, " some"]:
        """Say who bought within the horizon."""
        return see(self.past(day), self.horizon_days).bought

    def snapshots(self, day: int, number: int) -> list[int]:
        """Give the last days whose horizon had ended by a day, the newest first."""
        latest = day - self.horizon_days
        days = [latest - STEP_DAYS * back for back in range(number)]
        return [each for each in days if each > 0 and len(self.past(each).who)]


@dataclass(frozen=True)
class Served:
    """What every candidate says of the customers of a past, and what it was told by."""

    said: dict[str, Chance]
    level: Level
    model: BuyTillDie
    features: Float[np.ndarray, "some feature"]
    times: tuple[np.ndarray, np.ndarray, np.ndarray]


def ask_candidates(book: Book, day: int, past: Past, names: Sequence[str] = CANDIDATES) -> Served:
    """Let every candidate say how probable a purchase within the horizon is, from what is known before a day.

    `past` may be of more customers than the book learns from. Where no horizon has ended yet, BG/NBD speaks alone.
    """
    horizon, level, times = float(book.horizon_days), book.level_ahead(day), times_of(past)
    here = book.features(past, level.value, horizon)
    said = {"bg_nbd": _keep_off(expit(logit(_keep_off(book.model(day).buys(*times, horizon))) + level.value))}
    snapshots = book.snapshots(day, SNAPSHOTS)
    rows, bought = [book.learning_rows(each) for each in snapshots], [book.bought(each) for each in snapshots]
    for name in (name for name in names if name != "bg_nbd" and rows):
        if name == "base":
            told = np.full(len(here), (bought[0].sum() + 1) / (len(bought[0]) + 2))
        elif name == "simple":
            told = _learn(name, rows[0], bought[0], here)
        else:
            told = _learn(name, np.concatenate(rows), np.concatenate(bought), here)
        said[name] = _keep_off(told)
    return Served(said, level, book.model(day), here, times)


def _learn(name: str, rows: np.ndarray, bought: np.ndarray, here: np.ndarray) -> Chance:
    if name == "simple":
        return fit_logistic(rows[:, :SIMPLE], bought).predict(here[:, :SIMPLE])
    if name == "logistic" or bought.sum() < LEAST_LEARNING or (~bought).sum() < LEAST_LEARNING:
        return fit_logistic(rows, bought).predict(here)
    from sklearn.ensemble import HistGradientBoostingClassifier  # heavy

    trees = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.06, max_leaf_nodes=12, min_samples_leaf=60, l2_regularization=5.0, random_state=0
    )
    return trees.fit(rows, bought).predict_proba(here)[:, 1]


def _keep_off(chance: Chance) -> Chance:
    return np.clip(chance, EDGE, 1 - EDGE)
