"""L0, neighbour replay: the merchant's round on neighbouring raw data with the noise frozen, in exact integers.

What must hold for every neighbour, in every round, at the plan's clipping norm and at one so small that every
entity is clipped:

- the sum moves by at most the clipping norm, over all parameters jointly;
- it moves by exactly what the one entity gives when it is alone, so nobody else's contribution changed;
- noise is asked for once, over every coordinate, with the deviation that is accounted;
- every other byte of the reply is the same, and there always is a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from client.audit.neighbour import Neighbour, make_neighbours
from client.audit.report import LevelReport
from client.audit.rounds import last_round, pair_rounds, sample_rounds
from client.audit.subject import AuditSubject, Reply, Silence, ask
from client.round.answers import Answers
from client.round.fused.library import find_kernel
from client.round.fused.step import LARGEST_MODEL, sum_rows
from client.round.leg import Legs
from common.errors import DataError, HansaError
from common.message.round import RoundRequest
from common.model.features import Series
from common.privacy.bound import LATTICE_BITS
from common.privacy.mechanism import Mechanism

BOUND = 2**LATTICE_BITS  # the clipping norm in lattice steps
TIGHT = 2.0**-14  # of the clipping norm: small enough that every entity is clipped
MOST_PAIRS = 48  # of rounds: beyond so many neighbours they come again
BROKEN = (float("nan"), float("inf"), 1e30, 1e38)
PROBED_RECORDS = 400


@dataclass(frozen=True)
class Replay:
    """Replies of some rounds without noise, and what was asked of the noise for each of them."""

    replies: tuple[Reply, ...]
    asked: tuple[tuple[tuple[int, float], ...], ...]


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
        replies, asked = [], []
        for request in requests:
            replies.append(ask(answers, request))
            asked.append(tuple(silence.asked))
            silence.asked.clear()
    except Exception as error:  # whatever it is, a coordinator would see that nothing came
        reason = str(error) if isinstance(error, HansaError) else type(error).__name__
        raise Failed(reason) from error
    return Replay(tuple(replies), tuple(asked))


Check = Callable[[], tuple[list[float], list[str]]]


def replay_neighbours(
    subject: AuditSubject, *, most_violations: int = 8, generator: np.random.Generator | None = None
) -> LevelReport:
    """Replay every neighbour of the subject's data, records that break every bound, and constructed gradients.

    Once `most_violations` are found the verdict is clear, and the level ends.

    Parameters
    ----------
    generator
        Chooses among the plan's rounds; seeded by entropy if left out.
    """
    numbers = sample_rounds(subject.plan, subject.num_rounds, generator or np.random.default_rng())
    return run_checks("l0", _checks(subject, numbers), most_violations=most_violations)


def run_checks(level: str, checks: Iterator[tuple[str, Check]], *, most_violations: int = 8) -> LevelReport:
    """Run comparisons one after another, each with its name; one that cannot be run is a violation."""
    found: list[str] = []
    compared, largest = 0, 0.0
    for kind, check in checks:
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
    return LevelReport(level, tuple(found), {"sums compared": compared, "largest shift / C": largest}, 0.0)


def _checks(subject: AuditSubject, numbers: Sequence[int]) -> Iterator[tuple[str, Check]]:
    """Give every comparison by name; each returns the shifts it saw and a sentence per violation."""
    legs = subject.own_legs()
    replayers = {
        clipped: Replayer(subject, legs, replace(subject.mechanism, clipping_norm=subject.clipping_norm * factor))
        for clipped, factor in (("", 1.0), (", everyone clipped", TIGHT))
    }
    pairs = [pair_rounds(subject.plan, numbers, place) for place in range(MOST_PAIRS)]
    yield "a merchant without entities, in every round", partial(check_every_round, subject, legs)
    for clipped, replayer in replayers.items():
        yield "the merchant's own data" + clipped, partial(replayer.check_asked, numbers if not clipped else pairs[0])
        yield "constructed gradients" + clipped, replayer.check_probes
    place = 0
    for place, neighbour in enumerate(make_neighbours(subject.source, subject.plan.data, subject.origin)):
        pair = Pair(subject, neighbour)
        for clipped, replayer in list(replayers.items())[: 1 if neighbour.is_broken else None]:
            yield neighbour.kind + clipped, partial(replayer.check_neighbour, pair, pairs[place % MOST_PAIRS])
    for clipped, replayer in replayers.items():
        for more, value in enumerate(BROKEN, start=place + 1):
            chosen = pairs[more % MOST_PAIRS]
            yield f"an entity whose features are {value}{clipped}", partial(replayer.check_broken, value, chosen)
        yield "a merchant without entities" + clipped, partial(replayer.check_nobody, pairs[0])


def check_every_round(subject: AuditSubject, legs: Legs) -> tuple[list[float], list[str]]:
    """Ask somebody without data for all rounds, one after another: of each the noise is the one that is accounted."""
    nobody = choose(legs, lambda series: np.zeros(series.num_entities, bool))
    requests = [subject.request(legs[0], number) for number in range(1, last_round(subject.num_rounds) + 1)]
    replay = replay_rounds(subject, nobody, tuple(requests), subject.mechanism)
    found = _wrong_draws(replay, requests, subject.mechanism)
    both = zip(requests, replay.replies, strict=True)
    if moved := [request.round_number for request, reply in both if bool(reply.total.any())]:
        found.append(f"its sum is not zero in round {moved[0]}")
    return [], found


def _wrong_draws(replay: Replay, requests: Sequence[RoundRequest], mechanism: Mechanism) -> list[str]:
    """Say in which round noise was first asked for otherwise than once, over all parameters, as accounted."""
    for request, reply, asked in zip(requests, replay.replies, replay.asked, strict=True):
        if list(asked) != [(len(reply.total), mechanism.noise_multiplier * BOUND)]:
            return [
                f"in round {request.round_number} noise was asked for as {_draws(asked)}, not once over all parameters "
                "as accounted"
            ]
    return []


class Pair:
    """What a round reads of a neighbour, and of its one entity alone; read once, when it is asked for."""

    def __init__(self, subject: AuditSubject, neighbour: Neighbour) -> None:
        self._subject, self._neighbour = subject, neighbour
        self.sign = 1 if neighbour.added else -1

    @cached_property
    def whole(self) -> Legs:
        """What is read of the neighbour."""
        return self._subject.legs(self._neighbour.content, self._neighbour.lookups)

    @cached_property
    def alone(self) -> Legs:
        """What is read of the one entity."""
        return self._subject.legs(self._neighbour.own, self._neighbour.lookups)


class Replayer:
    """Replay data sets and hold them against the merchant's own."""

    def __init__(self, subject: AuditSubject, legs: Legs, mechanism: Mechanism) -> None:
        self._subject, self._legs, self._mechanism = subject, legs, mechanism
        self._requests: dict[int, RoundRequest] = {}
        self._base: dict[int, tuple[Reply, tuple[tuple[int, float], ...]]] = {}

    def _ask_for(self, numbers: Sequence[int]) -> tuple[RoundRequest, ...]:
        for number in numbers:
            if number not in self._requests:
                self._requests[number] = self._subject.request(self._legs[0], number)
        return tuple(self._requests[number] for number in numbers)

    def replay(self, legs: Legs, numbers: Sequence[int]) -> Replay:
        """Ask for these rounds, one after another, as `legs` have the data."""
        return replay_rounds(self._subject, legs, self._ask_for(numbers), self._mechanism)

    def own(self, numbers: Sequence[int]) -> Replay:
        """Give the replay of the merchant's own data, each round of which is worked out once."""
        missing = [number for number in numbers if number not in self._base]
        if missing:
            replay = self.replay(self._legs, missing)
            self._base |= zip(missing, zip(replay.replies, replay.asked, strict=True), strict=True)
        replies, asked = zip(*(self._base[number] for number in numbers), strict=True)
        return Replay(replies, asked)

    def check_asked(self, numbers: Sequence[int]) -> tuple[list[float], list[str]]:
        """Ask for the noise that is accounted, and for no other."""
        return [], _wrong_draws(self.own(numbers), self._ask_for(numbers), self._mechanism)

    def check_neighbour(self, pair: Pair, numbers: Sequence[int]) -> tuple[list[float], list[str]]:
        """Compare the merchant's data with a neighbour of it."""
        try:
            whole, alone = pair.whole, pair.alone
        except DataError as error:
            return [], [f"no reply: these rows are refused: {error}"]
        mine, theirs, entity = self.own(numbers), self.replay(whole, numbers), self.replay(alone, numbers)
        return compare_replays(mine, theirs, entity, sign=pair.sign)

    def check_broken(self, value: float, numbers: Sequence[int]) -> tuple[list[float], list[str]]:
        """Let an entity's features break every bound inside the round, where nothing may be refused any more."""
        keys = self._legs[0].key
        broken = keys[len(keys) // 2]
        legs = choose(self._legs, lambda series: np.ones(series.num_entities, bool))
        for series in filter(None, legs):
            for tensor in (series.inputs, series.target, series.level, series.cell_level):
                tensor[series.key == broken] = value
        whole = self.replay(legs, numbers)
        without = self.replay(choose(legs, lambda series: series.key != broken), numbers)
        alone = self.replay(choose(legs, lambda series: series.key == broken), numbers)
        return compare_replays(without, whole, alone, sign=1)

    def check_nobody(self, numbers: Sequence[int]) -> tuple[list[float], list[str]]:
        """Answer for nobody as for anybody."""
        empty = self.replay(choose(self._legs, lambda series: np.zeros(series.num_entities, bool)), numbers)
        own = self.own(numbers)
        found = ["it sends other bytes than with entities"] * (_rests(empty) != _rests(own))
        found += ["it asks for other noise than with entities"] * (empty.asked != own.asked)
        found += ["its sum is not zero"] * any(bool(reply.total.any()) for reply in empty.replies)
        return [], found

    def check_probes(self) -> tuple[list[float], list[str]]:
        """Hand constructed gradients to the mechanism: no record may be longer than the clipping norm."""
        return check_gradients(self._mechanism, make_probes(len(self._ask_for((1,))[0].parameters)))


def check_gradients(
    mechanism: Mechanism, gradients: Float32[Tensor, "record parameter"]
) -> tuple[list[float], list[str]]:
    """Hand gradients to a mechanism, one by one and together; and to the compiled kernel, which clips by itself."""
    both = [_check_contribution(mechanism.contribution, gradients)]
    kernel = find_kernel()
    if kernel is not None and gradients.shape[1] <= LARGEST_MODEL and mechanism.clipping_norm is not None:
        both.append(_check_contribution(lambda rows: sum_rows(kernel, rows, mechanism), gradients))
    return [shift for shift, _ in both], list(dict.fromkeys(sentence for _, found in both for sentence in found))


def _check_contribution(
    contribution: Callable[[Tensor], Tensor], gradients: Float32[Tensor, "record parameter"]
) -> tuple[float, list[str]]:
    own = [contribution(gradients[row : row + 1]) for row in range(len(gradients))]
    longest = max(squared_norm(vector) for vector in own)
    found = []
    if longest > BOUND**2:
        found.append(f"a record's contribution is {longest**0.5 / BOUND:.9f} clipping norms long")
    if not torch.equal(contribution(gradients), torch.stack(own).sum(0)):
        found.append("records together do not give the sum of what each gives alone")
    return longest**0.5 / BOUND, found


def choose(legs: Legs, who: Callable[[Series], Bool[np.ndarray, " entity"]]) -> Legs:
    """Copy some entities of each leg."""
    served, rehearsal = legs
    chosen = None if rehearsal is None else rehearsal.select(torch.from_numpy(np.flatnonzero(who(rehearsal))))
    return served.select(torch.from_numpy(np.flatnonzero(who(served)))), chosen


def compare_replays(own: Replay, other: Replay, alone: Replay, *, sign: int) -> tuple[list[float], list[str]]:
    """Compare replays of two neighbours; `alone` is the replay of the entity between them."""
    shifts, found = [], []
    for mine, theirs, entity in zip(own.replies, other.replies, alone.replies, strict=True):
        difference = theirs.total - mine.total
        squared = squared_norm(difference)
        shifts.append(squared**0.5 / BOUND)
        if squared > BOUND**2:
            found.append(f"the sum moves by {shifts[-1]:.9f} clipping norms")
        if not torch.equal(difference, sign * entity.total):
            found.append("others' contributions change with it")
    if _rests(other) != _rests(own):
        found.append("other bytes of the reply change with it")
    if other.asked != own.asked:
        before, after = sum(own.asked, ()), sum(other.asked, ())
        found.append(f"the noise changes with it: {_draws(before)} becomes {_draws(after)}")
    return shifts, list(dict.fromkeys(found))


def make_probes(size: int, number: int = PROBED_RECORDS) -> Float32[Tensor, "record parameter"]:
    """Make gradients that are hard to bound: sparse, enormous, tiny, broken, and all equal."""
    generator = np.random.default_rng(0)
    probes = np.zeros((number, size), np.float32)
    for row in range(number):
        places = generator.choice(size, size=min(size, 1 + row % 5), replace=False)
        probes[row, places] = generator.normal(size=len(places)) * 10.0 ** generator.uniform(-3, 6)
    probes[-1] = 1.0
    probes[-2] = 3e38
    probes[-3, :2] = [np.nan, 1.0][:size]
    probes[-4, -1] = -np.inf
    probes[-5] = 1e-45
    probes[-6, 0], probes[-7, -1] = 3e38, 3e38
    return torch.from_numpy(probes)


def squared_norm(integers: Int64[Tensor, " parameter"]) -> int:
    """Return the exact squared norm: Python's integers do not overflow."""
    return sum(value * value for value in integers[integers != 0].tolist())


def _rests(replay: Replay) -> list[tuple[object, ...]]:
    return [(reply.rest, len(reply.total)) for reply in replay.replies]


def _draws(asked: tuple[tuple[int, float], ...]) -> str:
    shown = ", ".join(f"{size} at {std / BOUND:.4g} C" for size, std in asked[:4])
    return f"[{shown}{', …' * (len(asked) > 4)}]"
