"""A federation that trusts a secure sum, by the very messages of a network; the fast engine has its variance alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch

from common.model.demand_gru import DemandGRU
from common.plan.schema import SumPlan, TrainingPlan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
from common.privacy.shared_noise import share_noise
from common.secure_sum.cohort import usual_cohort_terms
from server.round.optimizer import ServerState
from simulation.engine.sums import federate_sums
from simulation.origin.origin import Trial


def federate_summed(
    model: DemandGRU,
    trial: Trial,
    mechanism: Mechanism,
    *,
    training: TrainingPlan,
    noise: NoiseSource,
    device: torch.device,
    state: ServerState | None,
    on_round: Callable[[ServerState, float], None],
) -> None:
    """Run all rounds in this process, merchant by merchant: what a member keeps of a round no Ray worker would have.

    Parameters
    ----------
    mechanism
        Its noise is that of the whole sum.
    on_round
        Called after each round with the new state and NaN: no merchant tells its loss.

    Raises
    ------
    ConfigError
        So many merchants cannot sum at all.
    """
    terms = terms_of(trial)
    own = share_noise(mechanism.noise_multiplier, terms.noise_share)
    federate_sums(
        model,
        trial.series,
        trial.cohort,
        replace(mechanism, noise_multiplier=own),
        terms=terms,
        plan=trial.plan.trusting_sum(),
        training=training,
        noise=noise,
        device=device,
        state=state,
        on_round=lambda after, held: on_round(after, math.nan),
    )


def terms_of(trial: Trial) -> SumPlan:
    """Give the terms of the plan, or what is usual for so many merchants."""
    told = trial.plan.privacy.sum
    if told is not None:
        return told
    threshold, colluders = usual_cohort_terms(len(trial.cohort.size_classes))
    return SumPlan(threshold=threshold, colluders=colluders)
