"""What was probably wanted on a day out of stock: the expected demand, given that it was at least what was sold.

Day by day, an entity's levels so far (cell by cell, as the anchor has them) and how far its days scatter around them
say what a day is expected to be; a day out of stock enters them as E[Y | Y ≥ sold]. That is one step of expectation
maximisation per day, with what was known then: where levels stand still they settle where the mean of all days,
guessed ones included, is the level itself, which is the maximum-likelihood mean of censored demand. Counts are negative
binomial around their level; of money the logarithm is Gaussian. The scatter is the entity's own, from the same days.

A day out of stock on which nothing was sold says nothing at all: it is left out, as a closed day is. No guess is above
`LARGEST_LIFT` times what was seen to sell, so that a shelf that is always empty does not talk itself up.

Guarantee: what is guessed of an entity's day depends on that entity's own days up to then and on public constants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special

from common.data.panel import Panel
from common.plan.schema import AnchorPlan, ModelPlan

CELL_PRIOR_DAYS = 1.0  # a cell without a past takes the overall level; one day outweighs it
SCATTER_PRIOR_DAYS = 7.0  # and as many days outweigh the guess of the scatter
GUESSED_ALPHA, ALPHAS = 0.3, (1e-3, 10.0)  # of counts: variance m + alpha·m²
GUESSED_DEVIATION, DEVIATIONS = 0.25, (0.02, 2.0)  # of log(1 + money)
LARGEST_LIFT = 4.0
SMALLEST = 1e-200  # of a probability: beyond it demand was what was sold

Values = Float[np.ndarray, " entity"]
Some = Float[np.ndarray, " some"]  # of the entities, those that are out of stock on a day


@dataclass(frozen=True)
class Completed:
    """Demand with the days out of stock filled in.

    Attributes
    ----------
    demand
        As it was sold, and on days out of stock its expected value.
    level_demand
        The same on the scale of the anchor's levels: log(1 + demand) where those are logarithmic.
    seen
        Open days but those out of stock on which nothing was sold.
    """

    demand: Float[np.ndarray, "entity day"]
    level_demand: Float[np.ndarray, "entity day"]
    seen: Bool[np.ndarray, "entity day"]


def complete_demand(
    panel: Panel,
    plan: AnchorPlan,
    cell_of_day: Int[np.ndarray, "entity day"],
    num_cells: int,
    *,
    until: int,
    logarithmic: bool,
) -> Completed:
    """Fill in the days out of stock before day `until`, each from the entity's own days before it."""
    demand, scaled = panel.target, np.log1p(panel.target) if logarithmic else panel.target
    out = panel.censored & (np.arange(panel.num_days) < until)
    rows = np.flatnonzero(out.any(axis=1))
    if not len(rows):
        return Completed(demand, scaled, panel.open)
    demand, scaled = demand.copy(), scaled.copy() if logarithmic else None
    levels = _Levels(len(rows), num_cells, plan, logarithmic=logarithmic)
    own, is_open, cell = panel.target[rows].astype(np.float64), panel.open[rows], cell_of_day[rows]
    for day in range(int(np.flatnonzero(out.any(axis=0))[-1]) + 1):
        guess = levels.follow(own[:, day], is_open[:, day], out[rows, day], cell[:, day])
        if guess is not None:
            filled = rows[out[rows, day]]
            demand[filled, day] = guess.demand
            if scaled is not None:
                scaled[filled, day] = guess.level_demand
    seen = panel.open & ~(out & (panel.target <= 0))
    return Completed(demand, demand if scaled is None else scaled, seen)


def fill_in(panel: Panel, plan: ModelPlan, *, until: int) -> Panel:
    """Give a panel whose days before `until` have what was probably wanted, for methods that know no censored day.

    A day out of stock on which nothing was sold is closed there.
    """
    if not panel.censored[:, :until].any():
        return panel
    cells, money = find_cells(panel, plan.anchor), plan.likelihood == "log_normal"
    completed = complete_demand(panel, plan.anchor, *cells, until=until, logarithmic=money)
    return replace(panel, target=np.where(completed.seen, completed.demand, 0.0), open=completed.seen)


def find_cells(panel: Panel, plan: AnchorPlan) -> tuple[Int[np.ndarray, "entity day"], int]:
    """Tell the cell of each day, weekday × regime as the plan has them, and how many there are."""
    cell, num_cells = np.zeros(panel.target.shape, np.int64), 1
    if plan.by_weekday:
        cell += (np.arange(panel.num_days) + panel.start.weekday()) % 7
        num_cells = 7
    if plan.regime:
        regime = panel.known[:, :, panel.covariates.index(plan.regime)] > 0.5
        cell, num_cells = 2 * cell + regime, 2 * num_cells
    return cell, num_cells


@dataclass(frozen=True)
class _Guess:
    """Expected demand of some entities on a day out of stock, its level's, and its squared distance from the level."""

    demand: Values
    level_demand: Values
    square: Values


class _Levels:
    """Levels and scatter of some entities, as they are known before each day."""

    def __init__(self, num_entities: int, num_cells: int, plan: AnchorPlan, *, logarithmic: bool) -> None:
        self._entities, self._plan, self._logarithmic = np.arange(num_entities), plan, logarithmic
        self._decay = 0.5 ** (1.0 / plan.half_life_days)
        self._total, self._weight = (np.zeros((num_entities, num_cells)) for _ in range(2))
        self._scatter, self._scale, self._sold, self._days = (np.zeros(num_entities) for _ in range(4))

    def follow(
        self,
        sold: Values,
        is_open: Bool[np.ndarray, " entity"],
        out: Bool[np.ndarray, " entity"],
        cell: Int[np.ndarray, " entity"],
    ) -> _Guess | None:
        """Guess the day where it ran out, and let it enter what is known."""
        level, known = self._level(cell), self._weight.sum(1) > 0
        value = np.log1p(sold) if self._logarithmic else sold
        square, guess = (value - level) ** 2, None
        if out.any():
            guess = self._guess(sold[out], level[out], known[out], out)
            value = value.copy()
            value[out], square[out] = guess.level_demand, guess.square
        counts = is_open & ~(out & (sold <= 0))
        tells = counts & known & ~out
        for part in (self._total, self._weight, self._scatter, self._scale, self._sold, self._days):
            part *= self._decay
        self._total[self._entities, cell] += value * counts
        self._weight[self._entities, cell] += counts
        self._sold += sold * counts
        self._days += counts
        self._scatter += (square if self._logarithmic else square - level) * tells
        self._scale += (1.0 if self._logarithmic else level**2) * tells
        return guess

    def _level(self, cell: Int[np.ndarray, " entity"]) -> Values:
        prior, num_cells = self._plan.prior_days, self._total.shape[1]
        mean = self._total.sum(1) / np.maximum(self._weight.sum(1) + prior, 1e-9)
        own = self._total[self._entities, cell], self._weight[self._entities, cell]
        level: Values = (own[0] + CELL_PRIOR_DAYS * mean) / (own[1] + prior / num_cells + CELL_PRIOR_DAYS)
        return level

    def _guess(
        self, sold: Some, level: Some, known: Bool[np.ndarray, " some"], out: Bool[np.ndarray, " entity"]
    ) -> _Guess:
        guess = self._money(sold, level, out) if self._logarithmic else self._count(sold, level, out)
        usual = self._sold[out] / np.maximum(self._days[out], 1e-9)
        most = LARGEST_LIFT * np.maximum(sold, usual)
        demand = np.where(known, np.clip(guess.demand, sold, np.maximum(most, sold)), sold)
        scaled, bound = (np.log1p(sold), np.log1p(most)) if self._logarithmic else (sold, most)
        level_demand = np.where(known, np.clip(guess.level_demand, scaled, np.maximum(bound, scaled)), scaled)
        return _Guess(demand, level_demand, np.where(known, guess.square, 0.0))

    def _count(self, sold: Some, level: Some, out: Bool[np.ndarray, " entity"]) -> _Guess:
        prior = SCATTER_PRIOR_DAYS * np.maximum(level, 1e-6) ** 2
        alpha = np.clip((self._scatter[out] + GUESSED_ALPHA * prior) / (self._scale[out] + prior), *ALPHAS)
        mean, square = expect_count(sold, np.maximum(level, 1e-6), alpha)
        return _Guess(mean, mean, square)

    def _money(self, sold: Some, level: Some, out: Bool[np.ndarray, " entity"]) -> _Guess:
        total = self._scatter[out] + SCATTER_PRIOR_DAYS * GUESSED_DEVIATION**2
        deviation = np.clip(np.sqrt(total / (self._scale[out] + SCATTER_PRIOR_DAYS)), *DEVIATIONS)
        return _Guess(*expect_money(sold, level, deviation))


def expect_count(sold: Values, mean: Values, alpha: Values) -> tuple[Values, Values]:
    """Give E[Y | Y ≥ sold] of a negative binomial, and the expected square of its distance from its mean.

    By y·P(y; r) = m·P(y - 1; r + 1), with size r = 1/alpha and the same odds.
    """
    size = 1 / alpha
    share = mean / (mean + size)
    tail = _count_tail(sold, size, share)
    once = mean * _count_tail(sold - 1, size + 1, share)
    twice = mean**2 * (1 + alpha) * _count_tail(sold - 2, size + 2, share)
    there = tail > SMALLEST
    divisor = np.where(there, tail, 1.0)
    expected = np.where(there, np.maximum(once / divisor, sold), sold)
    second = np.where(there, (twice + once) / divisor, sold**2)
    return expected, np.maximum(second - 2 * mean * expected + mean**2, 0.0)


def _count_tail(count: Values, size: Values, share: Values) -> Values:
    some = count > 0
    return np.where(some, special.betainc(np.where(some, count, 1.0), size, share), 1.0)


def expect_money(sold: Values, level: Values, deviation: Values) -> tuple[Values, Values, Values]:
    """Give E[Y | Y ≥ sold] where log(1 + Y) is Gaussian, and of log(1 + Y) the expected value and squared distance."""
    above = (np.log1p(sold) - level) / deviation
    log_tail = special.log_ndtr(-above)
    hazard = np.exp(-0.5 * above**2 - 0.5 * np.log(2 * np.pi) - log_tail)
    shifted = level + deviation**2 / 2 + special.log_ndtr(deviation - above) - log_tail
    return np.expm1(np.minimum(shifted, 60.0)), level + deviation * hazard, deviation**2 * (1 + above * hazard)
