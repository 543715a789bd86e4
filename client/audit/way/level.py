"""The level `ledger`: the merchant's whole way, from a proposal to the bytes that leave, with a ledger of its own."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.account.ledger.verification import verify_ledger
from client.audit.neighbour import Neighbour, make_neighbours
from client.audit.report import LevelReport
from client.audit.rounds import sample_rounds
from client.audit.size.model import LARGE, enlarge
from client.audit.subject import AuditSubject, few_entities
from client.audit.way.account import check_accounts
from client.audit.way.charges import (
    FALSE_ALARM,
    Walk,
    check_noises,
    check_sum,
    hold_against_ledger,
    propose,
    walk_rounds,
)
from client.audit.way.database import check_database
from client.audit.way.hours import check_hours
from client.audit.way.merchant import ScratchMerchant, lay_out
from client.audit.way.refusal import check_refusals, say_all
from client.audit.way.restart import (
    check_again,
    check_copied,
    check_ended,
    check_interrupted,
    check_processes,
    check_reopened,
)
from common.errors import DataError, PrivacyError

ENTITIES = 5
APART = 9  # rounds at the beginning that are asked for in ways of their own
NEIGHBOURS = 4
TELLING = 6  # characters of a name: shorter ones stand in hashes by chance


def walk_the_way(
    subject: AuditSubject,
    *,
    every_round: bool = False,
    processes: bool = True,
    most_violations: int = 8,
    generator: np.random.Generator | None = None,
) -> LevelReport:
    """Walk the merchant's whole way with a scratch ledger.

    Once `most_violations` are found the verdict is clear, and the level ends.

    Parameters
    ----------
    every_round
        Ask for all of the plan's rounds, not for some.
    processes
        Also start two fresh processes that answer at once; they take some seconds.
    generator
        Chooses the rounds; seeded by entropy if left out.
    """
    few = few_entities(subject.trusting_nobody(), ENTITIES)
    with tempfile.TemporaryDirectory() as folder, _logging() as logged:
        try:
            merchant = lay_out(few, Path(folder) / "own")
            generator = generator or np.random.default_rng()
            numbers = _later_rounds(merchant, every_round, generator)
            with merchant.opened() as shop:
                walk = propose(merchant, shop)
            for step in _steps(walk, few, Path(folder), numbers, processes, generator):
                step()
                if len(walk.found) >= most_violations:
                    break
            _look_for_names(walk, few, logged)
        except Exception as error:
            return LevelReport("ledger", (f"the way cannot be walked: {type(error).__name__}",), {}, FALSE_ALARM)
    return LevelReport("ledger", tuple(walk.found), {"rounds": len(walk.noises)}, FALSE_ALARM)


def _later_rounds(merchant: ScratchMerchant, every_round: bool, generator: np.random.Generator) -> list[int]:
    """Choose the rounds that are asked for in the plain way, up to the last."""
    num_rounds = merchant.subject.num_rounds
    numbers = range(1, num_rounds + 1) if every_round else sample_rounds(merchant.plan, num_rounds, generator)
    return [number for number in numbers if number > APART]


def _steps(
    walk: Walk,
    subject: AuditSubject,
    folder: Path,
    numbers: list[int],
    processes: bool,
    generator: np.random.Generator,
) -> Iterator[Callable[[], None]]:
    """Give what is done with a merchant one after the other; rounds only go forward."""
    yield lambda: _look_at_database(walk, 1)
    yield lambda: check_interrupted(walk, 2)
    yield lambda: check_ended(walk, (3, 4))
    yield lambda: check_reopened(walk, walk.request(5), 6)
    yield lambda: check_copied(walk, folder / "copy", 7)
    if processes:
        yield lambda: check_processes(walk, walk.request(7), (8, APART))
    yield lambda: _ask_plainly(walk, numbers, 7 + 2 * processes)
    yield lambda: check_noises(walk)
    yield lambda: _walk_another_plan(walk, subject, folder / "another")
    yield lambda: walk.found.extend(check_accounts(folder / "accounts", generator))
    yield lambda: walk.found.extend(check_hours(subject, folder / "hours"))
    yield lambda: walk.found.extend(_compare_neighbours(walk, subject, folder))


def _look_at_database(walk: Walk, number: int) -> None:
    with walk.merchant.opened() as shop:
        check_database(walk, shop, number)


def _ask_plainly(walk: Walk, numbers: list[int], num_before: int) -> None:
    """Ask for rounds up to the last, then for what is refused, and hold the account and the file against all of it."""
    with walk.merchant.opened() as shop:
        walk_rounds(walk, shop, numbers)
        check_refusals(walk, shop, walk.request(numbers[-1]))
        check_refusals(walk, shop, walk.request(2))
        check_sum(walk, shop, num_before + len(numbers))
    try:
        verify_ledger(walk.merchant.home.ledger)
    except PrivacyError as error:
        walk.say(True, f"the ledger is not as it was written: {error}")


def _walk_another_plan(walk: Walk, subject: AuditSubject, folder: Path) -> None:
    """Walk a few rounds of a plan with a large model and a rehearsal: the same is charged and sealed for all."""
    large = replace(subject, plan=enlarge(subject.plan, LARGE))
    federation = large.plan.federation.model_copy(update={"rehearsal": True})
    rehearsing = replace(large, plan=large.plan.model_copy(update={"federation": federation}))
    try:
        rehearsing.own_legs()
    except DataError:
        rehearsing = large  # the history is too short for it
    merchant = lay_out(rehearsing, folder)
    with merchant.opened() as shop:
        other = propose(merchant, shop)
        for number in (1, 2, other.subject.num_rounds):
            request = other.request(number)
            wire = shop.round(request)
            hold_against_ledger(other, shop, request, wire)
            check_again(other, shop, request, wire, "at once")
    for sentence in other.found:
        walk.say(True, f"a large model with a rehearsal: {sentence}")


def _compare_neighbours(walk: Walk, subject: AuditSubject, folder: Path) -> list[str]:
    """Hold everything but the sums against what leaves where one entity more or less is there, or nobody."""
    key, said, request = Ed25519PrivateKey.generate(), list[tuple[str, list[str]]](), walk.request(1)
    for place, (kind, neighbour) in enumerate(_some_neighbours(subject)):
        merchant = _lay_out_neighbour(subject, folder / f"neighbour {place}", key, neighbour)
        said.append((kind, say_all(merchant, request)))
    (_, own), *others = said
    return [
        f"{kind}: other bytes leave for {mine.split(':')[0]}"
        for kind, theirs in others
        for mine, its in zip(own, theirs, strict=True)
        if mine != its
    ]


def _lay_out_neighbour(
    subject: AuditSubject, folder: Path, key: Ed25519PrivateKey, neighbour: Neighbour | None
) -> ScratchMerchant:
    if neighbour is None:
        return lay_out(subject, folder, key=key)
    return lay_out(subject, folder, key=key, content=neighbour.content, lookups=neighbour.lookups)


def _some_neighbours(subject: AuditSubject) -> Iterator[tuple[str, Neighbour | None]]:
    """Give the own data, nobody's, and neighbours of all kinds, spread over those that there are."""
    yield "the merchant's own data", None
    yield "nobody", Neighbour("nobody", subject.source.encode([subject.source.rows.iloc[:0]]), b"")
    every = list(make_neighbours(subject.source, subject.plan.data, subject.origin))
    for neighbour in islice(every, 0, None, max(1, len(every) // NEIGHBOURS)):
        yield neighbour.kind, neighbour


def _look_for_names(walk: Walk, subject: AuditSubject, logged: list[str]) -> None:
    """Look for names of entities in what a daemon would have logged."""
    names = {name for name in subject.source.names(subject.plan.data.entity).tolist() if len(name) >= TELLING}
    text = "\n".join(logged)
    walk.say(any(name in text for name in names), "a name of an entity is logged")


@contextmanager
def _logging() -> Iterator[list[str]]:
    """Keep what a daemon would log, much of it about what is refused on purpose, out of the audit's output."""
    root, logged = logging.getLogger(), list[str]()
    handlers, level = root.handlers, root.level
    keeping = logging.Handler()
    keeping.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    root.handlers = [keeping]
    root.setLevel(logging.INFO)
    try:
        yield logged
    finally:
        root.handlers = handlers
        root.setLevel(level)
