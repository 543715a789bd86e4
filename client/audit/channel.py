"""The level `channels`: every column that a plan reads, one at a time.

- **Neighbours**: an entity joins of which one column alone is odd, or whose days are others, or its row of a lookup.
- **Causality**: from some day on one column holds something else. What a step knows ends at its cut-off, so no step
  before that day may notice, and nothing that is known ahead is but what the plan declares; from the last origin on
  not a byte of a round may change.
- **Writings**: the rows written in other ways, and an entity that writes its own in yet another (`writing.py`).

A few entities are enough: what is looked for is in the reading of a column, not in how many read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool

from client.audit.neighbour import (
    Neighbour,
    dated,
    make_renamed,
    newcomer_lookups,
    typed,
    value_columns,
    with_lookup_row,
)
from client.audit.replay import TIGHT, Check, Pair, Replayer, run_checks
from client.audit.report import LevelReport
from client.audit.rounds import pair_rounds, sample_rounds
from client.audit.source import Source
from client.audit.subject import AuditSubject, few_entities
from client.audit.writing import Writing, make_writings
from common.data.cells import as_days
from common.data.panel import says_yes
from common.errors import DataError
from common.model.features import Examples, Series, cut_forecast, cut_training
from common.plan.schema import DataPlan

ENTITIES = 6
ODD = {
    "enormous": 1e12,
    "tiny": 1e-9,
    "negative": -1.0,
    "beyond every number": 1e39,
    "no number": float("nan"),
    "unheard-of": "unheard-of",
    "empty": "",
}
DAYS = {"a day later": 1, "a week later": 7, "a day earlier": -1}
IN_LOOKUP = (b"1e39", b"nan", b"unheard-of", b"", b'"open', b"\xff")
SAME_AT_A_STEP = ("level", "cell_level", "spread")


def look_at_channels(
    subject: AuditSubject,
    *,
    most_violations: int = 8,
    neighbours: bool = True,
    generator: np.random.Generator | None = None,
) -> LevelReport:
    """Look at every column that the plan reads.

    Parameters
    ----------
    neighbours
        Whether entities join of which one column is odd; what is known too early shows without.
    generator
        Chooses rounds and days; seeded by entropy if left out.
    """
    few, generator = few_entities(subject, ENTITIES), generator or np.random.default_rng()
    numbers = sample_rounds(few.plan, few.num_rounds, generator)
    replayer = Replayer(few, few.own_legs(), few.mechanism)
    checks = chain(
        _neighbours(few, replayer, numbers) if neighbours else (),
        _changes(few, replayer, numbers, generator),
        _writings(few, numbers) if neighbours else (),
    )
    return run_checks("channels", checks, most_violations=most_violations)


def columns_read(source: Source, plan: DataPlan) -> list[str]:
    """Name the columns that hold amounts, attributes or days out of stock, as far as the file has them."""
    attributes = [attribute.column for attribute in (*plan.known, *plan.static)]
    counted = [measure.column for measure in (plan.target, *plan.observed.values()) if measure.column]
    named = [*value_columns(plan, source.rows), *counted, *attributes, plan.out_of_stock]
    return [column for column in dict.fromkeys(named) if column in source.rows]


def _neighbours(subject: AuditSubject, replayer: Replayer, numbers: tuple[int, ...]) -> Iterator[tuple[str, Check]]:
    for place, neighbour in enumerate(make_channel_neighbours(subject.source, subject.plan.data)):
        pair = pair_rounds(subject.plan, numbers, place)
        yield neighbour.kind, partial(replayer.check_neighbour, Pair(subject, neighbour), pair)


def _changes(
    subject: AuditSubject, replayer: Replayer, numbers: tuple[int, ...], generator: np.random.Generator
) -> Iterator[tuple[str, Check]]:
    for kind, change in make_changes(subject.source, subject.plan.data).items():
        for day in _days_of_change(subject, generator):
            yield f"{kind} from {day} on", partial(check_causality, subject, change, day, kind)
        yield f"{kind} from the last origin on", partial(check_after_origin, subject, change, replayer, numbers[:2])


def _writings(subject: AuditSubject, numbers: tuple[int, ...]) -> Iterator[tuple[str, Check]]:
    for place, writing in enumerate(make_writings(subject)):
        yield writing.neighbour.kind, partial(check_writing, writing, numbers[place % len(numbers)])


def check_writing(writing: Writing, number: int) -> tuple[list[float], list[str]]:
    """Compare a file with the one that has one entity more, clipped as planned and everyone clipped."""
    subject, shifts, found = writing.subject, list[float](), list[str]()
    legs, pair = subject.legs(writing.content), Pair(subject, writing.neighbour)
    for factor in (1.0, TIGHT):
        mechanism = replace(subject.mechanism, clipping_norm=subject.clipping_norm * factor)
        seen, sentences = Replayer(subject, legs, mechanism).check_neighbour(pair, (number,))
        shifts, found = [*shifts, *seen], [*found, *sentences]
    return shifts, list(dict.fromkeys(found))


def make_channel_neighbours(source: Source, plan: DataPlan) -> Iterator[Neighbour]:
    """Let entities join of which one column alone is odd, or whose days are others."""
    own, every = make_renamed(source, plan), source.part(np.ones(len(source.rows), bool))
    known = newcomer_lookups(source, plan)
    for column in columns_read(source, plan):
        for words, value in ODD.items():
            try:
                odd = own.assign(**{column: typed(own[column], value)})
            except (TypeError, ValueError):
                continue  # no such value in a column of this type
            yield Neighbour(
                f"an entity whose {column} is {words} joins",
                source.encode([every, odd]),
                source.encode([odd]),
                lookups=known,
            )
    for words, days in DAYS.items():
        moved = _moved(own, plan, days)
        yield Neighbour(
            f"an entity whose days are {words} joins",
            source.encode([moved, every]),
            source.encode([moved]),
            lookups=known,
        )
    for lookup in plan.lookups:
        if lookup.key != plan.entity or not lookup.path.endswith(".csv"):
            continue
        for cell in IN_LOOKUP:
            content = with_lookup_row(source, lookup, own, cell)
            if content is not None:
                yield Neighbour(
                    f"an entity whose cells in {lookup.path} are {cell!r} joins",
                    source.encode([every, own]),
                    source.encode([own]),
                    lookups={**known, lookup.path: content},
                )


Change = Callable[[pd.DataFrame, Bool[np.ndarray, " row"]], pd.DataFrame]


def make_changes(source: Source, plan: DataPlan) -> dict[str, Change]:
    """Make changes of some rows, one column each: of amounts that stay amounts, and of attributes that stay lawful."""
    amounts = value_columns(plan, source.rows)
    fixed = {attribute.column for attribute in plan.static}  # of all days alike
    fixed |= {
        each.column
        for each in plan.filters
        if each.equals is not None or each.filled is False or max(each.above or 0, each.at_least or 0) > 0
    }
    changes: dict[str, Change] = {}
    for column in columns_read(source, plan):
        if column in fixed:
            continue  # it decides which rows there are
        changes[f"{column} is another"] = partial(_change_column, column=column, is_amount=column in amounts, plan=plan)
    if plan.rows == "events":
        changes["every row is there twice"] = lambda rows, late: pd.concat([rows, rows[late]])
    return changes


def _change_column(
    rows: pd.DataFrame, late: Bool[np.ndarray, " row"], *, column: str, is_amount: bool, plan: DataPlan
) -> pd.DataFrame:
    cells = rows[column].astype(object)
    numbers = pd.to_numeric(rows[column], errors="coerce").astype(float)
    if is_amount:  # threefold, so that demand stays demand, and who takes part the same
        changed = np.where(numbers.notna(), numbers * 3, cells)
    elif column == plan.out_of_stock:
        changed = np.where(says_yes(rows[column]), 0, 1).astype(object)
    else:
        categories = [value for each in plan.known if each.column == column for value in each.categories]
        if categories:
            turn = dict(zip(categories, [*categories[1:], categories[0]], strict=True))
            changed = np.array([turn.get(str(cell), categories[0]) for cell in cells], dtype=object)
        elif column in [attribute.column for attribute in plan.known]:
            changed = np.where(numbers.notna(), 1 - numbers, np.array("another", dtype=object))
        else:  # what is counted: all of them become one
            there = cells[cells.notna()]
            changed = np.full(len(rows), there.iloc[0] if len(there) else "", dtype=object)
    return rows.assign(
        **{column: typed(rows[column], pd.Series(np.where(late, changed, cells), rows.index, dtype=object))}
    )


def _changed(subject: AuditSubject, change: Change, day: date) -> bytes:
    """Write the file with what is changed in the rows of a day and those after it."""
    rows, plan = subject.source.rows, subject.plan.data
    days = as_days(rows[plan.time], plan.time_zone)
    late = days >= np.datetime64(day, "D")
    return subject.source.encode([change(rows, np.asarray(late))])


def _days_of_change(subject: AuditSubject, generator: np.random.Generator) -> list[date]:
    """Choose days in the second half of the history, with a horizon between them and the last origin."""
    plan, span = subject.plan, (subject.origin - subject.plan.data.start).days
    first, last = span // 2, span - plan.model.horizon_days
    if last <= first:
        return []
    return [plan.data.start + timedelta(days=int(day)) for day in sorted({int(generator.integers(first, last)), last})]


def check_causality(subject: AuditSubject, change: Change, day: date, kind: str) -> tuple[list[float], list[str]]:
    """Let a change begin on a day, and look at what is known before it."""
    content, found = _changed(subject, change, day), list[str]()
    horizon = timedelta(days=subject.plan.model.horizon_days)
    is_known = any(f"{attribute.column} is another" == kind for attribute in subject.plan.data.known)
    for origin in (day, day + horizon):
        there = _with_origin(subject, origin)
        try:
            own, other = there.own_legs()[0], there.legs(content)[0]
            mine, theirs = cut_training(own, 1), cut_training(other, 1)
        except DataError:
            continue  # no example before that day
        if list(own.key) != list(other.key):
            found += ["who takes part changes with it"] * (origin == day)
            continue
        found += _compare_steps(own, other, until=(day - subject.plan.data.start).days)
        if origin == day:
            found += _compare_examples(cut_forecast(own), cut_forecast(other), ahead=is_known)
            found += _compare_examples(mine, theirs, ahead=False, labels=True)
        else:  # the last label begins on the day of the change
            found += _compare_examples(mine, theirs, ahead=is_known)
    return [], list(dict.fromkeys(found))


def _with_origin(subject: AuditSubject, origin: date) -> AuditSubject:
    evaluation = subject.plan.evaluation.model_copy(update={"origins": (origin,)})
    return replace(subject, plan=subject.plan.model_copy(update={"evaluation": evaluation}))


def _compare_steps(own: Series, other: Series, *, until: int) -> list[str]:
    """Hold what is known at every cut-off up to a day."""
    step = torch.arange(len(own.cutoffs))
    before = (own.cutoffs <= until) & (step >= own.birth[:, None])
    moved = (own.inputs[before] != other.inputs[before]).any(0)
    found = [f"the feature {own.names[place]!r} sees it before its day" for place in torch.where(moved)[0].tolist()]
    found += [
        f"the anchor's {name} sees it before its day"
        for name in SAME_AT_A_STEP
        if not torch.equal(getattr(own, name)[before], getattr(other, name)[before])
    ]
    if not torch.equal(own.future[:, :until], other.future[:, :until]):
        found.append("what is known ahead of earlier days changes with it")
    return found


def _compare_examples(own: Examples, other: Examples, *, ahead: bool, labels: bool = False) -> list[str]:
    """Hold examples whose inputs end before the change; `ahead` says that its column is declared as known ahead."""
    names = ["inputs", "weight", "spread"]
    names += [] if ahead else ["future", "anchor"]
    names += ["label"] if labels else []
    names += ["censored", "expected"] if labels and own.censored is not None and other.censored is not None else []
    return [
        f"an example's {name} sees it before its day"
        for name in names
        if not torch.equal(getattr(own, name), getattr(other, name))
    ]


def check_after_origin(
    subject: AuditSubject, change: Change, replayer: Replayer, numbers: tuple[int, ...]
) -> tuple[list[float], list[str]]:
    """Let a change begin on the last origin: not a byte of a round may change."""
    legs = subject.legs(_changed(subject, change, subject.origin))
    own, other = replayer.own(numbers), replayer.replay(legs, numbers)
    same = all(torch.equal(mine.total, its.total) for mine, its in zip(own.replies, other.replies, strict=True))
    return [], ["a round sees what happens after the last origin"] * (not same)


def _moved(own: pd.DataFrame, plan: DataPlan, days: int) -> pd.DataFrame:
    """Move rows by some days, each written as the column writes its days."""
    when = pd.Series(as_days(own[plan.time], plan.time_zone), own.index)
    parts = [
        dated(own.loc[[place]], plan, (day + pd.Timedelta(days=days)).date())
        for place, day in when.items()
        if not pd.isna(day)
    ]
    return pd.concat(parts) if parts else own
