"""L0, neighbour replay: the merchant's round on neighbouring raw data with the noise frozen, in exact integers.

What must hold for every neighbour, in every round, at the plan's clipping norm and at one so small that every
entity is clipped:

- the sum moves by at most the clipping norm, over all parameters jointly;
- it moves by exactly what the one entity gives when it is alone, so nobody else's contribution changed;
- noise is asked for once, over every coordinate, with the deviation that is accounted;
- every other byte of the reply is the same, and there always is a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from client.audit.neighbour import Neighbour, make_neighbours
from client.audit.report import LevelReport
from client.audit.subject import AuditSubject, Reply, Silence, ask
from client.round.answers import Answers
from client.round.leg import Legs
from common.errors import DataError, HansaError
from common.message.round import RoundRequest
from common.model.features import Series
from common.plan.leg import legs_of
from common.privacy.lattice import LATTICE_BITS
from common.privacy.mechanism import Mechanism

BOUND = 2**LATTICE_BITS  # the clipping norm in lattice steps
TIGHT = 2.0**-14  # of the clipping norm: small enough that every entity is clipped
ROUNDS = (1, 2)  # two, so that what is carried over from one round to the next shows
BROKEN = (float("nan"), float("inf"), 1e30, 1e38)
PROBED_RECORDS = 400


@dataclass(frozen=True)
class Replay:
    """Replies of some rounds without noise, and what was asked of the noise."""

    replies: tuple[Reply, ...]
    asked: tuple[tuple[int, float], ...]


class Failed(Exception):
    """Say that a merchant gave no reply, and how it failed."""


def replay_rounds(
    subject: AuditSubject, legs: Legs, requests: tuple[RoundRequest, ...], mechanism: Mechanism
) -> Replay:
    """Ask one merchant for some rounds, one after another, with the noise frozen.

    Raises
    ------
    Failed
        There is no reply, or one that the wire format does not allow.
    """
    silence, (series, rehearsal) = Silence(), legs
    num_rounds = max(request.round_number for request in requests)
    try:
        merchant = subject.merchant(
            series, mechanism=mechanism, noise=silence, num_rounds=num_rounds, rehearsal=rehearsal
        )
        answers = Answers(merchant)
        replies = tuple(ask(answers, request) for request in requests)
    except Exception as error:  # whatever it is, a coordinator would see that nothing came
        reason = str(error) if isinstance(error, HansaError) else type(error).__name__
        raise Failed(reason) from error
    return Replay(replies, tuple(silence.asked))


def replay_neighbours(subject: AuditSubject, *, most_violations: int = 8) -> LevelReport:
    """Replay every neighbour of the subject's data, records that break every bound, and constructed gradients.

    Once `most_violations` are found the verdict is clear, and the level ends.
    """
    found: list[str] = []
    compared, largest = 0, 0.0
    for kind, check in _checks(subject):
        try:
            shifts, sentences = check()
        except Failed as failure:
            shifts, sentences = [], [f"no reply: {failure}"]
        except Exception as error:
            shifts, sentences = [], [f"the round cannot be worked out: {type(error).__name__}"]
        compared += len(shifts)
        largest = max([largest, *shifts])
        found += [f"{kind}: {sentence}" for sentence in sentences]
        if len(found) >= most_violations:
            break
    return LevelReport("l0", tuple(found), {"sums compared": compared, "largest shift / C": largest}, 0.0)


Check = Callable[[], tuple[list[float], list[str]]]


def _checks(subject: AuditSubject) -> Iterator[tuple[str, Check]]:
    """Give every comparison by name; each returns the shifts it saw and a sentence per violation."""
    legs = subject.own_legs()
    replayers = {
        clipped: _Replayer(subject, legs, replace(subject.mechanism, clipping_norm=subject.clipping_norm * factor))
        for clipped, factor in (("", 1.0), (", everyone clipped", TIGHT))
    }
    for clipped, replayer in replayers.items():
        yield "the merchant's own data" + clipped, replayer.check_asked
        yield "constructed gradients" + clipped, replayer.check_probes
    for neighbour in make_neighbours(subject.source, subject.plan.data, subject.origin):
        pair = _Pair(subject, neighbour)
        for clipped, replayer in list(replayers.items())[: 1 if neighbour.is_broken else None]:
            yield neighbour.kind + clipped, partial(replayer.check_neighbour, pair)
    for clipped, replayer in replayers.items():
        for value in BROKEN:
            yield f"an entity whose features are {value}{clipped}", partial(replayer.check_broken, value)
        yield "a merchant without entities" + clipped, replayer.check_nobody


class _Pair:
    """What a round reads of a neighbour, and of its one entity alone; read once, when it is asked for."""

    def __init__(self, subject: AuditSubject, neighbour: Neighbour) -> None:
        self._subject, self._neighbour = subject, neighbour
        self.sign = 1 if neighbour.added else -1

    @cached_property
    def whole(self) -> Legs:
        return self._subject.legs(self._neighbour.content, self._neighbour.lookups)

    @cached_property
    def alone(self) -> Legs:
        return self._subject.legs(self._neighbour.own, self._neighbour.lookups)


class _Replayer:
    """Replay data sets and hold them against the merchant's own."""

    def __init__(self, subject: AuditSubject, legs: Legs, mechanism: Mechanism) -> None:
        self._subject, self._legs, self._mechanism = subject, legs, mechanism
        numbers = sorted({*ROUNDS, legs_of(subject.plan, private=True)[-1].first_round})  # so that every leg shows
        self._requests = tuple(subject.request(legs[0], number) for number in numbers)
        self._base: Replay | None = None

    def _replay(self, legs: Legs) -> Replay:
        return replay_rounds(self._subject, legs, self._requests, self._mechanism)

    def _own(self) -> Replay:
        if self._base is None:
            self._base = self._replay(self._legs)
        return self._base

    def check_asked(self) -> tuple[list[float], list[str]]:
        """Ask for the noise that is accounted, and for no other."""
        own = self._own()
        wanted = [(len(reply.total), self._mechanism.noise_multiplier * BOUND) for reply in own.replies]
        if list(own.asked) == wanted:
            return [], []
        return [], [f"noise was asked for as {_draws(own.asked)}, not once a round over all parameters as accounted"]

    def check_neighbour(self, pair: _Pair) -> tuple[list[float], list[str]]:
        """Compare the merchant's data with a neighbour of it."""
        try:
            whole, alone = pair.whole, pair.alone
        except DataError as error:
            return [], [f"no reply: these rows are refused: {error}"]
        return self._compare(self._replay(whole), self._replay(alone), sign=pair.sign)

    def check_broken(self, value: float) -> tuple[list[float], list[str]]:
        """Let an entity's features break every bound inside the round, where nothing may be refused any more."""
        keys = self._legs[0].key
        broken = keys[len(keys) // 2]
        legs = _choose(self._legs, lambda series: np.ones(series.num_entities, bool))
        for series in filter(None, legs):
            for tensor in (series.inputs, series.target, series.level, series.cell_level):
                tensor[series.key == broken] = value
        whole, without = self._replay(legs), self._replay(_choose(legs, lambda series: series.key != broken))
        alone = self._replay(_choose(legs, lambda series: series.key == broken))
        return compare_replays(without, whole, alone, sign=1)

    def check_nobody(self) -> tuple[list[float], list[str]]:
        """Answer for nobody as for anybody."""
        empty = self._replay(self._nobody())
        own = self._own()
        found = ["it sends other bytes than with entities"] * (_rests(empty) != _rests(own))
        found += ["it asks for other noise than with entities"] * (empty.asked != own.asked)
        found += ["its sum is not zero"] * any(bool(reply.total.any()) for reply in empty.replies)
        return [], found

    def _nobody(self) -> Legs:
        return _choose(self._legs, lambda series: np.zeros(series.num_entities, bool))

    def check_probes(self) -> tuple[list[float], list[str]]:
        """Hand constructed gradients to the mechanism: no record may be longer than the clipping norm."""
        gradients = make_probes(len(self._requests[0].parameters))
        own = [self._mechanism.contribution(gradients[row : row + 1]) for row in range(len(gradients))]
        longest = max(_squared_norm(vector) for vector in own)
        found = []
        if longest > BOUND**2:
            found.append(f"a record's contribution is {longest**0.5 / BOUND:.9f} clipping norms long")
        if not torch.equal(self._mechanism.contribution(gradients), torch.stack(own).sum(0)):
            found.append("records together do not give the sum of what each gives alone")
        return [longest**0.5 / BOUND], found

    def _compare(self, other: Replay, alone: Replay, *, sign: int) -> tuple[list[float], list[str]]:
        return compare_replays(self._own(), other, alone, sign=sign)


def _choose(legs: Legs, who: Callable[[Series], Bool[np.ndarray, " entity"]]) -> Legs:
    """Copy some entities of each leg."""
    served, rehearsal = legs
    chosen = None if rehearsal is None else rehearsal.select(torch.from_numpy(np.flatnonzero(who(rehearsal))))
    return served.select(torch.from_numpy(np.flatnonzero(who(served)))), chosen


def compare_replays(own: Replay, other: Replay, alone: Replay, *, sign: int) -> tuple[list[float], list[str]]:
    """Compare replays of two neighbours; `alone` is the replay of the entity between them."""
    shifts, found = [], []
    for mine, theirs, entity in zip(own.replies, other.replies, alone.replies, strict=True):
        difference = theirs.total - mine.total
        squared = _squared_norm(difference)
        shifts.append(squared**0.5 / BOUND)
        if squared > BOUND**2:
            found.append(f"the sum moves by {shifts[-1]:.9f} clipping norms")
        if not torch.equal(difference, sign * entity.total):
            found.append("others' contributions change with it")
    if _rests(other) != _rests(own):
        found.append("other bytes of the reply change with it")
    if other.asked != own.asked:
        found.append(f"the noise changes with it: {_draws(own.asked)} becomes {_draws(other.asked)}")
    return shifts, list(dict.fromkeys(found))


def make_probes(size: int) -> Float32[Tensor, "record parameter"]:
    """Make gradients that are hard to bound: sparse, enormous, tiny, broken, and all equal."""
    generator = np.random.default_rng(0)
    probes = np.zeros((PROBED_RECORDS, size), np.float32)
    for row in range(PROBED_RECORDS):
        places = generator.choice(size, size=min(size, 1 + row % 5), replace=False)
        probes[row, places] = generator.normal(size=len(places)) * 10.0 ** generator.uniform(-3, 6)
    probes[-1] = 1.0
    probes[-2] = 3e38
    probes[-3, :2] = [np.nan, 1.0][:size]
    probes[-4, -1] = -np.inf
    probes[-5] = 1e-45
    probes[-6, 0], probes[-7, -1] = 3e38, 3e38
    return torch.from_numpy(probes)


def _squared_norm(integers: Int64[Tensor, " parameter"]) -> int:
    """Return the exact squared norm: Python's integers do not overflow."""
    return sum(value * value for value in integers.tolist())


def _rests(replay: Replay) -> list[tuple[object, ...]]:
    return [(reply.rest, len(reply.total)) for reply in replay.replies]


def _draws(asked: tuple[tuple[int, float], ...]) -> str:
    shown = ", ".join(f"{size} at {std / BOUND:.4g} C" for size, std in asked[:4])
    return f"[{shown}{', …' * (len(asked) > 4)}]"
