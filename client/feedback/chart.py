"""Notice that forecasts have begun to miss to one side: Page's CUSUM on sequential ranks, one week at a time.

`x[t]`, the logarithm of sold over forecast of week t, is held against the weeks before it:

1. **Carry-over out**: `e[t] = x[t] - r (x[t-1] - median)`, r being the lag-one autocorrelation of the weeks before,
   never below 0 and held near 0 where weeks are few. Unusual weeks come in rows, and a row of them is one.
2. **Rank**: the share of the weeks before whose e is smaller, as a normal score z[t]. While nothing changes, every
   place in the order is as probable as any other, whatever the law of the errors: a few mad weeks, a constant lean and
   small or large shops make no difference to the false alarms.
3. **CUSUM**: up[t] = max(0, up[t-1] + z[t] - `ALLOWANCE`), and down[t] likewise of -z. Above a limit is an alarm, after
   which both begin at 0 again. The limit is higher by `WIDER` of it for all of r above `WIDER_FROM`: where much is
   carried over, what of it is not known shows as rows of unusual weeks.

**Guarantee.** Where the weeks are exchangeable, alarms of all charts of a shop together come at most once in
`FALSE_ALARM_WEEKS` weeks on average: half of that is the whole shop's, the other half is shared by its groups. Limits
are those of normal scores (Brook & Evans 1972), which ranks stay below; `hansa-sim drift` counts the alarms, also
where weeks hang together.

References
----------
Page, "Continuous inspection schemes", Biometrika 1954. McDonald, "A CUSUM procedure based on sequential ranks", Naval
Research Logistics 1990. Brook & Evans, "An approach to the probability distribution of CUSUM run length", Biometrika
1972, §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import special, stats

FALSE_ALARM_WEEKS = 52.0  # between two of a shop, on average
MARGIN = 1.25  # limits are those of so many times as many weeks, since what weeks carry over is only partly taken out
ALLOWANCE = 0.5
FEWEST_WEEKS = 12  # before one that is judged
MOST_WEEKS = 104  # that it is held against
WIDER_FROM, WIDER = 0.2, 0.4
CARRY_PRIOR = 10.0  # weeks without carry-over that the prior is worth
MOST_CARRY = 0.8
STATES = 60  # of the chain that limits are computed by
SHIFT, WITHIN_WEEKS = 0.2, 4
REPEATS = 1000


@dataclass(frozen=True)
class Chart:
    """One group's weeks, judged.

    Attributes
    ----------
    score
        Normal score of each week; NaN before `FEWEST_WEEKS` have gone.
    up, down
        Of the CUSUM, before it begins anew after an alarm.
    alarm
        1 where sales have risen over the forecasts, -1 where they have fallen below; else 0.
    begin
        For an alarm the first week of the rise or fall; else -1.
    """

    score: Float[np.ndarray, "run week"]
    up: Float[np.ndarray, "run week"]
    down: Float[np.ndarray, "run week"]
    alarm: Float[np.ndarray, "run week"]
    begin: Float[np.ndarray, "run week"]


def limits_of(groups: int) -> tuple[float, float]:
    """Give the limit of the shop's chart, and of each of its groups' (of none where it has none)."""
    weeks = MARGIN * FALSE_ALARM_WEEKS
    return (find_limit(2 * weeks), find_limit(2 * weeks * groups)) if groups else (find_limit(weeks), np.inf)


@cache
def find_limit(weeks: float) -> float:
    """Find the limit at which a chart of both sides has one false alarm in so many weeks."""
    low, high = 0.5, 20.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if run_length(middle) < 2 * weeks else (low, middle)
    return high


def run_length(limit: float) -> float:
    """Give the mean weeks to an alarm of one side, of independent standard normal scores (Brook & Evans 1972)."""
    width = 2 * limit / (2 * STATES - 1)
    centre = np.arange(STATES) * width
    step = centre[None, :] - centre[:, None] + ALLOWANCE
    chance = special.ndtr(step + width / 2) - special.ndtr(step - width / 2)
    chance[:, 0] = special.ndtr(-centre + width / 2 + ALLOWANCE)
    return float(np.linalg.solve(np.eye(STATES) - chance, np.ones(STATES))[0])


def judge(errors: Float[np.ndarray, "run week"], limit: float, *, first: int = FEWEST_WEEKS) -> Chart:
    """Judge every week by those before it.

    Parameters
    ----------
    errors
        Logarithms of sold over forecast.
    first
        Weeks that are only learned from.
    """
    runs, weeks = errors.shape
    score, begin = np.full((runs, weeks), np.nan), np.full((runs, weeks), -1.0)
    up, down, alarm = np.zeros((3, runs, weeks))
    level, since = np.zeros((2, runs)), np.full((2, runs), -1.0)
    for week in range(max(first, 2), weeks):
        score[:, week], carry = score_week(errors[:, max(week - MOST_WEEKS, 0) : week + 1])
        moves = np.stack([score[:, week], -score[:, week]])
        since = np.where(level == 0, week, since)
        level = np.maximum(level + moves - ALLOWANCE, 0.0)
        up[:, week], down[:, week] = level
        over = level > limit * (1 + WIDER * np.maximum(carry - WIDER_FROM, 0.0))
        side = np.where(over[0], 1, np.where(over[1], -1, 0))
        alarm[:, week] = side
        begin[:, week] = np.where(over[0], since[0], np.where(over[1], since[1], -1))
        level[:, side != 0] = 0.0
    return Chart(score, up, down, alarm, begin)


def score_week(errors: Float[np.ndarray, "run week"]) -> tuple[Float[np.ndarray, " run"], Float[np.ndarray, " run"]]:
    """Give the normal score of the last week's rank among all, the carry-over taken out; and the carry-over."""
    past = errors[:, :-1]
    centred = errors - np.median(past, axis=1, keepdims=True)
    carry = measure_carry(centred[:, :-1])
    fresh = centred[:, 1:] - carry[:, None] * centred[:, :-1]
    last, before = fresh[:, -1:], fresh[:, :-1]
    rank = (before < last).sum(axis=1) + (before == last).sum(axis=1) / 2 + 0.5
    return np.asarray(special.ndtri(rank / (before.shape[1] + 1))), carry


def measure_carry(centred: Float[np.ndarray, "run week"]) -> Float[np.ndarray, " run"]:
    """Measure the autocorrelation from week to week by ranks' scores, held near 0 where weeks are few."""
    number = centred.shape[1]
    scores = special.ndtri((stats.rankdata(centred, axis=1) - 0.5) / number)
    whole = (scores**2).sum(axis=1)
    along = (scores[:, 1:] * scores[:, :-1]).sum(axis=1) / np.maximum(whole, 1e-9)
    unbiased = along + (1 + 3 * along) / number  # to first order (Kendall 1954)
    return np.clip(unbiased * number / (number + CARRY_PRIOR), 0.0, MOST_CARRY)


def chance_to_see(
    errors: Float[np.ndarray, " week"], limit: float, generator: np.random.Generator, *, shift: float = SHIFT
) -> float:
    """Tell how often a lasting shift would be noticed within `WITHIN_WEEKS`, with errors like these.

    Past errors are drawn anew, in blocks of four weeks so that what hangs together stays together; sales change by
    `shift` in the last weeks. The smaller of a rise's and a fall's share.
    """
    weeks = min(len(errors), MOST_WEEKS)
    starts = generator.integers(0, max(len(errors) - 3, 1), (REPEATS, -(-(weeks + WITHIN_WEEKS) // 4)))
    place = (starts[:, :, None] + np.arange(4)).reshape(REPEATS, -1)[:, : weeks + WITHIN_WEEKS] % len(errors)
    drawn = errors[place]
    shares = []
    for step in (float(np.log1p(shift)), float(np.log1p(-shift))):
        moved = drawn.copy()
        moved[:, weeks:] += step
        found = judge(moved, limit, first=weeks)
        shares.append(float(seen(found, step > 0).mean()))
    return min(shares)


def seen(chart: Chart, rising: bool) -> Bool[np.ndarray, " run"]:
    """Tell in which runs there was an alarm of one side."""
    return np.asarray((chart.alarm == (1 if rising else -1)).any(axis=1))
