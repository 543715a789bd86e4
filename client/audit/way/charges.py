"""Each round on the merchant's whole way: charged before its noise is drawn, sealed before it leaves, at its price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64
from torch import Tensor

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.audit.accounting import TOLERANCE, delta_by_definition
from client.audit.canary import chi_square_range, deviation
from client.audit.replay import BOUND, replay_rounds
from client.audit.subject import AuditSubject
from client.audit.way.draws import ALIKE, listening
from client.audit.way.merchant import DATASET, OpenMerchant, ScratchMerchant, leave
from client.round.leg import Legs
from common.message.proposal import ClientTerms, decode_terms
from common.message.round import RoundRequest, decode_reply
from common.message.wire import from_wire

FALSE_ALARM = 1e-4  # of all deviations together


@dataclass
class Walk:
    """What was asked of a merchant of an audit, and what was found.

    Attributes
    ----------
    subject
        The merchant's own, at the noise of its terms.
    noises
        What was added to each sum that left, in lattice steps.
    """

    merchant: ScratchMerchant
    subject: AuditSubject
    terms: ClientTerms
    legs: Legs
    found: list[str] = field(default_factory=list)
    noises: dict[int, Tensor] = field(default_factory=dict)

    def request(self, number: int) -> RoundRequest:
        """Ask for a round."""
        return self.subject.request(self.legs[0], number)

    def say(self, wrong: bool, sentence: str) -> None:
        """Note a violation, once."""
        if wrong and sentence not in self.found:
            self.found.append(sentence)

    def clear_sum(self, request: RoundRequest) -> Tensor:
        """Work out what is under the noise of a round."""
        return replay_rounds(self.subject, self.legs, (request,), self.subject.mechanism).replies[0].total

    def note_noise(self, request: RoundRequest, wire: bytes) -> None:
        """Take off the sum from what left for a round."""
        total = decode_reply(from_wire(wire), size=len(request.parameters)).total
        self.noises[request.round_number] = total - self.clear_sum(request)


def propose(merchant: ScratchMerchant, shop: OpenMerchant) -> Walk:
    """Have the plan accepted, and hold the terms against the claim."""
    terms = decode_terms(from_wire(leave(shop.handlers.consider, merchant.proposal())))
    subject = merchant.subject
    walk = Walk(
        merchant,
        replace(subject, mechanism=replace(subject.mechanism, noise_multiplier=terms.noise_multiplier)),
        terms,
        subject.own_legs(),
    )
    mu = math.sqrt(subject.num_rounds) / terms.noise_multiplier
    delta = shop.ledger.account(DATASET, subject.plan.privacy.unit).delta
    walk.say(
        delta_by_definition(mu, subject.epsilon) > delta * (1 + TOLERANCE),
        f"the terms have too little noise: {subject.num_rounds} rounds at {terms.noise_multiplier:.4g} cost more than "
        f"epsilon {subject.epsilon:.4g} at delta {delta:.1e}",
    )
    return walk


def walk_rounds(walk: Walk, shop: OpenMerchant, numbers: Sequence[int]) -> None:
    """Ask for some rounds, and hold every one against the ledger."""
    for number in numbers:
        request = walk.request(number)
        with listening(lambda request=request: _look_for_charge(walk, request)) as asked:  # type: ignore[misc]
            wire = shop.round(request)
        wanted = [(len(request.parameters), walk.terms.noise_multiplier * BOUND)]
        walk.say(asked != wanted, "noise is drawn otherwise than once a round, over all parameters, as the terms say")
        hold_against_ledger(walk, shop, request, wire)
        walk.note_noise(request, wire)


def hold_against_ledger(walk: Walk, shop: OpenMerchant, request: RoundRequest, wire: bytes) -> None:
    """Hold the bytes that left for a round against what is charged and sealed for it."""
    own = find_spends(shop.ledger, request)
    walk.say(len(own) != 1, "a round that left is not charged once")
    for line, spend in own:
        walk.say(shop.ledger.message(line) != wire, "what leaves is not what is sealed")
        charged = spend.clipping_norm, spend.noise_multiplier, spend.num_coordinates
        wanted = walk.subject.clipping_norm, walk.terms.noise_multiplier, len(request.parameters)
        walk.say(charged != wanted, "a round is charged on other terms than it is run on")
        cost = spend.cost(walk.subject.plan.privacy.unit)
        walk.say(
            cost < walk.terms.noise_multiplier**-2 * (1 - TOLERANCE), "a round is charged less than its noise costs"
        )


def find_spends(ledger: Ledger, request: RoundRequest) -> list[tuple[int, Spend]]:
    """Find what is charged for a round, by the numbers of the lines."""
    return [
        (line, entry)
        for line, entry in enumerate(ledger.entries, start=1)
        if isinstance(entry, Spend)
        and (entry.plan_hash, entry.round_number) == (request.plan_hash, request.round_number)
    ]


def _look_for_charge(walk: Walk, request: RoundRequest) -> None:
    """Read the ledger's file as another process does, at the moment at which noise is drawn."""
    with closing(Ledger(walk.merchant.home.ledger)) as other:
        own = find_spends(other, request)
        walk.say(not own, "noise is drawn before the round is charged on the disk")
        walk.say(any(other.message(line) is not None for line, _ in own), "a sealed round is drawn again")


def check_sum(walk: Walk, shop: OpenMerchant, num_answered: int) -> None:
    """Hold what the account says is spent against what was answered."""
    spent = shop.ledger.account(DATASET, walk.subject.plan.privacy.unit).mu_squared()
    owed = num_answered * walk.terms.noise_multiplier**-2
    walk.say(
        abs(spent - owed) > owed * TOLERANCE,
        f"the account has spent {spent:.6g} of mu², the rounds that left cost {owed:.6g}",
    )


def check_noises(walk: Walk) -> None:
    """Hold the noise of every round against the deviation that is charged, and against every other round's."""
    noises = np.stack([noise.double().numpy() for noise in walk.noises.values()])
    scaled = noises / (walk.terms.noise_multiplier * BOUND)
    low, high = chi_square_range(scaled.shape[1], FALSE_ALARM / len(scaled))
    for number, noise in zip(walk.noises, scaled, strict=True):
        walk.say(
            not low <= (std := deviation(noise)) <= high,
            f"the noise of round {number} has {std:.4f} times the deviation that is charged ({low:.4f} to {high:.4f})",
        )
    walk.say(_most_alike(scaled) > ALIKE, "two rounds leave with the same noise")


def _most_alike(noises: Float64[npt.NDArray[np.float64], "round parameter"]) -> float:
    """Give the largest correlation of two rounds, in units of 1 / sqrt(parameters)."""
    unit = noises / np.linalg.norm(noises, axis=1, keepdims=True).clip(min=1e-300)
    alike = np.abs(unit @ unit.T - np.eye(len(unit))) * math.sqrt(noises.shape[1])
    return float(alike.max())
