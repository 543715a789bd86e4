"""How good what was said has been, now that its days have come.

A case is one product in one period (day, week or month). Of several forecasts of it the last one that was made before
it began counts: the one that could be acted upon. Left out are periods with days that have not come, or were forecast
only in part, and cases in which the product was out of stock, for what would have sold is not known. Nothing is stored:
rows that come late change the score the next time it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float, Int

from client.feedback.forecast import Served
from client.feedback.past import WITHOUT, Past
from client.feedback.yardstick import RULES, apply_rule

ALL = ""
CLASSES = ("best sellers", "middle sellers", "slow sellers")  # 80, 15 and 5 % of what was forecast
CLASS_ENDS = (0.8, 0.95)
REPEATS, FEWEST_BLOCKS = 500, 8
BAND = 0.8
SEED = 0


@dataclass(frozen=True)
class Cases:
    """Everything that is scored of one length of period.

    Attributes
    ----------
    row
        Of the product in the past.
    first, last
        Columns of the past.
    rules
        What each plain rule would have said on the day of the forecast.
    out
        Cases that were left out because the product was out of stock.
    """

    by: str
    row: Int[np.ndarray, " case"]
    first: Int[np.ndarray, " case"]
    last: Int[np.ndarray, " case"]
    said: Float[np.ndarray, " case"]
    low: Float[np.ndarray, " case"]
    high: Float[np.ndarray, " case"]
    sold: Float[np.ndarray, " case"]
    rules: Mapping[str, Float[np.ndarray, " case"]]
    out: int


@dataclass(frozen=True)
class Score:
    """The score of one group.

    Attributes
    ----------
    over, under
        Pieces that were forecast and not sold, and sold and not forecast; `over_money` and `under_money` at the price
        they were last sold for, of the cases whose price is known.
    inside, below, above
        Shares of the cases within the band that should hold four of five, and on either side of it.
    rules
        What the plain rules would have missed, pieces.
    gain, gain_low, gain_high
        How much less was missed than by the weekday mean, as a share of what that missed, and nine in ten of its draws.
    """

    group: str
    cases: int
    products: int
    said: float
    sold: float
    over: float
    under: float
    over_money: float
    under_money: float
    inside: float
    below: float
    above: float
    rules: Mapping[str, float]
    gain: float
    gain_low: float
    gain_high: float

    @property
    def missed(self) -> float:
        """Give all pieces that were missed."""
        return self.over + self.under


def find_cases(past: Past, forecasts: Iterable[Served], *, since: date = date.min) -> list[Cases]:
    """Find all cases whose days have come, by length of period; only of days from `since` on.

    A length of which nothing can be judged, since the shop was closed or all was out of stock, is not in it.
    """
    found: dict[str, dict[tuple[int, int], np.ndarray]] = {}
    for served in forecasts:
        _take(found.setdefault(served.by, {}), past, served, max(past.column(since), 0))
    gathered = [_gather(by, past, columns) for by, columns in found.items() if columns]
    return [cases for cases in gathered if len(cases.row)]


def _take(columns: dict[tuple[int, int], np.ndarray], past: Past, served: Served, since: int) -> None:
    """Put a forecast over earlier ones; a column for each period: mean, low, high and origin of every product."""
    table = served.table
    rows, origin = past.rows_of(table["product"].to_pylist()), past.column(served.origin)
    first, last = (
        (table[name].to_numpy().astype("datetime64[D]") - np.datetime64(past.first)).astype(int)
        for name in ("first", "last")
    )
    values = np.stack([table[name].to_numpy() for name in ("mean", "q10", "q90")]).astype(np.float64)
    has_come = ~table["partial"].to_numpy(zero_copy_only=False) & (last < len(past.open)) & (first >= since)
    is_open = table["open_days"].to_numpy() > 0
    for begin in np.unique(first[has_come]):
        own = has_come & (first == begin) & (rows >= 0) & is_open
        place = (int(begin), int(last[first == begin][0]))
        column = columns.setdefault(place, np.full((4, len(past.products)), np.nan))
        column[:3, rows[own]], column[3, rows[own]] = values[:, own], origin


def _gather(by: str, past: Past, columns: Mapping[tuple[int, int], np.ndarray]) -> Cases:
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("row", "first", "last", "said", "low", "high", "sold")}
    rules: dict[str, list[np.ndarray]] = {rule: [] for rule in RULES}
    out = 0
    for (first, last), column in sorted(columns.items()):
        there = np.isfinite(column[0])
        is_out = past.out[:, first : last + 1].any(axis=1)
        out += int((there & is_out).sum())
        rows = np.flatnonzero(there & ~is_out)
        sold = past.units[rows, first : last + 1].sum(axis=1, dtype=np.float64)
        said = {rule: np.zeros(len(rows)) for rule in RULES}
        for origin in np.unique(column[3, rows]):
            own = column[3, rows] == origin
            for rule in RULES:
                said[rule][own] = apply_rule(rule, past, origin=int(origin), first=first, last=last)[rows[own]]
        values = (rows, np.full(len(rows), first), np.full(len(rows), last), *column[:3, rows], sold)
        for name, value in zip(parts, values, strict=True):
            parts[name].append(value)
        for rule in RULES:
            rules[rule].append(said[rule])
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    return Cases(by=by, **joined, rules={rule: np.concatenate(values) for rule, values in rules.items()}, out=out)


def score_cases(past: Past, cases: Cases) -> list[Score]:
    """Score all cases, and those of each group: categories, or where there are none how well the products sell."""
    groups = _groups(past, cases)
    every = [(ALL, np.ones(len(cases.row), bool)), *((name, groups == name) for name in _ordered(groups))]
    return [_score(name, past, cases, own) for name, own in every if own.any()]


def _groups(past: Past, cases: Cases) -> np.ndarray:
    if any(past.category):
        names = np.array([category or WITHOUT for category in past.category], dtype=object)
        return names[cases.row]
    total = np.bincount(cases.row, cases.said, len(past.products))
    order = np.argsort(-total, kind="stable")
    before = np.cumsum(total[order]) - total[order]
    place = np.empty(len(order), int)
    place[order] = np.searchsorted(np.array(CLASS_ENDS) * max(total.sum(), 1e-9), before, side="right")
    return np.array(CLASSES, dtype=object)[place][cases.row]


def _ordered(groups: np.ndarray) -> Sequence[str]:
    names = sorted(set(groups))
    return [name for name in CLASSES if name in names] if set(names) <= set(CLASSES) else names


def _score(name: str, past: Past, cases: Cases, own: Bool[np.ndarray, " case"]) -> Score:
    said, sold, row = cases.said[own], cases.sold[own], cases.row[own]
    over, under, price = np.maximum(said - sold, 0.0), np.maximum(sold - said, 0.0), past.price[row]
    missed = {rule: np.abs(values[own] - sold) for rule, values in cases.rules.items()}
    gain = _gain(over + under, missed["weekday_mean"], cases.first[own], row)
    below, above = (sold < cases.low[own] - 1e-6).mean(), (sold > cases.high[own] + 1e-6).mean()
    return Score(
        group=name,
        cases=len(row),
        products=len(np.unique(row)),
        said=float(said.sum()),
        sold=float(sold.sum()),
        over=float(over.sum()),
        under=float(under.sum()),
        over_money=_worth(over, price),
        under_money=_worth(under, price),
        inside=float(1 - below - above),
        below=float(below),
        above=float(above),
        rules={rule: float(values.sum()) for rule, values in missed.items()},
        gain=gain[0],
        gain_low=gain[1],
        gain_high=gain[2],
    )


def _worth(pieces: Float[np.ndarray, " case"], price: Float[np.ndarray, " case"]) -> float:
    known = np.isfinite(price)
    return float((pieces[known] * price[known]).sum()) if known.any() else float("nan")


def _gain(own: np.ndarray, other: np.ndarray, first: np.ndarray, row: np.ndarray) -> tuple[float, float, float]:
    """Give how much less was missed, and an interval of nine in ten by drawing periods anew, or products where few."""
    blocks = first if len(np.unique(first)) >= FEWEST_BLOCKS else row
    _, place = np.unique(blocks, return_inverse=True)
    sums = np.stack([np.bincount(place, values) for values in (own, other)])
    if sums[1].sum() <= 0:
        return float("nan"), float("nan"), float("nan")
    number = sums.shape[1]
    counts = np.random.default_rng(SEED).multinomial(number, np.full(number, 1 / number), REPEATS)
    drawn = counts @ sums.T
    gains = 1 - drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9)
    low, high = np.quantile(gains, [0.05, 0.95])
    return float(1 - sums[0].sum() / sums[1].sum()), float(low), float(high)


def days_between(past: Past, cases: Cases) -> tuple[date, date]:
    """Give the first and the last day that was scored."""
    return past.first + timedelta(days=int(cases.first.min())), past.first + timedelta(days=int(cases.last.max()))
