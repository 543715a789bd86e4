"""The level `ledger`: the merchant's whole way, from a proposal to the bytes that leave, with a ledger of its own."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.account.ledger.verification import verify_ledger
from client.audit.neighbour import Neighbour, make_neighbours
from client.audit.report import LevelReport
from client.audit.rounds import sample_rounds
from client.audit.subject import AuditSubject, few_entities
from client.audit.way.charges import FALSE_ALARM, Walk, check_noises, check_sum, propose, walk_rounds
from client.audit.way.database import check_database
from client.audit.way.merchant import ScratchMerchant, lay_out
from client.audit.way.refusal import check_refusals, say_all
from client.audit.way.restart import check_copied, check_ended, check_interrupted, check_processes, check_reopened
from common.errors import PrivacyError

ENTITIES = 5
APART = 9  # rounds at the end that are asked for in their own ways
NEIGHBOURS = 4


def walk_the_way(
    subject: AuditSubject,
    *,
    every_round: bool = False,
    processes: bool = True,
    generator: np.random.Generator | None = None,
) -> LevelReport:
    """Walk the merchant's whole way with a scratch ledger.

    Parameters
    ----------
    every_round
        Ask for all of the plan's rounds, not for some.
    processes
        Also start two fresh processes that answer at once; they take some seconds.
    generator
        Chooses the rounds; seeded by entropy if left out.
    """
    few = few_entities(subject, ENTITIES)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        try:
            walk = _walk(few, Path(folder), every_round, processes, generator or np.random.default_rng())
            found = [*walk.found, *_compare_neighbours(walk, few, Path(folder))]
        except Exception as error:
            return LevelReport("ledger", (f"the way cannot be walked: {type(error).__name__}",), {}, FALSE_ALARM)
    return LevelReport("ledger", tuple(found), {"rounds": len(walk.noises)}, FALSE_ALARM)


def _walk(
    subject: AuditSubject, folder: Path, every_round: bool, processes: bool, generator: np.random.Generator
) -> Walk:
    merchant = lay_out(subject, folder / "own")
    num_rounds = merchant.subject.num_rounds
    first_apart = num_rounds - APART + 1
    numbers = range(1, first_apart) if every_round else sample_rounds(merchant.plan, num_rounds, generator)
    answered = [number for number in numbers if number < first_apart]
    with merchant.opened() as shop:
        walk = propose(merchant, shop)
        walk_rounds(walk, shop, answered)
        check_sum(walk, shop, len(answered))
    following = check_reopened(walk, walk.request(first_apart), first_apart + 1)
    count = len(answered) + 2
    count += check_interrupted(walk, first_apart + 2)
    count += check_ended(walk, (first_apart + 3, first_apart + 4))
    count += check_copied(walk, folder / "copy", first_apart + 5)
    if processes:
        count += check_processes(walk, walk.request(first_apart + 5), (first_apart + 6, first_apart + 7))
    with merchant.opened() as shop:
        count += check_database(walk, shop, num_rounds)
        check_refusals(walk, shop, walk.request(num_rounds))
        check_refusals(walk, shop, following)
        check_sum(walk, shop, count)
    check_noises(walk)
    try:
        verify_ledger(merchant.home.ledger)
    except PrivacyError as error:
        walk.say(True, f"the ledger is not as it was written: {error}")
    return walk


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what a daemon would log about messages that are refused on purpose out of the audit's output."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
