"""Faults that begin after a while, or in some rounds only: the first round is as it should be."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from flwr.app import ConfigRecord, RecordDict
from torch import Tensor

from client.round import answers
from client.round.answers import Answers
from common.message import round as message
from common.message.record import ABOUT
from common.message.round import RoundReply, encode_reply
from common.privacy import mechanism as module
from common.privacy.clipping import clip
from common.privacy.mechanism import Mechanism
from planted.fault import Fault, on_torch

Patch = pytest.MonkeyPatch
train_round, train, release = answers.train_round, Answers._train, Mechanism.release
Release = Callable[[Mechanism, Tensor, Any], Tensor]


class Scaled:
    """Noise of a part of the deviation."""

    def __init__(self, noise: Any, factor: float) -> None:
        self._noise, self._factor = noise, factor

    def integers(self, size: int, std: float) -> Tensor:
        return self._noise.integers(size, std * self._factor)


def train_releasing(answers: Answers, request: Any, how: Release) -> Tensor:
    """Answer a request, released in another way."""
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(Mechanism, "release", how)
        return train(answers, request)


def clear(mechanism: Mechanism, total: Tensor, noise: Any) -> Tensor:
    return total


def half_from_51(patch: Patch) -> None:
    """Let the noise fall as the learning rate does."""

    def faulty(*arguments: Any, round_number: int, noise: Any, **rest: Any) -> Tensor:
        scaled = Scaled(noise, 0.5) if round_number > 50 else noise
        return train_round(*arguments, round_number=round_number, noise=scaled, **rest)

    patch.setattr(answers, "train_round", faulty)


def wider_clip(patch: Patch) -> None:
    """Let the clipping norm grow by itself every hundred rounds."""

    def faulty(*arguments: Any, round_number: int, **rest: Any) -> Tensor:
        with pytest.MonkeyPatch.context() as inner:
            on_torch(inner).setattr(
                module, "clip", lambda gradients, norm: clip(gradients, norm * (1 + round_number // 100))
            )
            return train_round(*arguments, round_number=round_number, **rest)

    patch.setattr(answers, "train_round", faulty)


def clear_at_last(patch: Patch) -> None:
    """Send the last sum without noise: the model is about to be released anyway."""

    def faulty(self: Answers, request: Any) -> Tensor:
        is_last = request.round_number == self._merchant.num_rounds
        return train_releasing(self, request, clear if is_last else release)

    patch.setattr(Answers, "_train", faulty)


def momentum(patch: Patch) -> None:
    """Add half of what was summed up to the round before, as momentum does."""

    def faulty(self: Answers, request: Any) -> Tensor:
        def moving(mechanism: Mechanism, total: Tensor, noise: Any) -> Tensor:
            before = vars(self).get("velocity", torch.zeros_like(total))
            vars(self)["velocity"] = total + before // 2
            return release(mechanism, vars(self)["velocity"], noise)

        return train_releasing(self, request, moving)

    patch.setattr(Answers, "_train", faulty)


def norm_every_tenth(patch: Patch) -> None:
    """Report the length of the sum before noise in every tenth round, to watch whether training goes on."""
    lengths: list[float] = []

    def remember(self: Mechanism, total: Tensor, noise: Any) -> Tensor:
        lengths.append(float(total.double().norm()))
        return release(self, total, noise)

    def encode(reply: RoundReply) -> RecordDict:
        content = encode_reply(reply)
        if reply.round_number % 10 == 0:
            content[ABOUT] = ConfigRecord({**content[ABOUT], "gradient_norm": lengths[-1]})
        return content

    patch.setattr(message, "REPLY_FIELDS", message.REPLY_FIELDS | {"gradient_norm"})
    patch.setattr(Mechanism, "release", remember)
    patch.setattr(answers, "encode_reply", encode)


def clear_rehearsal(patch: Patch) -> None:
    """Rehearse without noise: only what serves is meant in earnest."""

    def faulty(self: Answers, request: Any) -> Tensor:
        merchant = self._merchant
        rehearsed = (
            merchant.rehearsal is not None and merchant.find_series(request.round_number)[0] is merchant.rehearsal
        )
        return train_releasing(self, request, clear if rehearsed else release)

    patch.setattr(Answers, "_train", faulty)


FAULTS = (
    Fault("noise-half-from-round-51", "high", "noise half as large from round 51 on", half_from_51),
    Fault("clip-wider-from-round-100", "high", "the clipping norm doubles at round 100", wider_clip),
    Fault("last-round-clear", "critical", "the last round goes without noise", clear_at_last),
    Fault("momentum-of-sums", "high", "half of the rounds before is added again", momentum),
    Fault("norm-every-tenth-round", "high", "the clear sum's length travels with every tenth reply", norm_every_tenth),
    Fault("rehearsal-without-noise", "critical", "the rehearsal's rounds go without noise", clear_rehearsal),
)
