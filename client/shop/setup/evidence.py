"""Say what a table seems to be and from what that was told: a line for each field, with a few of its cells.

Guarantee: no cell of a personal field is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from client.shop.export.guess import Guess
from client.shop.setup.survey import Survey, Surveyed
from client.shop.source.source import Look

PERSONAL = ("customer", "email", "phone", "user", "text", "words")  # fields of which no cell is shown
SHOWN_CELLS = 44  # of samples, in the width of a terminal
LATER = "rates in shop.toml"  # asked once the shop's own money is known


def say_survey(seen: Survey) -> str:
    """Say for a person what each table seems to be, and why."""
    lines = [line for each in seen.found for line in _say_surveyed(each)]
    lines += seen.refused
    lines += [f"{_place(look)}: nothing of a shop can be seen in it, so it is left alone." for look in seen.unknown]
    return "\n".join(lines)


def _say_surveyed(each: Surveyed) -> Iterator[str]:
    settings, look = each.settings, each.look
    rows = "" if look.num_rows is None else f"about {look.num_rows:,} rows, "
    yield f"{each.where} ({rows}called {settings.name} from now on)"
    kind = next((guess.reason for guess in each.proposal.guesses if guess.field == "kind"), "")
    reasons = {guess.reason for guess in each.proposal.guesses}
    if settings.format != "table" and len(reasons) == 1:
        kind = f"{reasons.pop()}: {settings.kind}"
    yield f"  {kind or settings.kind}"
    yield from (f"  {sentence}" for sentence in look.evidence)
    yield from _list_guesses(each.proposal.guesses, with_reasons=settings.format == "table")
    yield from (f"  also read as {source.kind}: {', '.join(source.columns.values())}" for source in each.proposal.also)
    yield from (f"  ? {question}" for question in each.proposal.questions if LATER not in question)


def _list_guesses(guesses: Sequence[Guess], *, with_reasons: bool) -> Iterator[str]:
    shown = [guess for guess in guesses if guess.column]
    widths = [max((cell_len(text) for text in texts), default=0) for texts in zip(*map(_cells, shown), strict=True)]
    for guess in shown:
        cells = [text + " " * (width - cell_len(text)) for text, width in zip(_cells(guess), widths, strict=True)]
        sure = "" if guess.certain else " (a guess)"
        yield f"    {'  '.join(cells)}  {guess.reason if with_reasons else ''}{sure}".rstrip()


def _cells(guess: Guess) -> tuple[str, str, str]:
    samples = dict.fromkeys(sample for sample in guess.samples if sample)
    shown = "not shown" if guess.field in PERSONAL else ", ".join(samples) or "(empty)"
    return guess.field, guess.column, shown if cell_len(shown) <= SHOWN_CELLS else _cut(shown)


def _cut(text: str) -> str:
    while cell_len(text) > SHOWN_CELLS - 1:
        text = text[:-1]
    return f"{text}…"


def _place(look: Look) -> str:
    return f"{look.location}, {look.table}" if look.table else look.location


def describe_surveyed(each: Surveyed) -> dict[str, Any]:
    """Say the same for machines."""
    settings = each.settings
    return {
        "name": settings.name,
        "location": settings.location,
        "table": settings.table,
        "kind": settings.kind,
        "format": settings.format,
        "rows": each.look.num_rows,
        "evidence": list(each.look.evidence),
        "guesses": [_describe(guess) for guess in each.proposal.guesses],
        "questions": list(each.proposal.questions),
    }


def _describe(guess: Guess) -> dict[str, Any]:
    return {
        "field": guess.field,
        "column": guess.column,
        "samples": [] if guess.field in PERSONAL else list(guess.samples),
        "reason": guess.reason,
        "certain": guess.certain,
    }
