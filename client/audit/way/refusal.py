"""What is refused, and what else leaves: terms, receipts, the one word. All of it is the same on neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, RecordDict

from client.audit.way.charges import Walk
from client.audit.way.merchant import OpenMerchant, ScratchMerchant, leave
from common.errors import MessageError
from common.message.decline import DECLINED
from common.message.record import ABOUT
from common.message.round import RoundRequest, encode_request
from common.message.vector import hash_vector
from common.plan.schema import Plan

Answer = Callable[[RecordDict], RecordDict]


def check_refusals(walk: Walk, shop: OpenMerchant, answered: RoundRequest) -> None:
    """Ask what may not be answered: every time one word, and not a line in the ledger."""
    for what, answer, content in _unlawful(walk.merchant, shop, answered, walk.subject.num_rounds):
        lines = shop.count_lines()
        try:
            leave(answer, content)
        except MessageError as refusal:
            walk.say(str(refusal) != DECLINED, f"the refusal of {what} says more than one word")
        else:
            walk.say(True, f"{what} is not refused")
        walk.say(shop.count_lines() != lines, f"{what} is charged though it is refused")


def say_all(merchant: ScratchMerchant, request: RoundRequest) -> list[str]:
    """Ask everything, a round at last; write down what leaves but its sum, byte for byte, or that it is declined."""
    said = []
    model = torch.zeros(len(request.parameters))
    with merchant.opened() as shop:
        lawful = [
            ("the terms", shop.handlers.consider, merchant.proposal()),
            ("the receipt", shop.handlers.keep, merchant.release(model)),
            ("the terms again", shop.handlers.consider, merchant.proposal()),
        ]
        for what, answer, content in [*lawful, *_unlawful(merchant, shop, request, merchant.subject.num_rounds)]:
            try:
                said.append(f"{what}: {leave(answer, content).hex()}")
            except MessageError as refusal:
                said.append(f"{what}: {refusal}")
        said.append(f"the length of a round: {len(shop.round(request))}")
        said.append(f"the health file: {shop.handlers.latest_round}")
        return [*said, f"lines in the ledger: {shop.count_lines()}"]


def _unlawful(
    merchant: ScratchMerchant, shop: OpenMerchant, request: RoundRequest, num_rounds: int
) -> list[tuple[str, Answer, RecordDict]]:
    """Make messages that nobody may answer; `request` is one that was answered, or is still to be."""
    other = request.parameters + 0.5
    longer = torch.cat([request.parameters, torch.zeros(1)])
    strange = encode_request(request)
    strange["more"] = ConfigRecord({"more": 1})
    unhashed = encode_request(request)
    unhashed[ABOUT] = ConfigRecord(
        {"plan_hash": request.plan_hash, "round_number": request.round_number, "model_hash": "0" * 64}
    )
    rounds = {
        "a round of another plan": replace(request, plan_hash="0" * 64),
        "a round after the last": replace(request, round_number=num_rounds + 1),
        "a model with a parameter more": replace(request, parameters=longer, model_hash=hash_vector(longer)),
    }
    if request.round_number > 1:
        before = replace(request, round_number=request.round_number - 1)
        rounds |= {
            "a round that is over": replace(before, parameters=other, model_hash=hash_vector(other)),
            "a round that was answered, with another model": replace(
                request, parameters=other, model_hash=hash_vector(other)
            ),
        }
    stranger = replace(merchant, key=Ed25519PrivateKey.generate())
    handlers = shop.handlers
    return [
        *((what, handlers.answer, encode_request(each)) for what, each in rounds.items()),
        ("a message with a record more", handlers.answer, strange),
        ("a model that its hash does not name", handlers.answer, unhashed),
        ("a proposal that a stranger signed", handlers.consider, stranger.proposal()),
        ("a proposal of too many rounds", handlers.consider, merchant.proposal(_longer(merchant.plan))),
        ("a model that a stranger signed", handlers.keep, stranger.release(request.parameters)),
        ("a model with a parameter more than its plan has", handlers.keep, merchant.release(longer)),
        ("an empty message", handlers.answer, RecordDict()),
    ]


def _longer(plan: Plan) -> Plan:
    training = plan.privacy.training.model_copy(update={"num_rounds": 10 * plan.privacy.training.num_rounds})
    return plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"training": training})})
