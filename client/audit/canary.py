"""L1, per-step canary: the real noise step many times, with and without a record of norm exactly C.

Three parts, each on messages that the real mechanism made around the merchant's own sum:

- at the plan's own noise, through the whole app: is what was added to the sum the Gaussian that is accounted,
  in every coordinate, in every tensor, in shape, in mean;
- the same over a million coordinates, straight from `Mechanism.release`;
- at a noise of one clipping norm: how well does the best threshold tell messages with the canary from those
  without? No (1/σ)-GDP release can be told apart better than mu = 1/σ.

The canary points where the first part saw least noise, so that a hole in the noise is found and not averaged away.

References
----------
J. Dong, A. Roth, W. Su, "Gaussian Differential Privacy" (2019): a test's error rates bound mu from below.
C. Clopper, E. Pearson, "The use of confidence or fiducial limits" (1934).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float64
from scipy import stats
from torch import Tensor

from client.audit.replay import BOUND, Failed, replay_rounds
from client.audit.report import LevelReport
from client.audit.rounds import sample_rounds
from client.audit.subject import AuditSubject, CanaryMechanism, ask
from client.round.answers import Answers
from common.model.features import Series
from common.model.warm.start import start_training
from common.privacy.noise import SecureNoise

FALSE_ALARM = 1e-3  # of the whole level: half for mu, the rest shared by the tests below
MU_FALSE_ALARM = FALSE_ALARM / 2
TEST_FALSE_ALARM = FALSE_ALARM / 2 / 8
APP_MESSAGES = 48  # of the first rounds; later ones are sampled
LARGEST_SAMPLE = 100_000  # of a Kolmogorov-Smirnov test
OVERLONG = 1000.0  # length of the canary before it is clipped, in clipping norms
MIDWAY = 0.5  # the threshold that is best if the claim is true; fixed beforehand, so every run counts


@dataclass(frozen=True)
class Effort:
    """How much is drawn.

    Attributes
    ----------
    runs
        Messages with the canary, and as many without.
    coordinates
        Noise coordinates at the plan's own noise; a million tell 0.3 % in the standard deviation.
    """

    runs: int = 20_000
    coordinates: int = 1_000_000


def plant_canary(subject: AuditSubject, effort: Effort) -> LevelReport:
    """Test the noise of the subject's messages, and how well a canary shows in them."""
    series = subject.own_series()
    series = series.select(torch.arange(min(series.num_entities, 64)))  # one chunk: noise knows no entity
    try:
        app_noise = _app_noise(subject, series)
        sentences, measured = _test_noise(app_noise, _bulk_noise(subject, app_noise, effort), subject, series)
        more, figures = _tell_apart(subject, series, _weakest_direction(app_noise), effort)
    except Failed as failure:
        return LevelReport("l1", (f"no reply: {failure}",), {}, FALSE_ALARM)
    return LevelReport("l1", (*sentences, *more), measured | figures, FALSE_ALARM)


def _app_noise(subject: AuditSubject, series: Series) -> Float64[np.ndarray, "message parameter"]:
    """Ask the app for messages with and without noise; return what was added, in accounted deviations."""
    sampled = sample_rounds(subject.plan, subject.num_rounds, np.random.default_rng())
    numbers = sorted({*range(1, APP_MESSAGES + 1), *sampled})
    requests = tuple(subject.request(series, number) for number in numbers)
    silent = replay_rounds(subject, (series, None), requests, subject.mechanism)
    try:
        merchant = subject.merchant(series, mechanism=subject.mechanism, noise=SecureNoise(), num_rounds=numbers[-1])
        answers = Answers(merchant)
        totals = [ask(answers, request).total for request in requests]
    except Exception as error:
        raise Failed(type(error).__name__) from error
    added = torch.stack([total - reply.total for total, reply in zip(totals, silent.replies, strict=True)])
    return added.numpy() / (subject.mechanism.noise_multiplier * BOUND)


def _bulk_noise(
    subject: AuditSubject, app_noise: npt.NDArray[np.float64], effort: Effort
) -> Float64[np.ndarray, "message parameter"]:
    size = app_noise.shape[1]
    total, noise = torch.zeros(size, dtype=torch.int64), SecureNoise()  # one for all, as a merchant has one for life
    messages = [subject.mechanism.release(total, noise).numpy() for _ in range(math.ceil(effort.coordinates / size))]
    return np.stack(messages) / (subject.mechanism.noise_multiplier * BOUND)


def _test_noise(
    app_noise: npt.NDArray[np.float64], bulk: npt.NDArray[np.float64], subject: AuditSubject, series: Series
) -> tuple[list[str], dict[str, float | int]]:
    """Hold the noise against independent standard Gaussians."""
    found = []
    for words, noise in (("a message of the app", app_noise), ("a released sum", bulk)):
        low, high = chi_square_range(noise.size, TEST_FALSE_ALARM)
        if not low <= (std := deviation(noise)) <= high:
            found.append(f"the noise on {words} has {std:.4f} times the accounted deviation ({low:.4f} to {high:.4f})")
    every = np.concatenate([app_noise, bulk])
    found += _test_places(every, subject, series)
    sample = every.ravel()[:: max(1, every.size // LARGEST_SAMPLE)]
    if stats.kstest(sample, "norm").pvalue < TEST_FALSE_ALARM:
        found.append("the noise is not Gaussian (Kolmogorov-Smirnov)")
    if abs(every.mean()) * math.sqrt(every.size) > stats.norm.isf(TEST_FALSE_ALARM / 2):
        found.append(f"the noise has a mean of {every.mean():.4f} deviations")
    return found, {"sd / accounted": deviation(every), "coordinates": every.size}


def _test_places(noise: npt.NDArray[np.float64], subject: AuditSubject, series: Series) -> list[str]:
    """Look for coordinates and tensors with too little noise."""
    found = []
    per_coordinate = np.sqrt((noise**2).mean(0))
    low, _ = chi_square_range(len(noise), 2 * TEST_FALSE_ALARM / noise.shape[1])
    if (holes := int((per_coordinate < low).sum())) > 0:
        found.append(
            f"{holes} of {noise.shape[1]} coordinates have too little noise, the least {per_coordinate.min():.3f}"
        )
    named = list(start_training(subject.plan, series, seed=0, private=True).named_parameters())
    first = 0
    for name, parameter in named:
        part = noise[:, first : first + parameter.numel()]
        first += parameter.numel()
        low, high = chi_square_range(part.size, TEST_FALSE_ALARM / len(named))
        if not low <= (std := deviation(part)) <= high:
            found.append(f"the noise on {name} has {std:.4f} times the accounted deviation")
    return found


def _weakest_direction(noise: npt.NDArray[np.float64]) -> Float64[np.ndarray, " parameter"]:
    """Point to where the noise was least, coordinate by coordinate."""
    weights = 1 / ((noise**2).mean(0) + 1e-9)
    direction: npt.NDArray[np.float64] = weights / np.linalg.norm(weights)
    return direction


def _tell_apart(
    subject: AuditSubject, series: Series, direction: npt.NDArray[np.float64], effort: Effort
) -> tuple[list[str], dict[str, float | int]]:
    """Release sums with and without the canary at a noise of one clipping norm, and tell them apart."""
    unit = replace(subject.mechanism, noise_multiplier=1.0)
    canary = torch.from_numpy(OVERLONG * subject.clipping_norm * direction).float()[None, :]
    requests = tuple(subject.request(series, number) for number in (1,))
    without = replay_rounds(subject, (series, None), requests, unit).replies[0].total
    planted = CanaryMechanism(subject.clipping_norm, 1.0, canary, rule=unit.rule)
    with_canary = replay_rounds(subject, (series, None), requests, planted).replies[0].total
    toward = torch.from_numpy(direction) / BOUND

    def statistic(total: Tensor) -> float:
        return float((unit.release(total, SecureNoise()) - without).double() @ toward)

    absent = np.array([statistic(without) for _ in range(effort.runs)])
    present = np.array([statistic(with_canary) for _ in range(effort.runs)])
    return _judge(absent, present)


def _judge(
    absent: npt.NDArray[np.float64], present: npt.NDArray[np.float64]
) -> tuple[list[str], dict[str, float | int]]:
    """Bound mu from below, and estimate the canary's shift and the noise's deviation; each should be 1."""
    runs = len(absent)
    mu = mu_lower_bound(int((absent > MIDWAY).sum()), int((present <= MIDWAY).sum()), runs, MU_FALSE_ALARM)
    shift = float(present.mean() - absent.mean())
    std = math.sqrt((absent.var(ddof=1) + present.var(ddof=1)) / 2)
    found = []
    if mu > 1:
        found.append(f"a message tells of the canary as no release of mu = 1 can: mu is at least {mu:.3f}")
    if abs(shift - 1) > stats.norm.isf(TEST_FALSE_ALARM / 2) * math.sqrt(2 / runs):
        found.append(f"the canary moves a message by {shift:.4f} clipping norms, not by 1")
    low, high = chi_square_range(2 * runs - 2, TEST_FALSE_ALARM)
    if not low <= std <= high:
        found.append(f"along the canary the noise has {std:.4f} times the accounted deviation")
    return found, {"runs": runs, "mu at least": mu, "shift / C": shift, "sd / sigma": std}


def mu_lower_bound(false_positives: int, false_negatives: int, runs: int, false_alarm: float) -> float:
    """Return the mu that a test's errors prove, wrong with probability at most `false_alarm`.

    Parameters
    ----------
    false_positives, false_negatives
        Errors among `runs` messages without and `runs` with the canary.

    Notes
    -----
    mu ≥ Φ⁻¹(1 - FPR) - Φ⁻¹(FNR) for every test; both rates enter by their one-sided Clopper-Pearson upper
    bounds at `false_alarm` / 2. Minus infinity where a bound is 1.
    """
    rates = [
        1.0 if errors == runs else float(stats.beta.isf(false_alarm / 2, errors + 1, runs - errors))
        for errors in (false_positives, false_negatives)
    ]
    return float(stats.norm.isf(rates[0]) - stats.norm.ppf(rates[1]))


def deviation(noise: Float[np.ndarray, ...]) -> float:
    """Return the root of the mean square: the deviation around the mean that is accounted, zero."""
    return math.sqrt(float((noise**2).mean()))


def chi_square_range(degrees: int, false_alarm: float) -> tuple[float, float]:
    """Return where the deviation of `degrees` standard Gaussians lies, but for a probability of `false_alarm`."""
    ends = stats.chi2.ppf([false_alarm / 2, 1 - false_alarm / 2], df=degrees) / degrees
    return math.sqrt(ends[0]), math.sqrt(ends[1])
