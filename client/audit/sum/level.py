"""Hold what leaves for a secure sum, what comes out of it, and what is charged for it against the promise.

what leaves        the reply of a round on the merchant's data and on neighbours of it, with the same secrets: the
                   vector moves as the sum under its masks, by C at most, and no other byte; its bytes are uniform
what comes out     is the sum of those who are left, whoever drops out; its noise is theirs, and new in every round
what is charged    covers the noise of those who are honest in every sum, and of this merchant alone, if no other is
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Int64
from scipy import stats
from torch import Tensor

from client.audit.canary import deviation
from client.audit.neighbour import make_neighbours
from client.audit.replay import BOUND, replay_rounds, squared_norm
from client.audit.report import LevelReport
from client.audit.subject import AuditSubject, Silence, few_entities
from client.audit.sum.account import check_terms, tell_apart
from client.audit.sum.noise import FALSE_ALARM, TEST_FALSE_ALARM, Noise, check_bytes, check_noise, check_seeds
from client.audit.sum.street import ROUNDS, Street, ask_masked, open_street, read_vector, release, without_vector
from common.errors import DataError
from common.message.round import RoundRequest
from common.model.features import Series
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource, SecureNoise

ENTITIES, NEIGHBOURS = 6, 4


def look_at_sum(subject: AuditSubject, *, runs: int = 2000) -> LevelReport:
    """Hold a secure sum of the subject's plan; a plan that trusts nobody has none.

    Parameters
    ----------
    runs
        Released sums with the canary, and as many without.
    """
    terms = subject.plan.privacy.sum
    if terms is None:
        return LevelReport("sum", (), {"secure sums": 0}, 0.0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            (street_folder := Path(folder) / "street").mkdir()
            street = open_street(street_folder, subject.plan.run_hash(private=True), terms)
            found, measured = _hold(street, few_entities(subject, ENTITIES))
        more, figures = tell_apart(subject, terms, runs=runs)
        found += [*check_seeds(), *check_terms(subject, terms, street.session.hash), *more]
    except Exception as error:
        return LevelReport("sum", (f"the sum cannot be held: {type(error).__name__}",), {}, FALSE_ALARM)
    return LevelReport("sum", tuple(found), measured | figures, FALSE_ALARM)


def _hold(street: Street, subject: AuditSubject) -> tuple[list[str], dict[str, float | int]]:
    own = subject.own_series()
    first, second = (subject.request(own, number) for number in ROUNDS)
    found = list(dict.fromkeys(compare_neighbours(street, subject, own, first)))
    clear, later = (
        replay_rounds(subject, (own, None), (asked,), subject.mechanism).replies[0].total for asked in (first, second)
    )
    silent = street.copy("silent")
    masked = _mask_all(silent, subject, own, first, Silence())
    if not torch.equal(release(silent, first, masked, lost=()), clear):
        found.append("what comes out of the sum is not the sum")
    loud = _mask_all(street, subject, own, first, SecureNoise())
    terms, names = street.session, street.session.names
    noises = []
    for num_lost in range(len(names) - terms.threshold + 1):
        left = names[: len(names) - num_lost]
        total = release(street, first, loud, lost=names[len(left) :])
        noises.append(_scaled(total - clear, subject.mechanism, num_members=len(left)))
        found += check_noise(noises[-1], f"with {num_lost} of {len(names)} dropped out")
    once_more = _mask_all(street, subject, own, second, SecureNoise())
    found += check_bytes(torch.stack([*masked.values(), *once_more.values()]))
    again = _scaled(release(street, second, once_more, lost=()) - later, subject.mechanism, num_members=len(names))
    alike = float(noises[0] @ again) / math.sqrt(float(noises[0] @ noises[0]) * float(again @ again) + 1e-300)
    if abs(alike) * math.sqrt(len(again)) > stats.norm.isf(TEST_FALSE_ALARM / 2):
        found.append("two rounds have the same noise")
    measured = {"members": len(names), "may drop out": len(noises) - 1, "sd of the sum's noise": deviation(noises[0])}
    return found, measured


def _mask_all(
    street: Street, subject: AuditSubject, own: Series, asked: RoundRequest, noise: NoiseSource
) -> dict[str, Int64[Tensor, " word"]]:
    """Ask everybody for its masked vector: the merchant with its data, the others without."""
    masked, nobody = {}, own.select(torch.arange(0))
    for name in street.session.names:
        with street.member(name) as member:
            series = own if name == street.own else nobody
            reply = ask_masked(street, member, subject, asked, series=series, mechanism=subject.mechanism, noise=noise)
            masked[name] = read_vector(reply, asked)
    return masked


def compare_neighbours(street: Street, subject: AuditSubject, own: Series, asked: RoundRequest) -> Iterator[str]:
    """Ask for one round on the merchant's data and on neighbours of it, behind the same masks and without noise."""

    def leave(series: Series, copied: str) -> tuple[Int64[Tensor, " word"], tuple[object, ...]]:
        with street.copy(copied).member(street.own) as member:
            reply = ask_masked(
                street, member, subject, asked, series=series, mechanism=subject.mechanism, noise=Silence()
            )
        return read_vector(reply, asked), without_vector(reply)

    mine, rest = leave(own, "own")
    every = list(make_neighbours(subject.source, subject.plan.data, subject.origin))
    for place, neighbour in enumerate(islice(every, 0, None, max(1, len(every) // NEIGHBOURS))):
        try:
            series = subject.legs(neighbour.content, neighbour.lookups)[0]
        except DataError:
            continue  # level l0 says so
        theirs, others = leave(series, f"neighbour {place}")
        clear = [
            replay_rounds(subject, (data, None), (asked,), subject.mechanism).replies[0].total for data in (own, series)
        ]
        moved, last = (theirs - mine)[:-1], int((theirs - mine)[-1])  # the last number counts members
        if last or not torch.equal(moved, clear[1] - clear[0]):
            yield "the vector that leaves moves otherwise than the sum under its masks"
        if squared_norm(moved) > BOUND**2:
            yield "one entity moves the vector that leaves, and so the sum, by more than C"
        if others != rest:
            yield "other bytes of what leaves for a sum change with an entity"


def _scaled(difference: Int64[Tensor, " parameter"], mechanism: Mechanism, *, num_members: int) -> Noise:
    """Give noise in units of what so many members add together."""
    scaled: Noise = difference.numpy() / (math.sqrt(num_members) * mechanism.noise_multiplier * BOUND)
    return scaled
