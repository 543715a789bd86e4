"""Faults of the reply and of the account."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from client.round import answers as app
from client.round.answers import Answers, Merchant
from common.message import round as message
from common.message.record import ABOUT, VALUES, VECTOR
from common.message.round import RoundReply, encode_reply
from common.privacy import accounting
from common.privacy.mechanism import Mechanism
from planted.fault import Fault

Patch = pytest.MonkeyPatch


def with_count(patch: Patch) -> None:
    """Send the number of entities for weighting, and let the schema have it."""
    patch.setattr(message, "REPLY_FIELDS", message.REPLY_FIELDS | {"num_examples"})
    train, counts = Answers._train, list[int]()

    def faulty(self: Answers, request: Any) -> torch.Tensor:
        counts.append(self._merchant.series.num_entities)
        return train(self, request)

    def encode(reply: RoundReply) -> RecordDict:
        content = encode_reply(reply)
        content[ABOUT] = ConfigRecord({**content[ABOUT], "num_examples": counts[-1]})
        return content

    patch.setattr(Answers, "_train", faulty)
    patch.setattr(app, "encode_reply", encode)


def with_digest(patch: Patch) -> None:
    """Send a checksum of the sum before noise, in place of the plan's hash."""
    release, sums = Mechanism.release, []

    def remember(self: Mechanism, total: torch.Tensor, noise: Any) -> torch.Tensor:
        sums.append(hashlib.sha256(total.numpy().tobytes()).hexdigest())
        return release(self, total, noise)

    patch.setattr(Mechanism, "release", remember)
    patch.setattr(app, "encode_reply", lambda r: encode_reply(RoundReply(sums[-1], r.round_number, r.total)))


def with_clear_sum(patch: Patch) -> None:
    """Send the sum before noise beside the message."""
    release, sums = Mechanism.release, []

    def remember(self: Mechanism, total: torch.Tensor, noise: Any) -> torch.Tensor:
        sums.append(total.clone())
        return release(self, total, noise)

    def encode(reply: RoundReply) -> RecordDict:
        content = encode_reply(reply)
        content["debug"] = ArrayRecord({"total": Array(sums[-1].numpy())})
        return content

    patch.setattr(Mechanism, "release", remember)
    patch.setattr(app, "encode_reply", encode)


def of_data_size(patch: Patch) -> None:
    """Leave zeros out of the message: its size follows the data."""

    def encode(reply: RoundReply) -> RecordDict:
        content = encode_reply(reply)
        total = reply.total.numpy()
        content[VECTOR] = ArrayRecord({VALUES: Array(total[total != 0].astype(np.int64))})
        return content

    patch.setattr(app, "encode_reply", encode)


def silent_if_empty(patch: Patch) -> None:
    """Send nothing where nobody contributes."""
    train = Answers._train

    def faulty(self: Answers, request: Any) -> torch.Tensor:
        if self._merchant.series.num_entities < 2:
            raise ValueError("not enough data")
        return train(self, request)

    patch.setattr(Answers, "_train", faulty)


def restarted_accountant(patch: Patch) -> None:
    patch.setattr(Merchant, "mu_squared", property(lambda self: self.mechanism.mu_squared))


def unpaid_rounds(patch: Patch) -> None:
    patch.setattr(app, "_check_terms", lambda request, merchant: None)


def classic_formula(patch: Patch) -> None:
    """Take sqrt(2 ln(1.25/δ)) / ε, which holds below epsilon 1 alone."""

    def faulty(*, epsilon: float, delta: float, num_rounds: int) -> float:
        return math.sqrt(2 * math.log(1.25 / delta)) / epsilon * math.sqrt(num_rounds)

    patch.setattr(accounting, "noise_multiplier_for", faulty)


def classic_epsilon(patch: Patch) -> None:
    """Turn that formula round: epsilon = μ · sqrt(2 ln(1.25/δ))."""
    patch.setattr(accounting, "epsilon_of", lambda mu, delta: mu * math.sqrt(2 * math.log(1.25 / delta)))


def linear_composition(patch: Patch) -> None:
    """Share a budget out to rounds without adding them up."""
    exact = accounting.noise_multiplier_for
    patch.setattr(accounting, "noise_multiplier_for", lambda *, num_rounds, **rest: exact(num_rounds=1, **rest))


def single_customer(patch: Patch) -> None:
    patch.setattr(accounting, "customer_mu", lambda mu, products: products * mu)


def wide_delta(patch: Patch) -> None:
    patch.setattr(accounting, "delta_for", lambda size_class: 1 / size_class)


def cheap_rounds(patch: Patch) -> None:
    """Charge 1/(2σ²), the Rényi divergence of order 1, for mu²."""
    patch.setattr(Mechanism, "mu_squared", property(lambda self: 0.5 / self.noise_multiplier**2))


FAULTS = (
    Fault("count-in-reply", "high", "the number of entities travels with the sum", with_count),
    Fault("digest-in-reply", "high", "a checksum of the clear sum travels with it", with_digest),
    Fault("clear-sum-in-reply", "critical", "the clear sum travels beside the noised one", with_clear_sum),
    Fault("size-of-reply", "medium", "zeros are left out, so the size tells of the data", of_data_size),
    Fault("silent-if-empty", "medium", "no reply where there is next to no data", silent_if_empty),
    Fault("accountant-restarted", "high", "the account starts anew in every round", restarted_accountant),
    Fault("unpaid-rounds", "high", "more rounds are answered than are paid for", unpaid_rounds),
    Fault("wrong-gaussian-formula", "medium", "noise by a formula that does not hold", classic_formula),
    Fault("wrong-epsilon", "medium", "epsilon by a formula that does not hold", classic_epsilon),
    Fault("rounds-not-added-up", "high", "noise for one round, used in all of them", linear_composition),
    Fault("customer-charged-once", "medium", "a customer of k products is charged k times, not 2k", single_customer),
    Fault(
        "delta-of-one-entity", "critical", "delta so large that publishing one entity in full is private", wide_delta
    ),
    Fault("half-price-rounds", "medium", "a round is charged half its mu²", cheap_rounds),
)
