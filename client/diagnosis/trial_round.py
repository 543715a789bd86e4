"""One round of a plan, computed from the merchant's own data and thrown away: nothing is sent, sealed or spent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from client.account.agreement import Agreement, Offer, agree
from client.account.ledger.ledger import Ledger
from client.account.policy import Policy, read_policy
from client.daemon.handlers import count_parameters
from client.daemon.membership import read_membership
from client.data.root import DataRoot
from client.data.rows import read_series
from client.folder import MerchantFolder
from client.round.training import train_round
from common.errors import PrivacyError
from common.model.demand_gru import get_vector
from common.model.features import count_trainable
from common.model.warm.start import start_training
from common.plan.schema import Plan
from common.privacy.noise import SecureNoise


def try_round(home: MerchantFolder, plan: Plan, ledger: Ledger, *, data_root: Path) -> dict[str, Any]:
    """Do what a round would do, up to the point at which something would be charged or leave.

    Returns
    -------
    dict
        What the round would cost, and whether everything that it takes is there. Nothing of the data.

    Raises
    ------
    HansaError
        Something is missing, or the policy does not allow the plan.
    """
    policy = read_policy(home.policy)
    offer = make_offer(home, policy, plan)
    agreement = agree(policy, offer, ledger, num_coordinates=count_parameters(plan, private=offer.private))
    seconds, num_bytes = _compute(plan, agreement, data_root)
    training, sigma = agreement.offer.training, agreement.mechanism.noise_multiplier
    return {
        "plan": plan.name,
        "num_rounds": training.num_rounds,
        "noise_multiplier": sigma,
        "epsilon": agreement.epsilon,
        **({"epsilon_if_all_collude": agreement.epsilon_if_all_collude} if agreement.is_shared else {}),
        "unit": policy.unit,
        "seconds_per_round": round(seconds, 3),
        "bytes_per_round": num_bytes,
        "connection": _check_membership(home),
        "next": "nothing was sent or spent; to take part: hansa-client run",
    }


def make_offer(home: MerchantFolder, policy: Policy, plan: Plan) -> Offer:
    """Stand in for the coordinator: its own key where one was joined, and the smallest cohort that is allowed.

    Raises
    ------
    PrivacyError
        The policy approves no coordinator.
    """
    if home.federation.is_file():
        federation = read_membership(home).federation
        coordinator, vouched_by = federation.coordinator_name, federation.vouched_by
    elif policy.approval.coordinators:
        coordinator, vouched_by = policy.approval.coordinators[0], ()
    else:
        raise PrivacyError("The policy approves no coordinator; put the SHA-256 of its key into approval.coordinators.")
    automatic = policy.approval.automatic
    cohort = max(policy.plan.smallest_cohort, automatic.smallest_cohort if automatic else 1)
    if plan.privacy.sum is not None:
        cohort = max(cohort, plan.privacy.sum.threshold, policy.sum.smallest_cohort if policy.sum else 1)
    return Offer(plan, private=True, coordinator=coordinator, cohort_size=cohort, vouched_by=vouched_by)


def _compute(plan: Plan, agreement: Agreement, data_root: Path) -> tuple[float, int]:
    """Time one round at the start model; its sum goes nowhere."""
    series = read_series(plan, DataRoot(data_root, agreement.policy.readable))
    count_trainable(series)
    model = start_training(plan, series, seed=0, private=agreement.offer.private)
    started = time.perf_counter()
    total = train_round(
        model,
        series,
        get_vector(model),
        round_number=1,
        mechanism=agreement.mechanism,
        noise=SecureNoise(),
        device=torch.device("cpu"),
    )
    return time.perf_counter() - started, total.numel() * total.element_size()


def _check_membership(home: MerchantFolder) -> str:
    if not home.federation.is_file():
        return "no federation was joined yet"
    membership = read_membership(home)
    return f"keys and certificate fit {membership.federation.welcome.federation!r}; see: hansa-client doctor"
