"""How far what is sold in some days may lie from its mean: intervals of a day, a week or a month, all by one rule.

The mean of a period is the sum of its days' means. How far sums of as many days missed theirs was seen on past
horizons, and three steps turn that into quantiles:

1. **all products**: variance over mean, as a function of the mean, in bins of like means;
2. **this product**: a factor on it, from its own misses, held near 1 by a few periods' worth of prior;
3. **the levels**: of a distribution with that mean and variance (negative binomial of counts, gamma of amounts) it is
   seen which level was really exceeded in one case out of ten, two out of ten, …, and that one is served.

So a quantile of a week is no sum of quantiles of days, and needs no assumption of how days hang together: weeks are
measured as weeks. Each past horizon is judged with factors from the others.

References
----------
Step 3: Kuleshov, Fenner & Ermon, "Accurate uncertainties for deep learning using calibrated regression", ICML 2018,
with the randomised probability integral transform of counts (Czado, Gneiting & Held, Biometrics 2009).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

BINS, FEWEST_IN_BIN = 8, 30  # of like means
LEVEL_BINS, FEWEST_IN_LEVEL_BIN = 4, 150
OWN_PRIOR, LARGEST_MISS = 6.0, 12.0  # periods; a squared miss in units of the variance, beyond which it is not counted
LEVEL_PRIOR = 60.0  # periods that the unchanged levels are worth
FEWEST_ORIGINS = 4  # what a whole horizon has in common is seen once in each; with fewer it is hardly seen
GUESSED_RATIO, GUESSED_SLOPE = 1.5, 0.3  # variance over mean, where nothing was seen
GUESS_PRIOR = 8.0  # sums that this guess is worth where a few were seen
WHIM_SHARE, WHIM_TIMES = 0.05, 20.0  # of products with like means, one at least; times the squared misses of the next
KNOTS = np.linspace(0.0, 1.0, 21)
SMALLEST = 1e-6


@dataclass(frozen=True)
class Periods:
    """Sums over as many days, of past horizons.

    Attributes
    ----------
    mean, actual
        As forecast, and as it came.
    counted
        Whether a day of it was open.
    """

    mean: Float[np.ndarray, "origin product period"]
    actual: Float[np.ndarray, "origin product period"]
    counted: Bool[np.ndarray, "origin product period"]


@dataclass(frozen=True)
class Spread:
    """What all products of a shop together tell of sums over so many days.

    Attributes
    ----------
    log_means, log_ratios
        Variance over mean at some means, as logarithms.
    cuts
        Between the bins of like means in which levels are corrected.
    levels
        For each such bin the level of the plain distribution that stands for each of `KNOTS`.
    """

    counts: bool
    log_means: Float[np.ndarray, " bin"]
    log_ratios: Float[np.ndarray, " bin"]
    cuts: Float[np.ndarray, " cut"]
    levels: Float[np.ndarray, "part knot"]

    def variance(self, mean: np.ndarray) -> np.ndarray:
        """Give the variance of any product of that mean."""
        safe = np.maximum(mean, SMALLEST)
        ratio = np.exp(np.interp(np.log(safe), self.log_means, self.log_ratios))
        beyond = np.maximum(safe / np.exp(self.log_means[-1]), 1.0)  # relative errors stay, so the ratio grows
        return safe * ratio * beyond

    def own_factor(self, periods: Periods) -> Float[np.ndarray, " product"]:
        """Give what each product's variance is of that of all, from its own misses."""
        misses, seen = self._misses(periods)
        return (misses.sum(axis=(0, 2)) + OWN_PRIOR) / (seen.sum(axis=(0, 2)) + OWN_PRIOR)

    def held_out_factor(self, periods: Periods) -> Float[np.ndarray, "origin product period"]:
        """Give the same for each past horizon from the others."""
        misses, seen = (part.sum(axis=2) for part in self._misses(periods))
        misses, seen = misses.sum(axis=0) - misses, seen.sum(axis=0) - seen
        factor = (misses + OWN_PRIOR) / (seen + OWN_PRIOR)
        return np.broadcast_to(factor[:, :, None], periods.mean.shape)

    def _misses(self, periods: Periods) -> tuple[np.ndarray, np.ndarray]:
        squared = (periods.actual - periods.mean) ** 2 / self.variance(periods.mean)
        seen = periods.counted & (periods.mean > SMALLEST)
        return np.minimum(squared, LARGEST_MISS) * seen, seen

    def quantiles(
        self, mean: np.ndarray, factor: np.ndarray, wanted: tuple[float, ...]
    ) -> Float[np.ndarray, "... level"]:
        """Give quantiles in rising order, 0 where the mean is."""
        variance = self.variance(mean) * factor
        part = np.searchsorted(self.cuts, np.log(np.maximum(mean, SMALLEST)))
        columns = []
        for level in wanted:
            plain = np.array([np.interp(level, KNOTS, own) for own in self.levels])[part]
            columns.append(self._invert(plain, mean, variance))
        found = np.maximum.accumulate(np.stack(columns, axis=-1), axis=-1)
        found[mean <= SMALLEST] = 0.0
        return found

    def probability(self, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Give the probability that anything is sold, of counts."""
        variance = self.variance(mean) * factor
        nothing = self._below(np.zeros_like(mean), mean, variance)
        part = np.searchsorted(self.cuts, np.log(np.maximum(mean, SMALLEST)))
        told = np.empty_like(nothing)
        for place, own in enumerate(self.levels):
            rising = np.maximum.accumulate(own + np.arange(len(own)) * 1e-12)
            told = np.where(part == place, np.interp(nothing, rising, KNOTS), told)
        chance: np.ndarray = np.where(mean <= SMALLEST, 0.0, np.clip(1.0 - told, 0.0, 1.0))
        return chance

    def _below(self, value: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Give the plain distribution's probability of up to `value`."""
        safe = np.maximum(mean, SMALLEST)
        if not self.counts:
            return np.asarray(special.gammainc(safe**2 / variance, value * safe / variance))
        size, success = _size(safe, variance)
        return np.where(value < 0, 0.0, special.betainc(size, np.maximum(value, 0.0) + 1.0, success))

    def _invert(self, level: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        safe = np.maximum(mean, SMALLEST)
        level = np.clip(level, SMALLEST, 1 - SMALLEST)
        if not self.counts:
            return np.asarray(special.gammaincinv(safe**2 / variance, level) * variance / safe)
        size, success = _size(safe, variance)
        some = level > self._below(np.zeros_like(safe), safe, variance)
        found = np.zeros_like(safe)
        found[some] = np.ceil(special.nbdtrik(level[some], size[some], success[some]) - 1e-9)
        return np.where(np.isfinite(found), np.maximum(found, 0.0), np.rint(safe))


def _size(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the negative binomial's number of successes and its probability of one; it varies as a Poisson or more."""
    variance = np.maximum(variance, mean * 1.01)
    return mean**2 / (variance - mean), mean / variance


def guess_spread(*, counts: bool) -> Spread:
    """Give what is assumed of a shop without a past to measure in."""
    means = np.array([0.01, 0.1, 1.0, 10.0, 100.0])
    return Spread(
        counts, np.log(means), np.log(GUESSED_RATIO + GUESSED_SLOPE * means), np.zeros(0), KNOTS[None, :].copy()
    )


def measure_spread(periods: Periods, *, counts: bool, seed: int) -> Spread:
    """Measure how far sums missed their means on past horizons.

    Parameters
    ----------
    seed
        Where a count equals a mean's level, it stands for a draw between that level and the one below.
    """
    seen = periods.counted & (periods.mean > SMALLEST)
    mean, actual = periods.mean[seen], periods.actual[seen]
    if len(mean) < FEWEST_IN_BIN or not actual.any():
        return _scale_guess(guess_spread(counts=counts), mean, actual)
    product = np.broadcast_to(np.arange(seen.shape[1])[None, :, None], seen.shape)[seen]
    log_means, log_ratios = _ratios(mean, actual, product)
    rough = Spread(counts, log_means, log_ratios, np.zeros(0), KNOTS[None, :].copy())
    factor = rough.held_out_factor(periods)[seen]
    reached = _transform(rough, mean, actual, factor, np.random.default_rng(seed))
    cuts = _cuts(np.log(mean))
    part = np.searchsorted(cuts, np.log(mean))
    levels = np.stack([_levels(reached[part == place]) for place in range(len(cuts) + 1)])
    unseen = max(1.0 / len(periods.mean) - 1.0 / FEWEST_ORIGINS, 0.0)
    return Spread(counts, log_means, log_ratios + np.log1p(unseen), cuts, levels)


def _scale_guess(guess: Spread, mean: np.ndarray, actual: np.ndarray) -> Spread:
    """Widen or narrow the guess by the few sums that there are, each worth one of `GUESS_PRIOR`."""
    if not actual.any():
        return guess
    seen, guessed = max(((actual - mean) ** 2).sum(), 0.01 * mean.sum()), guess.variance(mean).sum()
    weight = len(mean) / (len(mean) + GUESS_PRIOR)
    return replace(guess, log_ratios=guess.log_ratios + weight * np.log(seen / guessed))


def _ratios(mean: np.ndarray, actual: np.ndarray, product: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(mean, kind="stable")
    groups = np.array_split(order, max(1, min(BINS, len(mean) // FEWEST_IN_BIN)))
    squared, sale = (actual - mean) ** 2, float(np.median(actual[actual > 0]))
    groups = [group[_is_usual(squared[group], product[group], sale)] for group in groups]
    log_means = np.log(np.array([mean[group].mean() for group in groups]))
    ratios = [max(squared[group].sum(), 0.01 * mean[group].sum()) / mean[group].sum() for group in groups]
    return log_means, np.log(np.array(ratios))


def _is_usual(squared: np.ndarray, product: np.ndarray, sale: float) -> np.ndarray:
    """Tell which sums are of no product that misses far more than nearly all others with like means.

    Else one order of a million pieces, or a slip of a key, would widen the intervals of everything that sells as much.

    Parameters
    ----------
    sale
        What is usual where anything is sold; misses of so much are never left out.
    """
    missed = np.bincount(product, squared)
    rising = np.sort(missed[np.unique(product)])
    whims = int(np.ceil(WHIM_SHARE * len(rising)))
    if len(rising) <= whims:
        return np.ones(len(product), bool)
    return np.asarray(missed[product] <= WHIM_TIMES * max(rising[-1 - whims], sale**2))


def _transform(
    spread: Spread, mean: np.ndarray, actual: np.ndarray, factor: np.ndarray, generator: np.random.Generator
) -> Float[np.ndarray, " period"]:
    """Give the level that each outcome reached; of a count a draw between its level and that of the count below."""
    variance = spread.variance(mean) * factor
    upper = spread._below(actual, mean, variance)
    if not spread.counts:
        return upper
    lower = spread._below(actual - 1.0, mean, variance)
    return np.asarray(lower + generator.random(len(mean)) * (upper - lower))


def _cuts(log_means: np.ndarray) -> np.ndarray:
    parts = max(1, min(LEVEL_BINS, len(log_means) // FEWEST_IN_LEVEL_BIN))
    return np.unique(np.quantile(log_means, np.arange(1, parts) / parts))


def _levels(reached: np.ndarray) -> Float[np.ndarray, " knot"]:
    """Give the level of the plain distribution below which each share of outcomes lay, held near that share."""
    if len(reached) == 0:
        return KNOTS.copy()
    seen = np.quantile(reached, KNOTS)
    share = len(reached) / (len(reached) + LEVEL_PRIOR)
    return share * seen + (1 - share) * KNOTS
