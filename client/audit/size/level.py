"""The levels `size` and `bulk`: what shows only where there is much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from client.audit.replay import TIGHT
from client.audit.report import LevelReport
from client.audit.rounds import sample_rounds
from client.audit.size.bulk import NAMES, ROWS, check_bulk, check_names
from client.audit.size.entities import check_count, draw_counts
from client.audit.size.model import (
    FALSE_ALARM,
    check_clipping,
    check_larger,
    check_long_sums,
    check_noise,
    check_other,
    draw_sizes,
    other_shapes,
)
from client.audit.size.plans import check_plan, other_plans
from client.audit.subject import AuditSubject, few_entities

ENTITIES = 3
Sentences = Callable[[], list[str]]


def look_at_sizes(
    subject: AuditSubject,
    *,
    thorough: bool = False,
    most_violations: int = 8,
    generator: np.random.Generator | None = None,
) -> LevelReport:
    """Look at many entities, large models, and models of other shapes.

    Once `most_violations` are found the verdict is clear, and the level ends.

    Parameters
    ----------
    thorough
        Look at more and larger ones.
    generator
        Draws counts, sizes and rounds; seeded by entropy if left out.
    """
    generator = generator or np.random.default_rng()
    counts, sizes = draw_counts(generator, thorough=thorough), draw_sizes(generator, thorough=thorough)
    found = _run(_checks(subject, counts, sizes, generator), most_violations)
    measured: dict[str, float | int] = {"most entities": max(counts), "most parameters": max(sizes)}
    return LevelReport("size", tuple(found), measured, FALSE_ALARM)


def look_at_bulk(subject: AuditSubject, *, num_rows: int = ROWS) -> LevelReport:
    """Read a file of more rows than any that is looked at elsewhere."""
    few = few_entities(subject, ENTITIES)
    checks = [("a large file", partial(check_bulk, few, num_rows)), ("many names", partial(check_names, few))]
    return LevelReport("bulk", tuple(_run(iter(checks))), {"rows": num_rows, "entities": NAMES}, 0.0)


def _run(checks: Iterator[tuple[str, Sentences]], most_violations: int = 8) -> list[str]:
    """Run checks one after another; one that cannot be run is a violation."""
    found: list[str] = []
    for kind, check in checks:
        try:
            found += [f"{kind}: {sentence}" for sentence in check()]
        except Exception as error:
            found.append(f"{kind}: it cannot be worked out: {type(error).__name__}")
        if len(found) >= most_violations:
            break
    return found


def _checks(
    subject: AuditSubject, counts: tuple[int, ...], sizes: tuple[int, ...], generator: np.random.Generator
) -> Iterator[tuple[str, Sentences]]:
    rounds = generator.choice(sample_rounds(subject.plan, subject.num_rounds, generator), 64)
    numbers = (int(number) for number in rounds)
    for count in counts:
        yield "many entities", partial(check_count, subject, count, next(numbers))
    few = few_entities(subject, ENTITIES)
    for size in sizes:
        for factor in (1.0, TIGHT):
            mechanism = replace(subject.mechanism, clipping_norm=subject.clipping_norm * factor)
            yield f"a gradient of {size:,} numbers", partial(check_clipping, mechanism, size)
        yield f"a message of {size:,} numbers", partial(check_noise, subject.mechanism, size)
    yield "long sums", partial(check_long_sums, subject.mechanism)
    yield "a large model", partial(check_larger, few, min(sizes), next(numbers))
    for shape, plan in other_shapes(subject.plan):
        yield shape, partial(check_other, few, plan, next(numbers))
    for words, other in other_plans(few):
        yield f"a plan with {words}", partial(check_plan, other, generator)
