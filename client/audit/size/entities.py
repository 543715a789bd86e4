"""Many entities, more than the audited ones: copies of them under new names.

Whatever their number, together they give the sum of what a few of them at a time give, in exact integers, through the
whole reading of a file. So one that is counted twice, left out or weighted by how many there are shows, as does a
bound on their number.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from client.audit.neighbour import as_name, numbers_of
from client.audit.replay import replay_rounds
from client.audit.source import Source, lookups_with
from client.audit.subject import AuditSubject
from common.data.cells import as_days
from common.plan.schema import DataPlan

MOST_ROWS = 60_000  # of all copies together
GROUP = 61  # of entities; no divisor of a chunk, so that an entity's company is another


def draw_counts(generator: np.random.Generator, *, thorough: bool) -> tuple[int, ...]:
    """Draw numbers of entities: just above those that are audited one by one, and well above."""
    bands = [(201, 257), (521, 1100)]
    bands += [(131, 200), (258, 520), (2049, 2200), (4097, 4300)] if thorough else []
    return tuple(int(generator.integers(first, last, endpoint=True)) for first, last in bands)


def copy_entities(
    source: Source, plan: DataPlan, count: int, *, before: np.datetime64
) -> tuple[pd.DataFrame, np.ndarray, dict[str, bytes]]:
    """Copy the rows of entities in turn until there are `count`; give the rows, whose each is, and their lookups.

    Of an entity of many rows some that follow each other are copied, so that all of them stay a file that is read fast.
    """
    names = source.names(plan.entity).astype(str)
    in_time = np.asarray(as_days(source.rows[plan.time], plan.time_zone) < before)
    places = [np.flatnonzero((names == name) & in_time) for name in np.unique(names)]
    places = [place for place in places if len(place)]
    most = max(1, MOST_ROWS // count)
    chosen, owner = [], []
    for number in range(count):
        own = places[number % len(places)]
        start = (number * 7) % max(len(own) - most + 1, 1)
        chosen.append(own[start : start + most])
        owner.append(np.full(len(chosen[-1]), number))
    owners = np.concatenate(owner)
    rows = source.rows.iloc[np.concatenate(chosen)].reset_index(drop=True)
    column = source.rows[plan.entity]
    if (numbers := numbers_of(column, plan)) is None:
        named = np.array([f"audit-{owner:06d}" for owner in owners], dtype=object)
    else:
        named = np.array([as_name(column, int(numbers.max() + 1 + owner)) for owner in owners])
    copies: dict[str, list[object]] = {}
    for number, place in enumerate(np.unique(owners, return_index=True)[1]):
        copies.setdefault(str(names[places[number % len(places)][0]]), []).append(named[place])
    return rows.assign(**{plan.entity: named}), owners, lookups_with(source, plan, copies)


def check_count(subject: AuditSubject, count: int, round_number: int) -> list[str]:
    """Hold what `count` entities give in a round against the sum of what groups of them give."""
    plan, source = subject.plan.data, subject.source
    rows, owners, lookups = copy_entities(source, plan, count, before=np.datetime64(subject.origin, "D"))
    legs = subject.legs(source.encode([rows]), lookups)
    requests = (subject.request(legs[0], round_number),)
    whole = replay_rounds(subject, legs, requests, subject.mechanism)
    found, read = [], 0
    total = torch.zeros_like(whole.replies[0].total)
    for first in range(0, count, GROUP):
        few = subject.legs(source.encode([rows[(owners >= first) & (owners < first + GROUP)]]), lookups)
        part = replay_rounds(subject, few, requests, subject.mechanism)
        total += part.replies[0].total
        read += few[0].num_entities
        if part.asked != whole.asked:
            found.append(f"{count} entities ask for other noise than {GROUP}")
        if part.replies[0].rest != whole.replies[0].rest:
            found.append(f"with {count} entities other bytes leave than with {GROUP}")
    if 2 * read < count and plan.active is None:
        found.append(f"of {count} copies of entities {read} are read, so their number cannot be looked at")
    if read != legs[0].num_entities:
        found.append(f"of {count} entities {legs[0].num_entities} are read at once, {read} of groups of {GROUP}")
    if not torch.equal(total, whole.replies[0].total):
        found.append(f"{count} entities together do not give the sum of what {GROUP} at a time give")
    return list(dict.fromkeys(found))
