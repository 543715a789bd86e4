"""What is charged, against the definition of differential privacy: integrals and counting, no formula of our own.

A release of mu is, by the definition of Gaussian differential privacy, as good as telling N(0, 1) from N(mu, 1);
what that costs at a given epsilon is an integral over where one density exceeds e^epsilon times the other.
"""

from __future__ import annotations

import math

from scipy.integrate import quad

from client.audit.report import LevelReport
from client.audit.subject import AuditSubject, Silence, ask
from client.round.answers import Answers
from common.errors import HansaError
from common.privacy import accounting

TOLERANCE = 1e-6  # relative, of an integral
DELTAS = (1e-5, 1e-7)
EPSILONS = (0.5, 2.0, 8.0, 20.0)
ROUND_COUNTS = (1, 50)
FEW_ROUNDS = 3


def check_accounting(subject: AuditSubject) -> LevelReport:
    """Check the claim of this plan, the formulas behind it, and that no round is answered unpaid."""
    mu = math.sqrt(subject.num_rounds / subject.noise_share) / subject.mechanism.noise_multiplier
    true_delta = delta_by_definition(mu, subject.epsilon)
    found = []
    if true_delta > subject.delta * (1 + TOLERANCE):
        found.append(
            f"epsilon {subject.epsilon:.4g} at delta {subject.delta:.1e} is claimed for {subject.num_rounds} rounds, "
            f"but delta is {true_delta:.1e} by definition"
        )
    found += [*_check_charges(subject), *_check_formulas(), *_check_rounds(subject)]
    measured = {"epsilon": subject.epsilon, "delta by definition": true_delta, "delta claimed": subject.delta}
    return LevelReport("accounting", tuple(found), measured, 0.0)


def delta_by_definition(mu: float, epsilon: float) -> float:
    """Integrate over where the density of N(mu, 1) exceeds e^epsilon times that of N(0, 1)."""
    first = epsilon / mu + mu / 2
    exceeds = quad(
        lambda y: math.exp(-(y - mu) * (y - mu) / 2) - math.exp(epsilon - y * y / 2),
        first,
        max(first, mu) + 40,
        points=[max(first, mu) + 1],
        limit=200,
        epsabs=0,
        epsrel=1e-9,
    )[0]
    return float(exceeds) / math.sqrt(2 * math.pi)


def _check_charges(subject: AuditSubject) -> list[str]:
    """Charge every round with 1/σ², all rounds with their sum, delta by the size class, customers twofold."""
    found = []
    owed = 1 / subject.mechanism.noise_multiplier**2
    if subject.mechanism.mu_squared < owed * (1 - TOLERANCE):
        found.append(f"a round is charged {subject.mechanism.mu_squared:.4g} of mu², it costs {owed:.4g}")
    series = subject.own_series()
    merchant = subject.merchant(series, mechanism=subject.mechanism, noise=Silence())
    if merchant.mu_squared < subject.num_rounds * owed * (1 - TOLERANCE):
        found.append(
            f"{subject.num_rounds} rounds are charged {merchant.mu_squared:.4g} of mu², "
            f"they cost {subject.num_rounds * owed:.4g}"
        )
    if any(accounting.customer_mu(1.0, units) < 2 * units for units in (1, 5)):
        found.append("a customer of k products is charged less than 2k times")
    if any(accounting.delta_for(size) > min(1e-5, 0.1 / size) for size in (1, 1_000, 1_000_000)):
        found.append("delta is larger than a tenth of one entity of the size class")
    return found


def _check_formulas() -> list[str]:
    """Go from epsilon to noise and from noise to epsilon; delta must be kept by definition."""
    found = []
    for delta in DELTAS:
        for epsilon in EPSILONS:
            for rounds in ROUND_COUNTS:
                sigma = accounting.noise_multiplier_for(epsilon=epsilon, delta=delta, num_rounds=rounds)
                mu = math.sqrt(rounds) / sigma
                spent = accounting.epsilon_of(mu, delta)
                if delta_by_definition(mu, epsilon) > delta * (1 + TOLERANCE):
                    found.append(
                        f"the noise for epsilon {epsilon:g} at delta {delta:.0e}, {rounds} rounds is too little"
                    )
                if delta_by_definition(mu, spent) > delta * (1 + TOLERANCE):
                    found.append(f"{rounds} rounds of noise {sigma:.4g} cost more than the epsilon stated, {spent:.4g}")
    return found[:4]


def _check_rounds(subject: AuditSubject) -> list[str]:
    """Ask for every round twice, and for more rounds than are paid for; count the draws of noise."""
    series = subject.own_series()
    silence = Silence()
    merchant = subject.merchant(series, mechanism=subject.mechanism, noise=silence, num_rounds=FEW_ROUNDS)
    answers = Answers(merchant)
    for number in range(1, FEW_ROUNDS + 3):
        for _ in range(2):
            try:
                ask(answers, subject.request(series, number))
            except HansaError:
                continue
    spent = len(silence.asked) * subject.mechanism.mu_squared
    if spent > merchant.mu_squared * (1 + TOLERANCE):
        return [f"{len(silence.asked)} messages were made where {FEW_ROUNDS} rounds are paid for"]
    return []
