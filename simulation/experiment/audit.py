"""The audit of a plan: one merchant of its federation, and, as L2, the federation as a whole.

L2 plants canaries, each in with probability one half, runs the federation once through the very ClientApp and the
very rounds of a deployment, looks at every message as a curious coordinator would, and guesses who was in. How many
guesses are right bounds epsilon from below. The bound is weak (a true 8 shows as about 3 with a thousand canaries) and
blind to noise that repeats; it is a headline, where L0 and L1 are the gate.

References
----------
T. Steinke, M. Nasr, M. Jagielski, "Privacy auditing with one (1) training run" (2023), arXiv 2305.08846, Theorem 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int
from scipy import stats

from client.audit.level import LEVELS, AuditEffort, audit_merchant, check_levels
from client.audit.report import AuditReport, LevelReport
from client.audit.source import Source, make_source, read_source
from client.audit.subject import AuditSubject, CanaryMechanism, sample_entities
from client.round.answers import Merchant
from common.data.panel import Panel
from common.errors import ConfigError, DataError
from common.forecast.method import Method
from common.model.demand_gru import get_vector
from common.model.warm.start import start_training, start_without_data
from common.plan.schema import Plan
from common.privacy.accounting import noise_multiplier_for
from common.privacy.clipping_rule import clipping_rule
from common.privacy.guarantee import gaussian_delta
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from common.privacy.shared_noise import share_noise
from server.round.aggregation import Terms
from server.round.collection import RoundOutcome
from server.round.federation import Federation
from server.round.optimizer import ServerState, start_state
from simulation.engine.in_process import FIRST_NODE_ID, make_grid, split
from simulation.engine.rounds import run_rounds
from simulation.method.method import delta_of_plan, mechanism_of
from simulation.origin.origin import Trial, choose_present, declare_cohort, load_panel, make_trial
from simulation.synthetic.federation import SyntheticSettings
from simulation.synthetic.panel import draw_panel

DRAWN = "drawn.parquet"  # the file of rows that are drawn
ALL_LEVELS = (*LEVELS, "l2")
NUM_CANARIES = 400
GUESSED = 0.25  # of the canaries; about the rest nothing is said
OVERLONG = 1000.0  # length of a canary before it is clipped, in clipping norms
HEADLINE, GATE = 0.05, 1e-3  # probability that the bound is wrong: as it is printed, and where it is a violation
LARGEST_EPSILON = 50.0


def audit_plan(
    plan: Plan,
    data_root: Path,
    *,
    levels: tuple[str, ...],
    merchant: str = "",
    epsilon: float | None = None,
    effort: AuditEffort | None = None,
    on_level: Callable[[str], None] = lambda level: None,
) -> AuditReport:
    """Audit one merchant of a plan, and its federation where "l2" is among the levels.

    Parameters
    ----------
    merchant
        Its name; if left empty the smallest of more than one entity, where one weighs most.
    epsilon
        What is claimed; the smallest of the plan's private methods if left out.
    effort
        How much is looked at.
    on_level
        Told the name of each level before it begins.

    Raises
    ------
    ConfigError
        There is no such level or merchant, or the plan has no private method and no epsilon is given.
    """
    check_levels(levels, ALL_LEVELS)
    claimed = smallest_epsilon(plan) if epsilon is None else epsilon
    origin = plan.evaluation.origins[-1]
    everyone = load_panel(plan, data_root)
    panel = choose_present(everyone, plan, everyone.day_of(origin))
    reports: tuple[LevelReport, ...] = ()
    if own := tuple(level for level in levels if level != "l2"):
        subject = make_subject(plan, read_files(plan, data_root), panel, merchant=merchant, epsilon=claimed)
        reports = audit_merchant(subject, levels=own, effort=effort, on_level=on_level).levels
    if "l2" in levels:
        on_level("l2")
        reports = (*reports, audit_federation(make_trial(plan, everyone, origin), claimed))
    return AuditReport(reports)


def smallest_epsilon(plan: Plan) -> float:
    """Give the strictest promise among the plan's methods that rests on a merchant's own noise.

    Raises
    ------
    ConfigError
        The plan has no private method.
    """
    methods = [
        method for method in map(Method.parse, plan.evaluation.methods) if method.is_federated and method.is_real
    ]
    promised = [method.epsilon for method in methods if method.epsilon is not None and not method.trusts_sum]
    if not promised:
        raise ConfigError("The plan has no method federated_eps…, so nothing is promised; say what with --epsilon.")
    return min(promised)


def read_files(plan: Plan, data_root: Path) -> Source:
    """Copy the plan's files; what is drawn gets one."""
    if plan.data.source == "synthetic":
        return make_source(draw_panel(SyntheticSettings()), DRAWN)
    return read_source(plan.data, data_root)


def make_subject(plan: Plan, source: Source, panel: Panel, *, merchant: str, epsilon: float) -> AuditSubject:
    """Choose a merchant, copy the rows of its entities, and agree to the plan as it would.

    Raises
    ------
    ConfigError
        There is no such merchant.
    """
    names, counts = np.unique(panel.merchants.astype(str), return_counts=True)
    if merchant and merchant not in names:
        raise ConfigError(f"There is no merchant {merchant!r} at the last origin; there are {', '.join(names)}.")
    chosen = merchant or str(names[np.where(counts > 1, counts, counts.max()).argmin()])
    entities = panel.entities[panel.merchants.astype(str) == chosen]
    own = np.isin(source.names(plan.data.entity), entities)
    if plan.data.merchant in source.rows:
        own &= source.names(plan.data.merchant) == chosen
    size_class = declare_cohort(panel.select(panel.merchants.astype(str) == chosen), plan).size_classes[0]
    read_there = plan.data.model_copy(update={"source": "file", "path": source.path})
    audited = plan.model_copy(update={"data": read_there})
    return AuditSubject(
        audited,
        sample_entities(source.keep(own), audited, entities),
        mechanism_for(audited, epsilon, delta_of_plan(plan, size_class)),
        plan.privacy.training.num_rounds,
        epsilon,
        delta_of_plan(plan, size_class),
    )


def mechanism_for(plan: Plan, epsilon: float, delta: float) -> Mechanism:
    """Choose the noise that a merchant's own policy would choose, or its part: with room for what the lattice adds."""
    num_rounds = plan.privacy.training.num_rounds
    coordinates = num_rounds * len(get_vector(start_without_data(plan, private=True)))
    gaussian = gaussian_delta(epsilon, delta, num_coordinates=coordinates)
    sigma = noise_multiplier_for(epsilon=epsilon, delta=gaussian, num_rounds=num_rounds)
    own = share_noise(sigma, plan.privacy.noise_share)
    return Mechanism(plan.privacy.clipping_norm, own, rule=clipping_rule(plan.privacy.clipping_rule))


@dataclass(frozen=True)
class Canaries:
    """Records that nobody stands behind, dealt to merchants; about half of them are in."""

    directions: Float32[torch.Tensor, "canary parameter"]
    merchant_of: Int[np.ndarray, " canary"]
    included: Bool[np.ndarray, " canary"]

    def of(self, merchant: int) -> Float32[torch.Tensor, "canary parameter"]:
        """Those that are in at one merchant."""
        return self.directions[torch.from_numpy(self.included & (self.merchant_of == merchant))]


def deal_canaries(size: int, num_merchants: int) -> Canaries:
    """Draw directions and toss the coins, anew every time: an audit that can be foreseen can be passed."""
    generator = np.random.default_rng()
    directions = generator.standard_normal((NUM_CANARIES, size)).astype(np.float32)
    return Canaries(
        torch.from_numpy(directions / np.linalg.norm(directions, axis=1, keepdims=True)),
        np.arange(NUM_CANARIES) % num_merchants,
        generator.random(NUM_CANARIES) < 0.5,
    )


def audit_federation(trial: Trial, epsilon: float) -> LevelReport:
    """Run the federation of a trial once with canaries in it, and bound epsilon from below.

    Raises
    ------
    DataError
        A round missed its quorum.
    """
    plan = trial.plan
    largest = max(trial.cohort.size_classes)
    mechanism, delta = mechanism_of(Method("federated", epsilon), plan, largest), delta_of_plan(plan, largest)
    own = share_noise(mechanism.noise_multiplier, plan.privacy.noise_share)
    mechanism = replace(mechanism, noise_multiplier=own)
    scores, included = score_canaries(trial, mechanism)
    guesses, correct = guess(scores, included)
    bounds = [epsilon_lower_bound(NUM_CANARIES, guesses, correct, delta=delta, wrong=p) for p in (HEADLINE, GATE)]
    found = []
    if bounds[1] > epsilon:
        found.append(f"the messages tell who took part as no epsilon below {bounds[1]:.2f} allows")
    figures = {
        "epsilon at least": bounds[0],
        "claimed": epsilon,
        "canaries": NUM_CANARIES,
        "guesses": guesses,
        "right": correct,
    }
    return LevelReport("l2", tuple(found), figures, GATE)


def score_canaries(
    trial: Trial, mechanism: Mechanism
) -> tuple[Float64[np.ndarray, " canary"], Bool[np.ndarray, " canary"]]:
    """Run all rounds; return how far the messages point along each canary, and which were in.

    Where trust is in the sum, of the messages of a round their sum is all that is heard.
    """
    plan, training, cohort = trial.plan, trial.plan.privacy.training, trial.cohort
    start = start_state(get_vector(start_training(plan, trial.series, seed=0, private=True)))
    canaries = deal_canaries(len(start.parameters), len(cohort.size_classes))
    merchants = [
        Merchant(
            plan, training.num_rounds, own, _plant(mechanism, canaries.of(place)), SecureNoise(), torch.device("cpu")
        )
        for place, own in enumerate(split(trial.series, cohort))
    ]
    scores = np.zeros(NUM_CANARIES)

    def listen(state: ServerState, outcome: RoundOutcome) -> None:
        if plan.privacy.trust == "sum":
            summed = torch.stack([reply.total for reply in outcome.replies.values()]).sum(0)
            scores[:] += (canaries.directions.double() @ summed.double()).numpy()
            return
        for node_id, reply in outcome.replies.items():
            mine = canaries.merchant_of == node_id - FIRST_NODE_ID
            scores[mine] += (canaries.directions[torch.from_numpy(mine)].double() @ reply.total.double()).numpy()

    federation = Federation(
        plan=plan,
        training=training,
        cohort={FIRST_NODE_ID + i: Terms(size, mechanism) for i, size in enumerate(cohort.size_classes)},
        quorum=len(merchants),
        timeout_seconds=600.0,
    )
    run_rounds(make_grid(merchants), federation, start, on_round=listen)
    return scores, canaries.included


def _plant(mechanism: Mechanism, canaries: Float32[torch.Tensor, "canary parameter"]) -> CanaryMechanism:
    if mechanism.clipping_norm is None:
        raise DataError("Without clipping a canary has no length.")
    overlong = OVERLONG * mechanism.clipping_norm * canaries
    return CanaryMechanism(mechanism.clipping_norm, mechanism.noise_multiplier, overlong, rule=mechanism.rule)


def guess(scores: Float64[np.ndarray, " canary"], included: Bool[np.ndarray, " canary"]) -> tuple[int, int]:
    """Say "in" of the highest scores and "out" of as many lowest; return how many guesses, and how many right."""
    half = round(len(scores) * GUESSED / 2)
    order = np.argsort(scores)
    return 2 * half, int(included[order[-half:]].sum() + (~included[order[:half]]).sum())


def epsilon_lower_bound(num_canaries: int, guesses: int, correct: int, *, delta: float, wrong: float) -> float:
    """Return the largest epsilon that so many right guesses refute.

    Parameters
    ----------
    delta
        The claim's delta.
    wrong
        Probability that the bound lies above the true epsilon.

    Notes
    -----
    At epsilon a guess is right with probability q = e^ε / (1 + e^ε) at most; `correct` of `guesses` have probability
    p(ε) = β + 2·m·δ·max_i (P[Bin(k, q) ≥ c - i] - β) / i at most, with β = P[Bin(k, q) ≥ c]. 0 where nothing is
    refuted.
    """

    def probability(epsilon: float) -> float:
        q = 1 / (1 + math.exp(-epsilon))
        tails = stats.binom.sf(correct - 1 - np.arange(correct + 1), guesses, q)
        beta = float(tails[0])
        gain = max(((tails[i] - beta) / i for i in range(1, correct + 1)), default=0.0)
        return beta + 2 * num_canaries * delta * float(gain)

    if probability(0.0) > wrong:
        return 0.0
    refuted, open_epsilon = 0.0, LARGEST_EPSILON
    for _ in range(60):
        middle = (refuted + open_epsilon) / 2
        refuted, open_epsilon = (middle, open_epsilon) if probability(middle) <= wrong else (refuted, middle)
    return refuted
